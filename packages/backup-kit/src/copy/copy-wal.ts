import { Fault, throwIfAborted } from '@waltz/errors'
import { walFolder } from '@waltz/repository'
import { atOnce, isSealedKey } from '@waltz/repository/rotation'
import { objectExists } from '@waltz/storage/tools'
import type { ObjectInfo } from '@waltz/storage'
import type { ChosenBackup } from './choose-backups.ts'
import { createTally, faultOf, type CopyContext, type CopyTally } from './copy-context.ts'
import type { CopyFailure, CopyResult, MissingWal } from './copy-options.ts'
import { copyPlain } from './copy-plain.ts'
import { copySealed } from './copy-sealed.ts'
import { joinListings, type JoinedObject } from './joined-listing.ts'
import { routedKey } from './stored-route.ts'
import { findWalGaps, historyObjects, regionObjects, regionsOf, type WalRegion } from './wal-listing.ts'
import { walSpansOf } from './wal-spans.ts'

/** What of the archive is copied. */
export interface WalPlan {
  readonly regions: readonly WalRegion[]
  readonly missing: readonly MissingWal[]
}

/**
 * Finds the WAL that belongs to the backups, and checks by listing that nothing of it is missing.
 * @throws Fault `conflict` `COPY_WAL_MISSING`, unless missing WAL is only to be reported.
 */
export async function planWal(context: CopyContext, backups: readonly ChosenBackup[]): Promise<WalPlan> {
  const { options, from, call } = context
  const { spans, unplaced } = walSpansOf(backups, options.segmentBytes)
  for (const name of unplaced) context.warn(`it is not known which WAL ${name} needs: its sentinel has no position, or its name no segment`)
  const regions = regionsOf(spans, options.withHistory === true)
  const gaps = await findWalGaps(from, { spans, regions, extensions: options.from.format.extensions }, call)
  if (gaps.segments === 0) return { regions, missing: [] }
  const [first] = gaps.runs
  const text = `${gaps.segments} segments of WAL are not in the source, ${first?.first ?? ''} to ${first?.last ?? ''} first`
  if (options.missingWal !== 'report')
    throw new Fault('conflict', 'COPY_WAL_MISSING', `${text}; nothing was copied`, {
      hint: 'A copy without them would not be better than the source. Archive them, choose other backups, or copy what there is with --allow-missing-wal.',
      context: { first: first?.first ?? '', last: first?.last ?? '', segments: gaps.segments },
    })
  context.warn(text)
  return { regions, missing: gaps.runs }
}

/** Copies WAL and all histories. The first failure stops it when all that is under way has ended. */
export async function copyWal(
  context: CopyContext,
  { regions }: WalPlan,
): Promise<{ readonly wal: CopyResult['wal']; readonly failures: readonly CopyFailure[] }> {
  const tally = createTally(context)
  const failures: CopyFailure[] = []
  const copy = async (pair: JoinedObject): Promise<void> => {
    throwIfAborted(context.call.signal)
    const key = routedKey(context.route, pair.source.key)
    try {
      await copyOne(context, pair, tally)
    } catch (error) {
      throwIfAborted(context.call.signal)
      const fault = faultOf(error, key)
      failures.push({ name: 'WAL', key, fault })
      context.report({ type: 'failed', name: 'WAL', key, fault })
      throw fault
    }
  }
  try {
    await atOnce(historiesToCopy(context), context.lanes, copy)
    for (const region of regions) await atOnce(regionToCopy(context, region), context.lanes, copy)
  } catch (error) {
    throwIfAborted(context.call.signal)
    if (failures.length === 0) throw error
  }
  return { wal: { sent: tally.sent, present: tally.present }, failures }
}

async function copyOne(context: CopyContext, { source, there }: JoinedObject, tally: CopyTally): Promise<void> {
  const { route } = context
  const key = routedKey(route, source.key)
  const job = { source, key, there, trusted: false }
  const copied = await (route.changes && isSealedKey(source.key) ? copySealed : copyPlain)(context, job)
  tally.done(key, copied.outcome, copied.size)
}

/** Names may change on the way, and with them the order: then each object asks for its own counterpart. */
function regionToCopy(context: CopyContext, region: WalRegion): AsyncIterable<JoinedObject> {
  const { from, to, call, route } = context
  const source = regionObjects(from, region, call)
  return route.recompresses ? askedFor(context, source) : joinListings(source, regionObjects(to, region, call))
}

function historiesToCopy(context: CopyContext): AsyncIterable<JoinedObject> {
  return askedFor(context, historyObjects(context.from, context.call))
}

async function* askedFor(
  { to, call, route }: CopyContext,
  source: AsyncIterable<ObjectInfo>,
): AsyncGenerator<JoinedObject, void, undefined> {
  const isEmpty = await hasNothing(to, call)
  for await (const info of source)
    yield { source: info, there: isEmpty ? undefined : await objectExists(to, routedKey(route, info.key), call) }
}

/** Then nothing needs to be asked for; what comes meanwhile is noticed when it is in the way. */
async function hasNothing(store: CopyContext['to'], call: CopyContext['call']): Promise<boolean> {
  for await (const _ of store.list(walFolder, call)) return false
  return true
}
