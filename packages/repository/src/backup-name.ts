import type { WalFileName } from '@waltz/pg-structures'
import { backupsFolder, sentinelSuffix } from './layout.ts'

/** The parts of a backup's name (RF 1.3). */
export interface BackupName {
  /** The segment of the start position. */
  readonly segment: WalFileName
  /** The start segment of the parent; only increments have it. Chains are followed by the sentinel, never by this. */
  readonly parentSegment?: WalFileName
  /** Eight hex digits that WAL-E put behind the segment. */
  readonly walEOffset?: string
}

const PATTERN = /^base_([0-9A-F]{24})(?:_D_([0-9A-F]{24}))?(?:_([0-9A-F]{8}))?$/

/** `base_` and 24 hex digits, optionally `_D_` and 24 more, optionally `_` and 8 more; undefined for other texts. */
export function parseBackupName(text: string): BackupName | undefined {
  const match = PATTERN.exec(text)
  if (match?.[1] === undefined) return undefined
  return {
    segment: match[1] as WalFileName,
    ...(match[2] === undefined ? {} : { parentSegment: match[2] as WalFileName }),
    ...(match[3] === undefined ? {} : { walEOffset: match[3] }),
  }
}

/** The inverse of `parseBackupName`. */
export function formatBackupName({ segment, parentSegment, walEOffset }: BackupName): string {
  return `base_${segment}${parentSegment === undefined ? '' : `_D_${parentSegment}`}${walEOffset === undefined ? '' : `_${walEOffset}`}`
}

/** The first run of 24 upper-case hex digits in a backup's name, or 24 times `Z`: what listings show as its WAL file. */
export function walFileNameOf(backup: string): string {
  return /[0-9A-F]{24}/.exec(backup)?.[0] ?? 'Z'.repeat(24)
}

/** The last component of a key, cut at the first `_backup`: how a backup's name is got from its sentinel (RF 1.3). */
export function strippedName(key: string): string {
  const base = key.slice(key.lastIndexOf('/') + 1)
  const cut = base.indexOf('_backup')
  return cut === -1 ? base : base.slice(0, cut)
}

/** The backup that a key is the sentinel of; undefined for other keys, such as those in a backup's folder. */
export function backupOfSentinelKey(key: string): string | undefined {
  if (!key.startsWith(backupsFolder) || !key.endsWith(sentinelSuffix)) return undefined
  return key.includes('/', backupsFolder.length) ? undefined : strippedName(key)
}
