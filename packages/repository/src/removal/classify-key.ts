import type { TimelineId } from '@waltz/pg-structures'
import { isTemporaryKey } from '@waltz/storage'
import { backupOfSentinelKey, parseBackupName, strippedName } from '../backup-name.ts'
import { backupsFolder, sentinelSuffix, walFolder, waltzFolder } from '../layout.ts'
import type { SegmentPlace } from './wal-position.ts'

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
  /** WAL, or what was noted beside it. It belongs to `segments` segments, 1 or 16, from the one on that `positionOf` places. */
  | ({ readonly kind: 'wal'; readonly form: WalForm; readonly timeline: TimelineId; readonly segments: 1 | 16 } & SegmentPlace)
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
/** What follows the 24 digits of a segment that was archived, and of what else has such a name. */
const SEGMENT_TAILS: ReadonlySet<string> = new Set(['', '.', '.lz4', '.lzma', '.gz', '.br', '.lzo', '.zst'])
const OTHER_TAIL = new RegExp(`^(?:(\\.partial)|(\\.[0-9A-F]{8}\\.backup)|(_delta))?(?:(\\.json)|${CODEC})$`)
const BULK_SIDECAR = /^([0-9A-F]{23})\.json$/
const HISTORY = new RegExp(`^([0-9A-F]{8})\\.history(?:(\\.json)|${CODEC})$`)
/** Pieces of uploads to Google's storage, as WAL-G names them (RF 9.3). */
const PIECE = /_chunks\/(?:chunk|composite)\d+$/

/**
 * Says what a key below the repository's prefix is (RF 1). Names of WAL in lower case, with unknown extensions, or in sub-folders are
 * `foreign`: PostgreSQL and WAL-G write none.
 */
export function classifyKey(key: string): KeyClass {
  if (key.startsWith(walFolder)) {
    const known = classifyWalName(key)
    if (known !== undefined) return known
  }
  if (isTemporaryKey(key) || PIECE.test(key)) return { kind: 'upload' }
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

const NAME_AT = walFolder.length

/** Undefined for what is no name of WAL. Made for a million names in a row: no pattern is looked for in those of segments. */
function classifyWalName(key: string): KeyClass | undefined {
  const [timeline, high, low] = [hexOf(key, NAME_AT, 8), hexOf(key, NAME_AT + 8, 8), hexOf(key, NAME_AT + 16, 8)]
  if (timeline === undefined || high === undefined || low === undefined) return classifyOddName(key.slice(NAME_AT))
  if (timeline === 0) return undefined
  const tail = key.slice(NAME_AT + 24)
  if (SEGMENT_TAILS.has(tail)) return { kind: 'wal', form: 'segment', timeline: timeline as TimelineId, high, low, segments: 1 }
  const found = OTHER_TAIL.exec(tail)
  return found === null ? undefined : { kind: 'wal', ...beside(found), timeline: timeline as TimelineId, high, low }
}

function beside([, partial, backup, delta, json]: RegExpExecArray): { readonly form: WalForm; readonly segments: 1 | 16 } {
  if (json !== undefined) return { form: 'sidecar', segments: delta === undefined ? 1 : 16 }
  if (partial !== undefined) return { form: 'partial', segments: 1 }
  if (backup !== undefined) return { form: 'backup-history', segments: 1 }
  return delta === undefined ? { form: 'segment', segments: 1 } : { form: 'block-map', segments: 16 }
}

/** Names with fewer digits. */
function classifyOddName(name: string): KeyClass | undefined {
  const bulk = BULK_SIDECAR.exec(name)?.[1]
  if (bulk !== undefined) {
    const [timeline = 0, high = 0, low = 0] = [0, 8, 16].map((at) => hexOf(`${bulk}0`, at, 8))
    return timeline === 0 ? undefined : { kind: 'wal', form: 'sidecar', timeline: timeline as TimelineId, high, low, segments: 16 }
  }
  const history = HISTORY.exec(name)
  const timeline = hexOf(history?.[1] ?? '', 0, 8) ?? 0
  if (history === null || timeline === 0) return undefined
  return { kind: 'timeline-history', timeline: timeline as TimelineId, sidecar: history[2] !== undefined }
}

/** The number that `digits` upper-case digits from `at` on make; undefined when one of them is none. */
function hexOf(text: string, at: number, digits: number): number | undefined {
  let value = 0
  for (let index = at; index < at + digits; index += 1) {
    const code = text.charCodeAt(index)
    if (code >= 48 && code <= 57) value = value * 16 + code - 48
    else if (code >= 65 && code <= 70) value = value * 16 + code - 55
    else return undefined
  }
  return value
}
