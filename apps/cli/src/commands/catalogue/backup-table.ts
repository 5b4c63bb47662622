import { createBackupChains, type BackupChains, type CatalogueEntry } from '@waltz/backup-kit'
import { formatLsn } from '@waltz/pg-structures'
import { formatBytes } from '../../format-amount.ts'
import { renderFramedTable, renderPlainTable } from '../../render-table.ts'
import { depthOf, kindOf, newestWindow, shownStatus, timeText, type BackupView } from './backup-view.ts'

/** How the extended list is shown. */
export interface ExtendedStyle {
  /** A frame, and sizes as people read them; otherwise words without spaces, and bytes. */
  readonly pretty: boolean
  /** Whether the archive was looked through, so that there are windows to show. */
  readonly wal: boolean
}

interface Column {
  readonly name: string
  readonly title: string
  readonly align?: 'right'
  readonly cell: (view: BackupView, pretty: boolean) => string
}

const NONE = '-'

const columns: readonly Column[] = [
  { name: 'backup_name', title: 'Backup name', cell: ({ entry }) => entry.name },
  { name: 'start_time', title: 'Start time', cell: ({ entry }) => timeText(entry.startedAt) ?? NONE },
  { name: 'finish_time', title: 'Finish time', cell: ({ entry }) => timeText(entry.finishedAt) ?? NONE },
  { name: 'status', title: 'Status', cell: ({ entry }) => shownStatus(entry) },
  { name: 'type', title: 'Type', cell: ({ entry }) => kindOf(entry) ?? NONE },
  { name: 'depth', title: 'Depth', align: 'right', cell: ({ entry }) => String(depthOf(entry)) },
  { name: 'stored', title: 'Stored', align: 'right', cell: ({ entry }, pretty) => bytesText(entry.folder?.bytes, pretty) },
  { name: 'restored', title: 'Restored', align: 'right', cell: ({ entry }, pretty) => bytesText(entry.restoredBytes, pretty) },
  { name: 'pg_version', title: 'PG version', align: 'right', cell: ({ entry }) => String(entry.serverVersion ?? NONE) },
  { name: 'permanent', title: 'Permanent', cell: ({ entry }) => String(entry.permanent) },
  { name: 'storage_name', title: 'Storage name', cell: ({ entry }) => entry.storage },
]

const parentColumn: Column = { name: 'parent', title: 'Parent', cell: ({ entry }) => entry.increment?.parent ?? NONE }

const windowColumns: readonly Column[] = [
  {
    name: 'window_timeline',
    title: 'Up to timeline',
    align: 'right',
    cell: ({ wal }) => String(newestWindow(wal)?.timeline ?? NONE),
  },
  {
    name: 'window_lsn',
    title: 'Up to LSN',
    cell: ({ wal }) => {
      const window = newestWindow(wal)
      return window === undefined ? NONE : formatLsn(window.untilLsn)
    },
  },
  { name: 'window_time', title: 'Up to time', cell: ({ wal }) => timeText(newestWindow(wal)?.untilTime) ?? NONE },
]

/** Sizes, chains and states of backups as columns, or as a framed table. */
export function renderExtendedTable(views: readonly BackupView[], { pretty, wal }: ExtendedStyle): string {
  return render([...columns, parentColumn, ...(wal ? windowColumns : [])], views, { pretty, nameOf: ({ entry }) => entry.name })
}

function render(
  shown: readonly Column[],
  views: readonly BackupView[],
  { pretty, nameOf }: { readonly pretty: boolean; readonly nameOf: (view: BackupView) => string },
): string {
  const rows = views.map((view) => shown.map((column, index) => (index === 0 ? nameOf(view) : column.cell(view, pretty))))
  if (!pretty)
    return renderPlainTable(
      shown.map(({ name }) => name),
      rows,
    )
  return renderFramedTable(shown, rows)
}

function bytesText(bytes: number | undefined, pretty: boolean): string {
  if (bytes === undefined) return NONE
  return pretty ? formatBytes(bytes) : String(bytes)
}

/** A backup and what was made from it, in the order of the list. */
export interface BackupTree {
  readonly view: BackupView
  readonly increments: readonly BackupTree[]
}

/**
 * The views as trees: fulls, and increments whose parent is not among the views, are roots. No one is left out: of a circle the first is
 * the root.
 */
export function treesOf(views: readonly BackupView[]): readonly BackupTree[] {
  const chains = createBackupChains(views.map(({ entry }) => entry))
  const byEntry = new Map(views.map((view) => [view.entry, view]))
  const placed = new Set<CatalogueEntry>()
  const grow = (view: BackupView): BackupTree => {
    placed.add(view.entry)
    const children = chains.childrenOf(view.entry).filter((child) => !placed.has(child))
    return { view, increments: inOrderOf(views, children).map((child) => grow(byEntry.get(child) as BackupView)) }
  }
  const roots = views.filter(({ entry }) => chains.parentOf(entry) === undefined).map(grow)
  const circles = views.flatMap((view) => (placed.has(view.entry) ? [] : [grow(view)]))
  return [...roots, ...circles]
}

function inOrderOf(views: readonly BackupView[], entries: readonly CatalogueEntry[]): readonly CatalogueEntry[] {
  if (entries.length < 2) return entries
  const wanted = new Set(entries)
  return views.flatMap(({ entry }) => (wanted.has(entry) ? [entry] : []))
}

/** Chains as trees, one line for each backup. */
export function renderTree(trees: readonly BackupTree[], { pretty, wal }: ExtendedStyle): string {
  const names = new Map<BackupView, string>()
  const rows: BackupView[] = []
  const walk = (tree: BackupTree, before: string, branch: string): void => {
    names.set(tree.view, before + branch + tree.view.entry.name)
    rows.push(tree.view)
    const below = before + (branch === '' ? '' : branch === '└─ ' ? '   ' : '│  ')
    for (const [index, child] of tree.increments.entries()) walk(child, below, index === tree.increments.length - 1 ? '└─ ' : '├─ ')
  }
  for (const tree of trees) walk(tree, '', '')
  return render([...columns, ...(wal ? windowColumns : [])], rows, { pretty, nameOf: (view) => names.get(view) ?? '' })
}

/** The entries, and the ancestors that they hang on in a tree. */
export function withAncestors(entries: readonly CatalogueEntry[], chains: BackupChains): ReadonlySet<CatalogueEntry> {
  return new Set(entries.flatMap((entry) => [entry, ...chains.ancestorsOf(entry)]))
}
