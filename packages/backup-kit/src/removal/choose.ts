import { Fault } from '@waltz/errors'
import { parseBackupName } from '@waltz/repository'
import { createBackupChains, type BackupChains } from '../catalogue/backup-chains.ts'
import type { CatalogueEntry } from '../catalogue/catalogue-entry.ts'
import { idOf, mayBePermanent } from './retainable-backups.ts'

/** What a wish comes to: which backups are asked to go, and how far WAL and backups for standbys may go with them. */
export interface Choice {
  /** Why, by the id of the backup. The planner decides what of it may really go. */
  readonly remove: ReadonlyMap<string, string>
  readonly evenPermanent?: boolean | undefined
  readonly evenNewest?: boolean | undefined
  /** See `WalScope.before`; undefined leaves WAL alone. */
  readonly walBefore: string | undefined
  readonly catchupsBefore: string | undefined
  /** What belongs to the repository and to no backup goes, too: histories, the record of the cluster. */
  readonly wholeRepository?: boolean
  /** The backup that everything older than goes, where there is one. */
  readonly target?: CatalogueEntry
  /** What somebody should know. */
  readonly notes: readonly string[]
  /** Why nothing is to be done at all. */
  readonly nothing?: string
}

/** What is chosen from. */
export interface ChoiceContext {
  /** By their real start, newest first. */
  readonly entries: readonly CatalogueEntry[]
  readonly chains: BackupChains
  readonly now: Date
  /** Stored after the plan that is being repeated: they stay, and do not count. */
  readonly arrivedLater: ReadonlySet<CatalogueEntry>
  /** Times mean starts of backups. */
  readonly byStartTime: boolean
}

/** Prepares a choice. */
export function choiceContext(
  newestFirst: readonly CatalogueEntry[],
  options: Pick<ChoiceContext, 'now' | 'arrivedLater' | 'byStartTime'>,
): ChoiceContext {
  return { entries: newestFirst, chains: createBackupChains(newestFirst), ...options }
}

const UNUSABLE: ReadonlySet<string> = new Set(['lost-parent', 'parent-cycle', 'folder-missing', 'in-the-future'])

/** Whether a backup is one that can be restored as far as the catalogue tells: only such count, and only such are a mark to go by. */
export function isUsable(entry: CatalogueEntry, { arrivedLater, now }: Pick<ChoiceContext, 'arrivedLater' | 'now'>): boolean {
  if (entry.status !== 'complete' || arrivedLater.has(entry) || parseBackupName(entry.name) === undefined) return false
  if (entry.startedAt !== undefined && entry.startedAt > now) return false
  return !entry.findings.some(({ kind }) => UNUSABLE.has(kind))
}

/** Usable backups by name, newest first: copies in several storages count once, where the newest of them stands. */
export function usableNames(context: ChoiceContext): readonly CatalogueEntry[] {
  const seen = new Set<string>()
  return context.entries.filter((entry) => {
    if (!isUsable(entry, context) || seen.has(entry.name)) return false
    seen.add(entry.name)
    return true
  })
}

/** Whether a backup depends on no other. */
export const isFull = (entry: CatalogueEntry): boolean => entry.increment === undefined

/** All that is older than a backup, with remains of attempts that began before it. */
export function olderThan(
  context: ChoiceContext,
  target: CatalogueEntry,
  { byAge }: { readonly byAge: boolean },
): Pick<Choice, 'remove' | 'notes'> {
  const others = interleaved(context, target)
  const older = olderNames(context.entries, target)
  const remove = new Map<string, string>()
  const notes: string[] = []
  for (const entry of context.entries) {
    if (context.arrivedLater.has(entry)) continue
    if (entry.status === 'unfinished' && entry.walFileName < target.walFileName)
      remove.set(idOf(entry), `what is left of an attempt before ${target.name}`)
    if (entry.status !== 'complete' || !older.has(entry.name)) continue
    const why = isAheadOf(entry, target)
      ? `it began before ${target.name} by the clock, and after it in the log: a clock was wrong`
      : reasonToLeave(entry, others, byAge)
    if (why === undefined) remove.set(idOf(entry), `older than ${target.name}`)
    else notes.push(`${idOf(entry)} is left alone: ${why}`)
  }
  return unpinned(context, { remove, notes })
}

