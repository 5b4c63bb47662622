import { sourceOf } from '@waltz/bytes'
import { controlPartName, labelPartName } from '@waltz/repository'
import { encodeTarHeader, TAR_TRAILER, tarPaddingBytes } from '@waltz/tar'
import { stat } from 'node:fs/promises'
import type { BackupEnd } from './backup-session.ts'
import { readControlFile } from './data-directory.ts'
import { factsOfStat, nearestSecond } from './entry-facts.ts'
import type { OwnerNames } from './owner-names.ts'
import type { PushSurroundings } from './push-backup-options.ts'
import { storePart, type PartTarget, type StoredPart } from './store-part.ts'

/**
 * Stores `global/pg_control` alone in its part, read until its checksum is right. Called when all other files are
 * stored, and before the backup ends (RF 3.1).
 * @throws Fault `corrupt` `CONTROL_FILE_DAMAGED`, or what the store says.
 */
export async function pushControlPart(
  dataDirectory: string,
  target: PartTarget,
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
  return storePart(target, { name: target.format.nameFor(controlPartName), source, contentBytes: () => bytes.length })
}

/** Stores what the server said at the end: `backup_label` and `tablespace_map`, both always there, the latter possibly empty (RF 3.3, 3.4). */
export async function pushLabelPart(end: BackupEnd, target: PartTarget): Promise<StoredPart> {
  const label = new TextEncoder().encode(end.backupLabel)
  const map = new TextEncoder().encode(end.tablespaceMap)
  const source = sourceOf(...labelMember('backup_label', label), ...labelMember('tablespace_map', map), TAR_TRAILER)
  return storePart(target, { name: target.format.nameFor(labelPartName), source, contentBytes: () => label.length + map.length })
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
