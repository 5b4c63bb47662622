import { readAll } from '@waltz/bytes'
import { Fault, isFault } from '@waltz/errors'
import { decodeControlFile, type ControlFile } from '@waltz/pg-structures'
import {
  decodeManifest,
  manifestKey,
  partRole,
  partsPrefix,
  type BackupManifest,
  type SealedFormat,
  type Sentinel,
} from '@waltz/repository'
import type { CallOptions, ObjectStore } from '@waltz/storage'
import { readTar } from '@waltz/tar'
import { memberKey, partBaseName } from './member-name.ts'
import type { PlannedPart } from './restore-options.ts'

/** Where to read from. */
export interface BackupReader extends CallOptions {
  readonly store: Pick<ObjectStore, 'get' | 'list'>
  readonly sealed: SealedFormat
  readonly backup: string
}

const maxManifestBytes = 64 << 20
const maxControlBytes = 65_536
const brokenHint = 'Restore another backup. If the object was moved by accident, bring it back.'

/**
 * Refuses what cannot be restored yet.
 * @throws Fault `unsupported` `BACKUP_INCREMENTAL` for an increment, `BACKUP_WAL_E` for a backup of WAL-E.
 */
export function checkSupported(backup: string, sentinel: Sentinel): void {
  if (sentinel.increment !== undefined)
    throw new Fault('unsupported', 'BACKUP_INCREMENTAL', `${backup} is an incremental backup; restoring those is not available yet`, {
      hint: `Restore a full backup; the one that this increment began with is ${sentinel.increment.root}.`,
    })
  if (/^base_[0-9A-F]{24}_[0-9A-F]{8}$/.test(backup))
    throw new Fault('unsupported', 'BACKUP_WAL_E', `${backup} was made by WAL-E; restoring those is not available yet`, {
      hint: 'Restore it with WAL-E or WAL-G.',
    })
}

/** Waltz's record of the backup; undefined for backups of WAL-G. */
export async function readManifest(reader: BackupReader): Promise<BackupManifest | undefined> {
  const key = manifestKey(reader.backup)
  try {
    await using body = await reader.store.get(key, callOptions(reader))
    return decodeManifest(await readAll(body, maxManifestBytes), { origin: key })
  } catch (error) {
    if (isFault(error, 'not-found')) return undefined
    throw error
  }
}

/**
 * Lists the parts of a backup and compares them with what its manifest says.
 * @throws Fault `corrupt` `BACKUP_PART_MISSING` for a part that is not there (the control file's above all),
 * `BACKUP_PART_DAMAGED` for one of another size.
 */
export async function listParts(
  reader: BackupReader,
  manifest: BackupManifest | undefined,
): Promise<{ readonly parts: readonly PlannedPart[]; readonly warnings: readonly string[] }> {
  const prefix = partsPrefix(reader.backup)
  const known = new Map((manifest?.parts ?? []).map((part) => [part.name, part]))
  const parts: PlannedPart[] = []
  const warnings: string[] = []
  for await (const { key, size } of reader.store.list(prefix, { ...callOptions(reader), oneLevel: true })) {
    const name = key.slice(prefix.length)
    const recorded = known.get(name)
    known.delete(name)
    const forms =
      recorded === undefined ? undefined : [recorded, ...(recorded.alternatives ?? [])].map(({ size, sha256 }) => ({ size, sha256 }))
    if (recorded !== undefined && forms?.every((form) => form.size !== size) === true)
      throw new Fault('corrupt', 'BACKUP_PART_DAMAGED', `${key} has ${size} bytes; ${recorded.size} were stored`, {
        context: { key },
        hint: brokenHint,
      })
    if (manifest !== undefined && recorded === undefined) warnings.push(foreignPart(key))
    else parts.push({ key, name, storedBytes: size, role: partRole(name), forms })
  }
  const [missing] = known.keys()
  if (missing !== undefined) throw missingPart(`${prefix}${missing}`, `${known.size} of the parts in the manifest are missing`)
  checkRoles(prefix, parts)
  return { parts, warnings }
}

