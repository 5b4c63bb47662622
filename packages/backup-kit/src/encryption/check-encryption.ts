import { createCodecRegistry } from '@waltz/codecs'
import { isFault, throwIfAborted } from '@waltz/errors'
import {
  createBackupCatalog,
  createSealedFormat,
  looksEncrypted,
  partRole,
  partsPrefix,
  walFolder,
  type BackupSummary,
} from '@waltz/repository'
import { atOnce, findKey, isSealedKey, readHead, type NamedKey } from '@waltz/repository/rotation'
import type { CallOptions, ObjectInfo, ObjectStore } from '@waltz/storage'
import { laneCount } from '../lane-count.ts'
import { openKeys } from './open-cipher.ts'
import { describeKeys, type EncryptionParts, type RotatedEncryption } from './rotate-encryption.ts'

/** What is checked. */
export interface CheckEncryptionOptions extends CallOptions {
  /** The first one unless given. */
  readonly storage?: string
}

/** What was found of an object. */
export type EncryptionFinding =
  /** A key opens it. */
  | 'opens'
  /** It is not encrypted. */
  | 'plain'
  /** It is encrypted, or begins like nothing known, and no key opens it. */
  | 'no-key'
  /** A key fits and the object cannot be read to its end, or a key service did not answer. */
  | 'failed'

/** One object, or the parts of a backup of which the same is true. */
export interface EncryptionRow {
  readonly object: string
  readonly objects: number
  readonly finding: EncryptionFinding
  /** Of the key that opens it, or what the object looks like. */
  readonly scheme: string | undefined
  /** `current`, `previous 1` and so on. */
  readonly key: string | undefined
  /** Whether it was read to the end. */
  readonly whole: boolean
  /** Why it failed. */
  readonly why?: string
}

/** Whether the configured keys open what is stored. */
export interface EncryptionCheck {
  readonly keys: RotatedEncryption['keys']
  readonly rows: readonly EncryptionRow[]
  /** Whether all that was looked at can be read with these settings. */
  readonly opensAll: boolean
}

interface Looking {
  readonly store: ObjectStore
  readonly keys: readonly NamedKey[]
  readonly call: CallOptions
  readonly lanes: number
}

type Found = Omit<EncryptionRow, 'object' | 'objects'>

/** See `BackupKit.checkEncryption`. */
export async function checkEncryption(parts: EncryptionParts, { signal }: CheckEncryptionOptions): Promise<EncryptionCheck> {
  const { settings, surroundings, store } = parts
  using keys = await openKeys(settings, surroundings)
  const all = [...(keys.current === undefined ? [] : [keys.current]), ...keys.previous]
  const lanes = laneCount(settings.downloadConcurrency, surroundings.cores)
  const looking: Looking = { store, keys: all, call: signal === undefined ? {} : { signal }, lanes }
  const rows = [...(await checkBackups(looking)), ...(await checkWal(looking))]
  const plainIsFine = all.length === 0 || settings.cryptoPlaintextReads === 'allow'
  const fine = ({ finding }: EncryptionRow): boolean => finding === 'opens' || (finding === 'plain' && plainIsFine)
  return { keys: describeKeys(keys), rows, opensAll: rows.every(fine) }
}

async function checkBackups(looking: Looking): Promise<readonly EncryptionRow[]> {
  let oldest: BackupSummary | undefined
  let newest: BackupSummary | undefined
  for await (const backup of createBackupCatalog(looking.store).list(looking.call)) {
    oldest ??= backup
    newest = backup
  }
  const rows: EncryptionRow[] = []
  if (newest !== undefined) rows.push(...(await checkBackup(looking, newest.name)))
  if (oldest !== undefined && oldest.name !== newest?.name) rows.push(...(await checkBackup(looking, oldest.name)))
  return rows
}

/** Every part by its beginning, the small one with the control file whole. Parts of which the same is true are one row. */
async function checkBackup(looking: Looking, backup: string): Promise<readonly EncryptionRow[]> {
  const rows: EncryptionRow[] = []
  const groups = new Map<string, EncryptionRow>()
  await atOnce(looking.store.list(partsPrefix(backup), { ...looking.call, oneLevel: true }), looking.lanes, async ({ key }) => {
    if (partRole(key) === 'control') {
      rows.push({ object: key, objects: 1, ...(await look(looking, key, true)) })
      return
    }
    const found = await look(looking, key, false)
    const group = [found.finding, found.scheme, found.key, found.why].join('\0')
    const objects = (groups.get(group)?.objects ?? 0) + 1
    groups.set(group, { object: `parts of ${backup}`, objects, ...found })
  })
  return [...groups.values(), ...rows]
}

async function checkWal(looking: Looking): Promise<readonly EncryptionRow[]> {
  let oldest: ObjectInfo | undefined
  let newest: ObjectInfo | undefined
  for await (const info of looking.store.list(walFolder, { ...looking.call, oneLevel: true })) {
    if (!isSealedKey(info.key) || !/^[0-9A-F]{24}(\.[a-z0-9]*)?$/.test(info.key.slice(walFolder.length))) continue
    if (oldest === undefined || info.modifiedAt < oldest.modifiedAt) oldest = info
    if (newest === undefined || info.modifiedAt >= newest.modifiedAt) newest = info
  }
  const rows: EncryptionRow[] = []
  for (const key of new Set([newest?.key, oldest?.key]))
    if (key !== undefined) rows.push({ object: key, objects: 1, ...(await look(looking, key, true)) })
  return rows
}

async function look({ store, keys, call }: Looking, key: string, whole: boolean): Promise<Found> {
  try {
    const head = await readHead(store, key, { ...call, keys })
    const found = await findKey(head, keys)
    if (found.kind === 'plain') {
      if (whole) await drain(store, key, { call, opener: undefined })
      return { finding: 'plain', scheme: undefined, key: undefined, whole }
    }
    if (found.kind === 'none') {
      const unmarked = keys.length === 0 && !looksEncrypted(key, head)
      return { finding: unmarked ? 'plain' : 'no-key', scheme: found.framing, key: undefined, whole: false }
    }
    if (whole) await drain(store, key, { call, opener: found.key })
    return { finding: 'opens', scheme: found.key.cipher.scheme, key: found.key.label, whole }
  } catch (error) {
    throwIfAborted(call.signal)
    if (!isFault(error)) throw error
    return { finding: 'failed', scheme: undefined, key: undefined, whole: false, why: `${error.code}: ${error.message}` }
  }
}

/** Decrypts and decompresses to the end. */
async function drain(
  store: ObjectStore,
  key: string,
  { call, opener }: { readonly call: CallOptions; readonly opener: NamedKey | undefined },
): Promise<void> {
  const registry = createCodecRegistry()
  const sealed = createSealedFormat({ codec: await registry.byName('none'), registry, cipher: opener?.cipher })
  await using body = await store.get(key, call)
  for await (const _ of await sealed.open(key, body));
}
