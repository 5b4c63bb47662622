import { Fault } from '@waltz/errors'
import { parseTimestamp } from '@waltz/repository'
import type { CatalogueEntry } from '../catalogue/catalogue-entry.ts'
import { sentinelMomentOf } from '../catalogue/read-catalogue.ts'
import { interleaved, isFull, isUsable, olderThan, usableNames, type Choice, type ChoiceContext } from './choose.ts'
import type { RemovalWish } from './removal-request.ts'

/** `retain` (CMD 5.4). @throws Fault `conflict` `REMOVAL_TARGET_INCREMENTAL`; those of `markOf`. */
export function chooseRetain(context: ChoiceContext, wish: Extract<RemovalWish, { mode: 'retain' }>): Choice {
  const newest = usableNames(context)
  const [first] = newest
  const others = first === undefined ? new Set() : interleaved(context, first)
  // Of clusters that are backed up side by side only the newest's are counted: the others' would use up the number.
  const counted = newest.filter(({ systemIdentifier }) => systemIdentifier === undefined || !others.has(systemIdentifier))
  const byCount = retained(counted, wish)
  const byAfter = wish.after === undefined ? undefined : afterMark(context, newest, { after: wish.after, fulls: wish.fulls !== undefined })
  const target = olderOf(newest, byCount, byAfter)
  if (target === undefined)
    return nothing(`there are no more than ${wish.count} ${wish.fulls === 'FULL' ? 'full ' : ''}backups: nothing is too much`)
  return before(context, target, { findFull: wish.fulls !== undefined, byAge: false })
}

/** `before` (CMD 5.4). @throws Fault as `chooseRetain`. */
export function chooseBefore(context: ChoiceContext, wish: Extract<RemovalWish, { mode: 'before' }>): Choice {
  const newest = usableNames(context)
  const moment = momentOf(wish.what, context.now)
  const mark = moment === undefined ? namedMark(newest, wish.what) : newest.findLast(createAtOrAfter(context, moment))
  if (mark === undefined) return nothing(`no backup was stored at or after ${wish.what}: there is nothing to delete before`)
  const target = wish.findFull === true ? newest.slice(newest.indexOf(mark)).find(isFull) : mark
  if (target === undefined) return nothing(`there is no full backup at or before ${mark.name}`)
  return before(context, target, { findFull: wish.findFull === true, byAge: moment !== undefined })
}

function retained(
  newest: readonly CatalogueEntry[],
  { count, fulls }: Extract<RemovalWish, { mode: 'retain' }>,
): CatalogueEntry | undefined {
  if (fulls === 'FULL') return newest.filter(isFull)[count - 1]
  if (fulls === 'FIND_FULL') return newest.slice(count - 1).find(isFull)
  return newest[count - 1]
}

/** The oldest backup at or after what `--after` says. */
function afterMark(
  context: ChoiceContext,
  newest: readonly CatalogueEntry[],
  { after, fulls }: { readonly after: string; readonly fulls: boolean },
): CatalogueEntry | undefined {
  const moment = momentOf(after, undefined)
  const oldest = newest.toReversed()
  if (moment !== undefined) {
    const isAtOrAfter = createAtOrAfter(context, moment)
    return oldest.find((entry) => isAtOrAfter(entry) && (!fulls || isFull(entry)))
  }
  return oldest.slice(oldest.indexOf(namedMark(newest, after))).find((entry) => !fulls || isFull(entry))
}

function olderOf(newest: readonly CatalogueEntry[], ...marks: readonly (CatalogueEntry | undefined)[]): CatalogueEntry | undefined {
  const places = marks.flatMap((mark) => (mark === undefined ? [] : [newest.indexOf(mark)]))
  return places.length === 0 ? undefined : newest[Math.max(...places)]
}

function before(context: ChoiceContext, target: CatalogueEntry, options: { readonly findFull: boolean; readonly byAge: boolean }): Choice {
  if (!isFull(target)) throw incrementalFault(target, options)
  const walBefore = target.walFileName
  return { ...olderThan(context, target, options), walBefore, catchupsBefore: walBefore, target }
}

function nothing(why: string): Choice {
  return { remove: new Map(), walBefore: undefined, catchupsBefore: undefined, notes: [], nothing: why }
}

/** The backup of exactly this name, else the one that the beginning of a name means. @throws Fault `not-found`, or `conflict` for several. */
function namedMark(newest: readonly CatalogueEntry[], text: string): CatalogueEntry {
  const exact = newest.find(({ name }) => name === text)
  if (exact !== undefined) return exact
  // The empty text, such as that of a variable that is not set, is the beginning of every name.
  const matching = newest.filter(({ name }) => text !== '' && name.startsWith(text))
  const [first] = matching
  if (first === undefined) {
    throw new Fault('not-found', 'BACKUP_NOT_FOUND', `there is no backup named ${JSON.stringify(text)} to go by`, {
      hint: 'List the backups with `waltz backup-list`; unfinished and broken ones are no mark to delete by.',
    })
  }
  if (matching.length === 1) return first
  throw new Fault('conflict', 'BACKUP_AMBIGUOUS', `${matching.length} backups have names that begin with ${JSON.stringify(text)}`, {
    hint: 'Write the whole name.',
  })
}

/** A time with its zone in nanoseconds; undefined for what must be a name. @throws Fault `invalid` `REMOVAL_TIME_INVALID`. */
function momentOf(text: string, latest: Date | undefined): bigint | undefined {
  const time = parseTimestamp(text)
  if (time === undefined) {
    if (!/^\d{4}-\d{2}/.test(text)) return undefined
    throw new Fault('invalid', 'REMOVAL_TIME_INVALID', `${JSON.stringify(text)} is no time with a zone`, {
      hint: 'write it like 2026-03-01T02:10:44Z or 2026-03-01T02:10:44+01:00',
    })
  }
  if (latest !== undefined && time.ns > BigInt(latest.getTime()) * 1_000_000n) {
    throw new Fault(
      'invalid',
      'REMOVAL_TIME_INVALID',
      `${text} is in the future: that would be every backup that will ever be made until then`,
      {
        hint: 'choose a time in the past',
      },
    )
  }
  return time.ns
}

/** By the time that `backup-list` shows, which is the sentinel's, of any copy; or by the real start. */
function createAtOrAfter(context: ChoiceContext, moment: bigint): (entry: CatalogueEntry) => boolean {
  const names = new Set<string>()
  for (const entry of context.entries) {
    const own = context.byStartTime ? entry.startedAtNs : sentinelMomentOf(entry)
    if (own !== undefined && own >= moment && isUsable(entry, context)) names.add(entry.name)
  }
  return ({ name }) => names.has(name)
}

function incrementalFault({ name }: CatalogueEntry, { findFull }: { readonly findFull: boolean }): Fault {
  return new Fault(
    'conflict',
    'REMOVAL_TARGET_INCREMENTAL',
    `${name} is an increment: what is older cannot be deleted, because it depends on it`,
    {
      hint: findFull ? 'name a full backup' : 'with FIND_FULL the full backup that it begins with is taken instead',
      context: { backup: name },
    },
  )
}
