import { abortedFault } from '@waltz/errors'
import type { EntryQueue } from './entry-queue.ts'
import type { Observer, PushEvent } from './events.ts'
import { packPart, type PackOptions } from './pack-part.ts'
import type { Spool, SpoolFile } from './spool.ts'
import { storePart, type PartTarget, type StoredPart } from './store-part.ts'
import { formatMember, formatPart } from './stored-file.ts'

/** What the lanes need. */
export interface LaneOptions {
  readonly target: PartTarget
  readonly pack: Omit<PackOptions, 'onMember' | 'onShrunk' | 'signal'>
  /** Parts being packed at once. */
  readonly lanes: number
  /** Parts that are packed and still being stored, beyond which packing waits. */
  readonly uploadQueue: number
  readonly spool: Spool
  readonly observe: Observer<PushEvent>
}

/** What the lanes stored. */
export interface PushedParts {
  /** In the order of their numbers. */
  readonly parts: readonly StoredPart[]
  /** One list per lane: `P` texts name a part, the `M` texts behind it its members, in order. */
  readonly lists: readonly SpoolFile[]
  readonly files: number
  readonly corruptBlocks: number
}

/**
 * Packs and stores all entries of a queue. Every lane fills one part after the other; parts are numbered as they are
 * begun, the first `lanes` numbers belonging to the lanes, so numbers may have gaps, as they have with WAL-G (RF 1.4).
 * The first failure stops all lanes; their unfinished parts are not stored.
 */
export async function pushParts(queue: EntryQueue, options: LaneOptions): Promise<PushedParts> {
  const stop = new AbortController()
  const signal = AbortSignal.any([options.target.signal, stop.signal])
  const parts: (StoredPart & { readonly number: number })[] = []
  const totals = { files: 0, corruptBlocks: 0 }
  let lastNumber = options.lanes
  let nextLane = 0

  const runLane = async (list: SpoolFile): Promise<void> => {
    const storing = new Set<Promise<void>>()
    let number = ++nextLane
    try {
      while (queue.peek() !== undefined) {
        const part = packOnePart({ queue, options, list, number, totals, signal })
        const stored = part.stored.then((result) => void parts.push({ ...result, number }))
        const tracked: Promise<void> = stored.finally(() => storing.delete(tracked))
        storing.add(tracked)
        // A failure is awaited below; until then it must not count as unhandled.
        tracked.catch(() => undefined)
        await Promise.race([part.packed, tracked])
        while (storing.size > options.uploadQueue) await Promise.race(storing)
        number = ++lastNumber
      }
      await Promise.all(storing)
    } catch (error) {
      stop.abort(error)
      await Promise.allSettled(storing)
      throw error
    }
  }

  const lists = Array.from({ length: options.lanes }, () => options.spool.open())
  const results = await Promise.allSettled(lists.map((list) => runLane(list)))
  if (results.some((result) => result.status === 'rejected')) {
    for (const list of lists) list.close()
    throw firstFailure(results, options.target.signal, stop.signal)
  }
  return { parts: parts.sort((a, b) => a.number - b.number), lists, ...totals }
}

interface OnePart {
  readonly queue: EntryQueue
  readonly options: LaneOptions
  readonly list: SpoolFile
  readonly number: number
  readonly totals: { files: number; corruptBlocks: number }
  readonly signal: AbortSignal
}

function packOnePart(one: OnePart): { readonly packed: Promise<void>; readonly stored: Promise<StoredPart> } {
  const { options, list, totals } = one
  const name = options.target.format.nameFor(`part_${String(one.number).padStart(3, '0')}.tar`)
  let contentBytes = 0
  let packedAll!: () => void
  const packed = new Promise<void>((resolve) => (packedAll = resolve))
  options.observe({ type: 'part-started', part: name })
  list.append(formatPart(name))

  const source = packPart(one.queue, {
    ...options.pack,
    signal: one.signal,
    onMember(member, bytes) {
      contentBytes += bytes
      totals.files += 1
      list.append(formatMember(member))
      if (bytes > 0) options.observe({ type: 'read', bytes })
      if (member.corruptBlocks.length === 0) return
      totals.corruptBlocks += member.corruptBlocks.length
      options.observe({ type: 'corrupt-pages', path: member.name, blocks: member.corruptBlocks })
    },
    onShrunk: (path) => options.observe({ type: 'warning', message: `${path} became shorter while it was read; WAL replay will set it right` }),
  })
  const stored = storePart({ ...options.target, signal: one.signal }, { name, source: announceEnd(source, packedAll), contentBytes: () => contentBytes })
  return {
    packed,
    stored: stored.then((part) => {
      options.observe({ type: 'part-stored', part: name, storedBytes: part.storedBytes })
      return part
    }),
  }
}

/** Tells when the last byte was taken, so that the next part can begin while this one is still being made durable. */
async function* announceEnd(source: AsyncIterable<Uint8Array>, ended: () => void): AsyncGenerator<Uint8Array, void, undefined> {
  yield* source
  ended()
}

/** What went wrong first: the other lanes only fail because they were told to stop. */
function firstFailure(results: readonly PromiseSettledResult<void>[], outer: AbortSignal, inner: AbortSignal): unknown {
  if (outer.aborted) return abortedFault(outer)
  if (inner.aborted) return inner.reason
  return results.find((result) => result.status === 'rejected')?.reason
}
