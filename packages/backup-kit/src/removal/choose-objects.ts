import { Fault } from '@waltz/errors'
import { jsonEquals, parseBackupName } from '@waltz/repository'
import type { CatalogueEntry } from '../catalogue/catalogue-entry.ts'
import { sentinelMomentOf } from '../catalogue/read-catalogue.ts'
import { permanentFault, pinnedEntries, unpinned, usableNames, type Choice, type ChoiceContext } from './choose.ts'
import type { RemovalWish } from './removal-request.ts'
import { idOf, mayBePermanent } from './retainable-backups.ts'

/** `everything` (CMD 5.4). @throws Fault `conflict` `REMOVAL_PERMANENT` for permanent backups without `force`. */
export function chooseEverything(
  { entries, arrivedLater }: ChoiceContext,
  { force = false }: Extract<RemovalWish, { mode: 'everything' }>,
): Choice {
  const present = entries.filter((entry) => !arrivedLater.has(entry) && parseBackupName(entry.name) !== undefined)
  if (!force && present.some(mayBePermanent))
    throw permanentFault(present, 'FORCE deletes them as well; `waltz backup-mark --impermanent` makes them like others')
  return {
    remove: new Map(present.map((entry) => [idOf(entry), 'everything goes'])),
    evenPermanent: force,
    evenNewest: true,
    walBefore: 'all',
    catchupsBefore: 'all',
    wholeRepository: true,
    notes: [],
  }
}

/** `target` (CMD 5.4). @throws Fault `not-found`, `conflict` for several, for permanent ones, and for one that is in use. */
export function chooseTarget(context: ChoiceContext, wish: Extract<RemovalWish, { mode: 'target' }>): Choice {
  const { chains } = context
  const name = targetName(context, wish)
  const copies = context.entries.filter((entry) => entry.name === name && entry.sentinel !== undefined && !context.arrivedLater.has(entry))
  const roots = wish.findFull === true ? copies.map((entry) => chains.ancestorsOf(entry).at(-1) ?? entry) : copies
  const chosen = new Map<CatalogueEntry, string>()
  for (const root of roots) {
    chosen.set(root, root.name === name ? 'it was asked for' : `the full backup of ${name}`)
    for (const entry of chains.descendantsOf(root)) chosen.set(entry, `it depends on ${root.name}`)
  }
  const all = [...chosen.keys()]
  if (all.some(mayBePermanent)) throw permanentFault(all, 'make them like others with `waltz backup-mark --impermanent` first')
  const inUse = pinnedEntries(context).find(({ entry }) => chosen.has(entry))
  if (inUse !== undefined) throw inUseFault(inUse.entry, inUse.by)
  return {
    remove: new Map(all.map((entry) => [idOf(entry), chosen.get(entry) ?? ''])),
    evenNewest: true,
    walBefore: undefined,
    catchupsBefore: undefined,
    notes: [],
  }
}

function targetName({ entries, arrivedLater }: ChoiceContext, { name, userData }: Extract<RemovalWish, { mode: 'target' }>): string {
  const present = entries.filter(
    (entry) => entry.sentinel !== undefined && !arrivedLater.has(entry) && parseBackupName(entry.name) !== undefined,
  )
  const matching = name === undefined ? withUserData(present, userData) : present.filter((entry) => entry.name === name)
  const names = new Set(name === 'LATEST' ? latestOf(present) : matching.map((entry) => entry.name))
  const [first] = names
  if (first === undefined) {
    const what = name === undefined ? 'with this user data' : name === 'LATEST' ? 'at all' : `named ${JSON.stringify(name)}`
    throw new Fault('not-found', 'BACKUP_NOT_FOUND', `there is no backup ${what}`, { hint: 'List the backups with `waltz backup-list`.' })
  }
  if (names.size === 1) return first
  throw new Fault('conflict', 'BACKUP_AMBIGUOUS', `${names.size} backups have this user data: ${[...names].join(', ')}`, {
    hint: 'Choose one of them by its name.',
  })
}

function withUserData(present: readonly CatalogueEntry[], userData: unknown): readonly CatalogueEntry[] {
  const exact = present.filter((entry) => jsonEquals(entry.userData ?? null, userData, { numbers: 'exact' }))
  return exact.length > 0 ? exact : present.filter((entry) => jsonEquals(entry.userData ?? null, userData, { numbers: 'double' }))
}

/** The one with the newest sentinel, as everywhere (CMD 2.3). */
function latestOf(present: readonly CatalogueEntry[]): readonly string[] {
  const moments = present.map((entry) => ({ name: entry.name, moment: sentinelMomentOf(entry) ?? 0n }))
  const latest = moments.reduce<(typeof moments)[number] | undefined>(
    (best, one) => (best === undefined || one.moment > best.moment ? one : best),
    undefined,
  )
  return latest === undefined ? [] : [latest.name]
}

/** `garbage` (CMD 5.4): all finished backups stay. */
export function chooseGarbage(context: ChoiceContext, wish: Extract<RemovalWish, { mode: 'garbage' }>): Choice {
  const oldest = usableNames(context).findLast((entry) => !mayBePermanent(entry))
  if (oldest === undefined && wish.withoutBackupCheck !== true) return noMark
  const limit = oldest?.walFileName ?? 'all'
  return {
    ...unpinned(context, { remove: garbageOf(context, { limit, folders: wish.area !== 'ARCHIVES' }), notes: [] }),
    walBefore: wish.area === 'BACKUPS' ? undefined : limit,
    catchupsBefore: wish.area === undefined ? limit : undefined,
    ...(oldest !== undefined && { target: oldest }),
  }
}

const noMark: Choice = {
  remove: new Map(),
  walBefore: undefined,
  catchupsBefore: undefined,
  notes: [],
  nothing:
    'there is no backup that is not permanent, so nothing says what is garbage; --without-backup-check deletes all WAL before the newest permanent backup that none needs',
}

function garbageOf(
  { entries, arrivedLater }: ChoiceContext,
  { limit, folders }: { readonly limit: string; readonly folders: boolean },
): ReadonlyMap<string, string> {
  const remove = new Map<string, string>()
  for (const entry of entries) {
    if (arrivedLater.has(entry)) continue
    if (entry.status === 'unfinished' && folders) remove.set(idOf(entry), 'what is left of an attempt that was not finished')
    // A permanent backup in front keeps the WAL that it needs itself, not all that followed: it is asked to go, and stays.
    if (mayBePermanent(entry) && (limit === 'all' || entry.walFileName < limit)) remove.set(idOf(entry), 'it is before the others')
  }
  return remove
}

function inUseFault(entry: CatalogueEntry, by: CatalogueEntry): Fault {
  return new Fault(
    'conflict',
    'REMOVAL_IN_USE',
    `${idOf(entry)} may be what ${idOf(by)} is made from, which is ${by.status === 'being-written' ? 'being written' : 'damaged'}`,
    {
      hint: by.status === 'being-written' ? 'wait until it is finished' : `delete ${by.name} first`,
      context: { backup: entry.name },
    },
  )
}