function checkRoles(prefix: string, parts: readonly PlannedPart[]): void {
  if (!parts.some((part) => part.role === 'control'))
    throw missingPart(`${prefix}pg_control.tar`, 'the part with the control file is missing')
  if (!parts.some((part) => part.role === 'data')) throw missingPart(prefix, 'every part with data is missing')
}

/**
 * Every part that the file list names must be there, whatever codec it has now. Data parts that it does not name were
 * left by another backup of the same name (RF 13 Q26) and would mix with this one: they are left out.
 * @throws Fault `corrupt` `BACKUP_PART_MISSING`.
 */
export function checkListedParts(
  reader: BackupReader,
  parts: readonly PlannedPart[],
  listed: ReadonlySet<string>,
): { readonly parts: readonly PlannedPart[]; readonly warnings: readonly string[] } {
  const baseName = (part: PlannedPart): string => partBaseName(part.name) ?? part.name
  const present = new Set(parts.map(baseName))
  const missing = [...listed].filter((name) => !present.has(name))
  const [first] = missing
  if (first !== undefined)
    throw missingPart(`${partsPrefix(reader.backup)}${first}`, `${missing.length} of ${listed.size} listed parts are missing`)
  const foreign = listed.size === 0 ? [] : parts.filter((part) => part.role === 'data' && !listed.has(baseName(part)))
  return { parts: parts.filter((part) => !foreign.includes(part)), warnings: foreign.map((part) => foreignPart(part.key)) }
}

/**
 * Which parts could be damaged without anybody noticing: those with neither a recorded checksum nor a codec that has one.
 * @throws Fault `unsupported` for a codec that is not there.
 */
export async function uncheckedParts(sealed: SealedFormat, parts: readonly PlannedPart[]): Promise<readonly string[]> {
  const unchecked: string[] = []
  for (const part of parts) if (!(await sealed.detectsDamage(part.name)) && part.forms === undefined) unchecked.push(part.name)
  return unchecked
}

/** The control file, as bytes and decoded. */
export interface StoredControlFile {
  readonly bytes: Uint8Array
  readonly control: ControlFile
}

/**
 * Reads the control file out of its part and checks it.
 * @throws Fault `corrupt` `BACKUP_CONTROL_DAMAGED` when it is not in there or its checksum is wrong,
 * `BACKUP_CONTROL_MISMATCH` when it belongs to another cluster than the sentinel says.
 */
export async function readControlPart(reader: BackupReader, part: PlannedPart, sentinel: Sentinel): Promise<StoredControlFile> {
  await using body = await reader.store.get(part.key, callOptions(reader))
  let bytes: Uint8Array | undefined
  for await (const member of readTar(await reader.sealed.open(part.name, body)))
    if (memberKey(member.entry.name) === 'global/pg_control') bytes = await readAll(member.body, maxControlBytes)
  if (bytes === undefined) throw damagedControl(part.key, 'it does not hold global/pg_control')
  const control = decodeControlFile(bytes)
  if (!control.crcValid) throw damagedControl(part.key, 'the checksum of the control file is wrong')
  if (sentinel.systemIdentifier !== undefined && sentinel.systemIdentifier !== control.systemIdentifier)
    throw new Fault(
      'corrupt',
      'BACKUP_CONTROL_MISMATCH',
      `${part.key} is of cluster ${control.systemIdentifier}, the backup of ${sentinel.systemIdentifier}`,
      {
        context: { key: part.key },
        hint: 'Objects of two backups were mixed under one name; restore another backup.',
      },
    )
  return { bytes, control }
}

function damagedControl(key: string, what: string): Fault {
  return new Fault('corrupt', 'BACKUP_CONTROL_DAMAGED', `${key} is damaged: ${what}`, { context: { key }, hint: brokenHint })
}

function foreignPart(key: string): string {
  return `${key} does not belong to this backup and was left out`
}

function missingPart(key: string, what: string): Fault {
  return new Fault('corrupt', 'BACKUP_PART_MISSING', `${key} is missing: ${what}`, { context: { key }, hint: brokenHint })
}

function callOptions({ signal }: CallOptions): CallOptions {
  return signal === undefined ? {} : { signal }
}
