import { readAll, sourceOf } from '@waltz/bytes'
import { Fault, isFault } from '@waltz/errors'
import type { CallOptions, ObjectStore } from '@waltz/storage'
import { decodeManifest, encodeManifest, type BackupManifest, type ManifestPart, type StoredForm } from '../manifest.ts'
import { sameForm } from './stored-form.ts'

/**
 * Keeps the manifest of one backup in step while its parts are replaced: at every moment it accepts what is stored. Before a part is
 * replaced both of its forms are on record; afterwards the new one alone, which is written together with the next part's or at the end.
 */
export interface ManifestKeeper {
  /** Whether the part was being replaced when a run before this one ended. */
  undecided(part: string): boolean
  /**
   * Records that the part, which is stored in the form `from`, is about to be stored in the form `to`.
   * Rejects with `corrupt` `ROTATION_OBJECT_CHANGED` when `from` is not what the manifest has, and with the faults of the store.
   */
  announce(part: string, from: StoredForm, to: StoredForm): Promise<void>
  /** Records what the part is stored as, without writing it yet. Throws as `announce`. */
  settle(part: string, form: StoredForm): void
  /** Writes what was not written yet. */
  flush(): Promise<void>
}

const MAX_MANIFEST_BYTES = 64 << 20

/** Opens the manifest; undefined for backups without one. Rejects with `corrupt` or `unsupported` for one that cannot be read. */
export async function openManifestKeeper(
  store: Pick<ObjectStore, 'capabilities' | 'get' | 'put'>,
  key: string,
  call: CallOptions,
): Promise<ManifestKeeper | undefined> {
  const opened = await readManifest(store, key, call)
  if (opened === undefined) return undefined
  const { manifest } = opened
  const parts = new Map(manifest.parts.map((part) => [part.name, part]))
  let { etag } = opened
  let changed = false
  let writing: Promise<void> = Promise.resolve()

  const write = async (): Promise<void> => {
    if (!changed) return
    changed = false
    const bytes = encodeManifest({ ...manifest, parts: [...parts.values()] })
    const ifMatch = store.capabilities.ifMatch && etag !== undefined ? { ifMatch: etag } : {}
    try {
      const info = await store.put(key, sourceOf(bytes), { ...call, ...ifMatch, size: bytes.length, contentType: 'application/json' })
      etag = info.etag
    } catch (error) {
      changed = true
      throw error
    }
  }
  /** One write after the other; each has everything that was recorded before it began. */
  const flush = async (): Promise<void> => {
    const turn = writing.then(write)
    writing = turn.catch(() => undefined)
    await turn
  }
  const record = (part: ManifestPart): void => {
    parts.set(part.name, part)
    changed = true
  }
  return {
    undecided: (name) => (parts.get(name)?.alternatives ?? []).length > 0,
    async announce(name, from, to) {
      const part = parts.get(name)
      if (part === undefined) return
      checkKnown(key, part, from)
      record({ ...withoutAlternatives(part), ...from, alternatives: [to] })
      await flush()
    },
    settle(name, form) {
      const part = parts.get(name)
      if (part === undefined) return
      checkKnown(key, part, form)
      record({ ...withoutAlternatives(part), ...form })
    },
    flush,
  }
}

function withoutAlternatives({ name, payloadBytes, size, sha256 }: ManifestPart): ManifestPart {
  return { name, size, sha256, payloadBytes }
}

function checkKnown(key: string, part: ManifestPart, form: StoredForm): void {
  if ([part, ...(part.alternatives ?? [])].some((known) => sameForm(known, form))) return
  throw new Fault('corrupt', 'ROTATION_OBJECT_CHANGED', `${part.name} is not what ${key} says was stored`, {
    hint: 'It was damaged or replaced; it stays as it is. A restore refuses it, too.',
    context: { key, part: part.name },
  })
}

async function readManifest(
  store: Pick<ObjectStore, 'get'>,
  key: string,
  call: CallOptions,
): Promise<{ readonly manifest: BackupManifest; readonly etag: string | undefined } | undefined> {
  try {
    await using body = await store.get(key, call)
    return { manifest: decodeManifest(await readAll(body, MAX_MANIFEST_BYTES), { origin: key }), etag: body.info.etag }
  } catch (error) {
    if (isFault(error, 'not-found')) return undefined
    throw error
  }
}
