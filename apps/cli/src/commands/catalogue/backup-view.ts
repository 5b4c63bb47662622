import type { BackupWal, CatalogueEntry, CatalogueFindingKind, CatalogueWal, RestorableWindow } from '@waltz/backup-kit'
import { formatTimestamp } from '@waltz/repository'

/** One backup as a listing or a description shows it. */
export interface BackupView {
  readonly entry: CatalogueEntry
  /** What the archive means for it; undefined where it was not looked through, or says nothing. */
  readonly wal: BackupWal | undefined
}

/** What a person wants to know first of a backup. */
export type ShownStatus = CatalogueEntry['status'] | CatalogueFindingKind

/** Findings that say more than `complete`, the gravest first. */
const GRAVE: readonly CatalogueFindingKind[] = [
  'lost-parent',
  'parent-cycle',
  'folder-missing',
  'wal-missing',
  'wal-not-yet-archived',
  'metadata-unreadable',
]

/** All words that a status can be. */
export const SHOWN_STATUSES: readonly ShownStatus[] = ['complete', 'being-written', 'unfinished', 'sentinel-unreadable', ...GRAVE]

/** The status, or the gravest of the findings where there is one. */
export function shownStatus({ status, findings }: CatalogueEntry): ShownStatus {
  if (status !== 'complete') return status
  return GRAVE.find((kind) => findings.some((finding) => finding.kind === kind)) ?? 'complete'
}

/** Everything that the status is: several words where several things are wrong. */
export function allStatuses({ status, findings }: CatalogueEntry): readonly ShownStatus[] {
  const grave = GRAVE.filter((kind) => findings.some((finding) => finding.kind === kind))
  return status === 'complete' && grave.length > 0 ? grave : [status, ...grave]
}

/** Views of the entries, with their WAL where it was looked through. */
export function viewsOf(entries: readonly CatalogueEntry[], wal: CatalogueWal | undefined): readonly BackupView[] {
  return entries.map((entry) => ({ entry, wal: wal?.backups.get(entry) }))
}

/** The window of a backup along the newest timeline that it leads to: what a recovery to `latest` reaches. */
export function newestWindow(wal: BackupWal | undefined): RestorableWindow | undefined {
  return wal?.windows.at(-1)
}

/** RFC 3339 in UTC, whole seconds. */
export function timeText(time: Date | undefined): string | undefined {
  return time === undefined ? undefined : formatTimestamp({ ns: BigInt(time.getTime()) * 1_000_000n, offsetMinutes: 0 }, 'seconds')
}

/** How many steps it is from the full backup. */
export function depthOf({ increment }: CatalogueEntry): number {
  return increment?.depth ?? 0
}

/** `full`, `increment`, or undefined where no sentinel says. */
export function kindOf({ status, increment }: CatalogueEntry): 'full' | 'increment' | undefined {
  if (increment !== undefined) return 'increment'
  return status === 'complete' ? 'full' : undefined
}