/** Names of which no copy stands before the target's. */
function olderNames(newestFirst: readonly CatalogueEntry[], target: CatalogueEntry): ReadonlySet<string> {
  const older = new Set<string>()
  const seen = new Set<string>()
  for (const { name, status } of newestFirst) {
    if (status !== 'complete' || seen.has(name)) continue
    if (seen.has(target.name)) older.add(name)
    seen.add(name)
  }
  return older
}

function reasonToLeave(entry: CatalogueEntry, others: ReadonlySet<bigint>, byAge: boolean): string | undefined {
  if (parseBackupName(entry.name) === undefined) return 'its name is not that of a backup of PostgreSQL'
  if (entry.systemIdentifier !== undefined && others.has(entry.systemIdentifier))
    return 'it is of another system identifier, whose backups are not all older; `delete target` removes it'
  // WAL-E and old releases wrote none. Nothing that is not known of it may make it old.
  if (byAge && entry.startedAt === undefined) return 'nothing says when it began, so it is not removed by its age; name a backup instead'
  return undefined
}

/** Whether the log says that a backup is newer, whatever its start says: on one timeline of one cluster nothing else is possible. */
function isAheadOf({ systemIdentifier, timeline, startLsn }: CatalogueEntry, target: CatalogueEntry): boolean {
  if (systemIdentifier === undefined || systemIdentifier !== target.systemIdentifier || timeline !== target.timeline) return false
  return startLsn !== undefined && target.startLsn !== undefined && startLsn > target.startLsn
}

/** Systems that were backed up at the same time as the target's: their backups lie here beside those, not before them. */
export function interleaved({ entries }: ChoiceContext, target: CatalogueEntry): ReadonlySet<bigint> {
  const own = target.systemIdentifier
  if (own === undefined) return new Set()
  const finished = entries.filter(({ status }) => status === 'complete')
  const oldestOfOwn = finished.findLastIndex(({ systemIdentifier }) => systemIdentifier === own)
  const others = new Set<bigint>()
  for (const [rank, { systemIdentifier }] of finished.entries())
    if (systemIdentifier !== undefined && systemIdentifier !== own && rank < oldestOfOwn) others.add(systemIdentifier)
  return others
}

/**
 * Takes back what something may depend on that does not say what: a backup being written, or one whose sentinel cannot be read, tells its
 * parent only by the segment in its name.
 */
export function unpinned(context: ChoiceContext, { remove, notes }: Pick<Choice, 'remove' | 'notes'>): Pick<Choice, 'remove' | 'notes'> {
  const left = new Map(remove)
  const more: string[] = []
  for (const { entry, by } of pinnedEntries(context)) {
    for (const one of [entry, ...context.chains.ancestorsOf(entry)])
      if (left.delete(idOf(one))) more.push(`${idOf(one)} is left alone: ${idOf(by)} may depend on it, which ${whyUnknown(by)}`)
  }
  return { remove: left, notes: [...notes, ...more] }
}

/** What backups that cannot say so may depend on. */
export function pinnedEntries({ entries }: ChoiceContext): readonly { readonly entry: CatalogueEntry; readonly by: CatalogueEntry }[] {
  return entries.flatMap((by) => {
    if (by.status !== 'being-written' && by.status !== 'sentinel-unreadable') return []
    const segment = parseBackupName(by.name)?.parentSegment
    if (segment === undefined) return []
    return entries
      .filter((entry) => entry !== by && entry.storage === by.storage && entry.walFileName === segment && entry.sentinel !== undefined)
      .map((entry) => ({ entry, by }))
  })
}

function whyUnknown({ status }: CatalogueEntry): string {
  return status === 'being-written' ? 'is being written' : 'has a sentinel that cannot be read'
}

/** The fault for permanent backups that would go. */
export function permanentFault(entries: readonly CatalogueEntry[], hint: string): Fault {
  const names = entries.filter(mayBePermanent).map(idOf)
  return new Fault(
    'conflict',
    'REMOVAL_PERMANENT',
    `permanent backups would be deleted: ${names.slice(0, 10).join(', ')}${names.length > 10 ? ' ...' : ''}`,
    {
      hint,
      context: { permanent: names.length },
    },
  )
}
