import type { TimelineId } from '@waltz/pg-structures'
import { isTemporaryKey } from '@waltz/storage'
import { backupOfSentinelKey, parseBackupName, strippedName } from '../backup-name.ts'
import { backupsFolder, sentinelSuffix, walFolder, waltzFolder } from '../layout.ts'
import { positionOfName } from './wal-position.ts'

/** Backups for standbys that fell behind; the same inner layout as `basebackups_005/` (RF 1.6). */
export const catchupFolder = 'catchup_005/'

/** Backups proper, or those for standbys. */
export type KeyArea = 'backup' | 'catchup'

/** What an object of `wal_005/` is that belongs to one or more segments. */
export type WalForm = 'segment' | 'partial' | 'backup-history' | 'sidecar' | 'block-map'

/** What a key is. */
export type KeyClass =
  /** The object that makes a backup exist. */
  | { readonly kind: 'sentinel'; readonly area: KeyArea; readonly backup: string }
  /** Anything in the folder of a backup. */
  | { readonly kind: 'backup-object'; readonly area: KeyArea; readonly backup: string }
  /** WAL, or what was noted beside it. It belongs to `segments` segments from the one at position `first` on: 1, or 16. */
  | { readonly kind: 'wal'; readonly form: WalForm; readonly timeline: TimelineId; readonly first: bigint; readonly segments: 1 | 16 }
  /** How a timeline came to be, or the sidecar of that. */
  | { readonly kind: 'timeline-history'; readonly timeline: TimelineId; readonly sidecar: boolean }
  /** What Waltz keeps about the repository. */
  | { readonly kind: 'waltz' }
  /** Part of an upload that goes on or was left: see `StoreMaintenance.unfinishedUploads`. */
  | { readonly kind: 'upload' }
  /** Nothing that belongs to a repository, as far as is known. It is left alone. */
  | { readonly kind: 'foreign' }

const FOREIGN: KeyClass = { kind: 'foreign' }
const CODEC = String.raw`(?:\.(?:lz4|lzma|gz|br|lzo|zst)?)?`
const SEGMENT = new RegExp(`^([0-9A-F]{24})(?:(\\.partial)|(\\.[0-9A-F]{8}\\.backup)|(_delta))?(?:(\\.json)|${CODEC})$`)
const BULK_SIDECAR = /^([0-9A-F]{23})\.json$/
const HISTORY = new RegExp(`^([0-9A-F]{8})\\.history(?:(\\.json)|${CODEC})$`)
/** Pieces of uploads to Google's storage, as WAL-G names them (RF 9.3). */
const PIECE = /_chunks\/(?:chunk|composite)\d+$/

/**
 * Says what a key below the repository's prefix is (RF 1). Names of WAL in lower case, with unknown extensions, or in sub-folders are
 * `foreign`: PostgreSQL and WAL-G write none.
 */
export function classifyKey(key: string): KeyClass {
  if (isTemporaryKey(key) || PIECE.test(key)) return { kind: 'upload' }
  if (key.startsWith(walFolder)) return classifyWalName(key.slice(walFolder.length))
  if (key.startsWith(backupsFolder)) return classifyBackupKey(key, backupsFolder, 'backup')
  if (key.startsWith(catchupFolder)) return classifyBackupKey(key, catchupFolder, 'catchup')
  return key.startsWith(waltzFolder) ? { kind: 'waltz' } : FOREIGN
}

function classifyBackupKey(key: string, folder: string, area: KeyArea): KeyClass {
  const slash = key.indexOf('/', folder.length)
  if (slash === -1) {
    const backup = area === 'backup' ? backupOfSentinelKey(key) : key.endsWith(sentinelSuffix) ? strippedName(key) : undefined
    return backup === undefined || backup === '' ? FOREIGN : { kind: 'sentinel', area, backup }
  }
  const backup = key.slice(folder.length, slash)
  return parseBackupName(backup) === undefined ? FOREIGN : { kind: 'backup-object', area, backup }
}

function classifyWalName(name: string): KeyClass {
  const segment = SEGMENT.exec(name)
  if (segment !== null) return walOf(segment)
  const bulk = BULK_SIDECAR.exec(name)?.[1]
  if (bulk !== undefined) return placed('sidecar', `${bulk}0`, 16)
  const history = HISTORY.exec(name)
  const timeline = Number.parseInt(history?.[1] ?? '0', 16) as TimelineId
  return history === null || timeline === 0 ? FOREIGN : { kind: 'timeline-history', timeline, sidecar: history[2] !== undefined }
}

function walOf([, name = '', partial, backup, delta, json]: RegExpExecArray): KeyClass {
  if (json !== undefined) return placed('sidecar', name, delta === undefined ? 1 : 16)
  if (partial !== undefined) return placed('partial', name, 1)
  if (backup !== undefined) return placed('backup-history', name, 1)
  return delta === undefined ? placed('segment', name, 1) : placed('block-map', name, 16)
}

function placed(form: WalForm, name: string, segments: 1 | 16): KeyClass {
  const timeline = Number.parseInt(name.slice(0, 8), 16) as TimelineId
  return timeline === 0 ? FOREIGN : { kind: 'wal', form, timeline, first: positionOfName(name), segments }
}
