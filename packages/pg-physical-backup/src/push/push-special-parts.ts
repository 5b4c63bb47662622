import { readAll, sourceOf, tap, type ByteSource } from '@waltz/bytes'
import { controlPartName, labelPartName, partKey } from '@waltz/repository'
import { encodeTarHeader, TAR_TRAILER, tarPaddingBytes } from '@waltz/tar'
import { stat } from 'node:fs/promises'
import type { BackupEnd } from './end-backup-mode.ts'
import { readControlFile } from './data-directory.ts'
import { factsOfStat, nearestSecond } from './entry-facts.ts'
import type { OwnerNames } from './owner-names.ts'
import type { PushSurroundings } from './push-backup-options.ts'
import { putAgain } from './put-again.ts'
import type { PartTarget, StoredPart } from './store-part.ts'

/** More than any label or map can have: a tablespace takes a line. */
const SMALL_PART_BYTES = 64 * 1_048_576

/** A part that is made of bytes in memory, and so can be stored again when the storage did not answer. */
export interface SmallPartTarget extends PartTarget {
  readonly sleep: PushSurroundings['sleep']
}

/**
 * Stores `global/pg_control` alone in its part, read until its checksum is right. Called when all other files are
 * stored, and before the backup ends (RF 3.1).
 * @throws Fault `corrupt` `CONTROL_FILE_DAMAGED`, or what the store says.
 */
export async function pushControlPart(
  dataDirectory: string,
  target: SmallPartTarget,
  { around, owners }: { readonly around: PushSurroundings; readonly owners: OwnerNames },
): Promise<StoredPart> {
  const found = await stat(`${dataDirectory}/global/pg_control`, { bigint: true })
  const facts = (around.factsOf ?? factsOfStat)('/global/pg_control', found)
  const { bytes } = await readControlFile(dataDirectory, around.sleep)
  const header = encodeTarHeader({
    name: '/global/pg_control',
    type: 'file',
    size: bytes.length,
    mode: facts.mode,
    uid: facts.uid,
    gid: facts.gid,
    ...owners.of(facts.uid, facts.gid),
    modifiedAtSeconds: nearestSecond(facts.modifiedAtNs),
  })
  const source = sourceOf(header, bytes, new Uint8Array(tarPaddingBytes(bytes.length)), TAR_TRAILER)
  return storeSmallPart(target, controlPartName, { source, contentBytes: bytes.length })
}

/** Stores what the server said at the end: `backup_label` and `tablespace_map`, both always there, the latter possibly empty (RF 3.3, 3.4). */
export async function pushLabelPart(end: BackupEnd, target: SmallPartTarget): Promise<StoredPart> {
  const label = new TextEncoder().encode(end.backupLabel)
  const map = new TextEncoder().encode(end.tablespaceMap)
  const source = sourceOf(...labelMember('backup_label', label), ...labelMember('tablespace_map', map), TAR_TRAILER)
  return storeSmallPart(target, labelPartName, { source, contentBytes: label.length + map.length })
}

async function storeSmallPart(
  target: SmallPartTarget,
  baseName: string,
  { source, contentBytes }: { readonly source: ByteSource; readonly contentBytes: number },
): Promise<StoredPart> {
  const { format, backupName } = target
  const name = format.nameFor(baseName)
  let tarBytes = 0
  const sealed = await readAll(format.seal(tap(source, (chunk) => (tarBytes += chunk.length))), SMALL_PART_BYTES)
  const { size, sha256 } = await putAgain(target, partKey(backupName, name), () => sourceOf(sealed))
  return { name, storedBytes: size, sha256, contentBytes, tarBytes }
}

function labelMember(name: string, content: Uint8Array): Uint8Array[] {
  const header = encodeTarHeader({
    name,
    type: 'file',
    size: content.length,
    mode: 0o600,
    uid: 0,
    gid: 0,
    userName: '',
    groupName: '',
    modifiedAtSeconds: 0,
  })
  return [header, content, new Uint8Array(tarPaddingBytes(content.length))]
}
