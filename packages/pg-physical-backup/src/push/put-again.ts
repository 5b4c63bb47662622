import { createHash } from 'node:crypto'
import { tap, type ByteSource } from '@waltz/bytes'
import { Fault, isFault } from '@waltz/errors'
import type { ObjectStore, PutOptions } from '@waltz/storage'

/** Attempts to store an object that can be produced anew, and the first wait between them, which doubles. */
const ATTEMPTS = 4
const FIRST_PAUSE_MS = 250

/** Where an object goes. */
export interface PutTarget {
  readonly store: ObjectStore
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>
  readonly signal?: AbortSignal
}

/** What was stored. */
export interface PutDigest {
  readonly size: number
  /** Lower-case hex. */
  readonly sha256: string
}

/**
 * Stores an object that can be produced again: another attempt follows when the storage did not answer, and an answer that was lost
 * is recognised by comparing what is there. Never replaces other bytes where the store can promise that.
 * @throws Fault `conflict` `BACKUP_NAME_TAKEN` when other bytes are there; what the store says last.
 */
export async function putAgain({ store, sleep, signal }: PutTarget, key: string, produce: () => ByteSource): Promise<PutDigest> {
  const call = signal === undefined ? {} : { signal }
  for (let attempt = 1; ; attempt += 1) {
    const digest = createDigest()
    try {
      await store.put(key, tap(produce(), digest.add), { ...call, ...absentOnly(store) })
      return digest.end()
    } catch (error) {
      const taken = isFault(error, 'already-exists')
      if (!taken && isFault(error) && error.retryable && attempt < ATTEMPTS) {
        await sleep(FIRST_PAUSE_MS * 2 ** (attempt - 1), signal)
        continue
      }
      const own = taken || isFault(error, 'unavailable') ? await digestIfSame(store, key, { produce, taken }) : undefined
      if (own !== undefined) return own
      throw taken ? strangerFault(key, error) : error
    }
  }
}

/** The option of a put that must not replace anything, where the store has it. */
export function absentOnly(store: ObjectStore): Pick<PutOptions, 'onlyIfAbsent'> {
  return store.capabilities.conditionalPut ? { onlyIfAbsent: true } : {}
}

/** The fault for an object under a name that was cleared for this backup. */
export function strangerFault(key: string, cause: unknown): Fault {
  return new Fault('conflict', 'BACKUP_NAME_TAKEN', `another process stored ${key} while this backup was being made`, {
    cause,
    hint: 'Find out which other process makes backups of this cluster, then run the backup again.',
    context: { key },
  })
}

/** The digest of the object when it holds what would be stored. A store that does not answer leaves an earlier failure standing. */
async function digestIfSame(
  store: ObjectStore,
  key: string,
  { produce, taken }: { readonly produce: () => ByteSource; readonly taken: boolean },
): Promise<PutDigest | undefined> {
  try {
    await using body = await store.get(key)
    const [stored, own] = [await digestOf(body), await digestOf(produce())]
    return stored.size === own.size && stored.sha256 === own.sha256 ? own : undefined
  } catch (error) {
    if (taken && !isFault(error, 'not-found')) throw error
    return undefined
  }
}

async function digestOf(source: ByteSource): Promise<PutDigest> {
  const digest = createDigest()
  for await (const chunk of source) digest.add(chunk)
  return digest.end()
}

function createDigest(): { readonly add: (chunk: Uint8Array) => void; readonly end: () => PutDigest } {
  const hash = createHash('sha256')
  let size = 0
  return {
    add(chunk) {
      hash.update(chunk)
      size += chunk.length
    },
    end: () => ({ size, sha256: hash.digest('hex') }),
  }
}
