import { abortedFault, throwIfAborted } from '@waltz/errors'
import { partName } from '@waltz/repository'
import type { ClusterEntry } from './cluster-entry.ts'
import { beginningWith, type EntryQueue } from './entry-queue.ts'
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
  /** Parts of all lanes that are packed and still being stored, beyond which packing waits. */
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
 * @throws what went wrong first, in whichever lane.
 */
export async function pushParts(queue: EntryQueue, options: LaneOptions): Promise<PushedParts> {
  const outer = options.target.signal
  const stop = new AbortController()
  const run: Run = {
    queue,
    options,
    signal: AbortSignal.any([outer, stop.signal]),
    totals: { files: 0, corruptBlocks: 0 },
    parts: [],
    storing: new Set(),
    lastNumber: options.lanes,
    // Whatever fails after it only fails because it was told to stop.
    fail: (error) => stop.abort(outer.aborted ? abortedFault(outer) : error),
  }
  const lists = openLists(options)
  await Promise.all(lists.map((list, index) => runLane(run, list, index + 1).catch(run.fail)))
  await Promise.allSettled(run.storing)
  if (run.signal.aborted) {
    for (const list of lists) list.close()
    throw outer.aborted && !stop.signal.aborted ? abortedFault(outer) : stop.signal.reason
  }
  return { parts: run.parts.sort((a, b) => a.number - b.number), lists, ...run.totals }
}

/** What the lanes share. */
interface Run {
  readonly queue: EntryQueue
  readonly options: LaneOptions
  readonly signal: AbortSignal
  readonly totals: { files: number; corruptBlocks: number }
  readonly parts: (StoredPart & { readonly number: number })[]
  /** Parts whose last byte was taken, and which are not durable yet. */
  readonly storing: Set<Promise<void>>
  lastNumber: number
  readonly fail: (error: unknown) => void
}

function openLists({ spool, lanes }: LaneOptions): readonly SpoolFile[] {
  const lists: SpoolFile[] = []
  try {
    while (lists.length < lanes) lists.push(spool.open())
    return lists
  } catch (error) {
    for (const list of lists) list.close()
    throw error
  }
}

async function runLane(run: Run, list: SpoolFile, firstNumber: number): Promise<void> {
  const { queue, options, storing } = run
  let next = firstNumber
  // Taken before the part begins: another lane may take the last one meanwhile, and nobody needs an empty part.
  for (let first = queue.take(); first !== undefined; first = queue.take()) {
    const number = next
    const part = packOnePart(run, list, { number, first })
    const stored: Promise<void> = part.stored.then((result) => void run.parts.push({ ...result, number }))
    stored.catch(run.fail)
    await Promise.race([part.packed, stored])
    const tracked = stored.finally(() => storing.delete(tracked)).catch(() => undefined)
    storing.add(tracked)
    while (storing.size > options.uploadQueue) await Promise.race(storing)
    throwIfAborted(run.signal)
    next = run.lastNumber += 1
  }
}

function packOnePart(
  { queue, options, totals, signal }: Run,
  list: SpoolFile,
  { number, first }: { readonly number: number; readonly first: ClusterEntry },
): { readonly packed: Promise<void>; readonly stored: Promise<StoredPart> } {
  const name = options.target.format.nameFor(partName(number))
  let contentBytes = 0
  let packedAll!: () => void
  const packed = new Promise<void>((resolve) => (packedAll = resolve))
  options.observe({ type: 'part-started', part: name })
  list.append(formatPart(name))

  const source = packPart(beginningWith(first, queue), {
    ...options.pack,
    signal,
    onMember(member, bytes) {
      contentBytes += bytes
      totals.files += 1
      list.append(formatMember(member))
      if (member.corruptBlocks.length === 0) return
      totals.corruptBlocks += member.corruptBlocks.length
      options.observe({ type: 'corrupt-pages', path: member.name, blocks: member.corruptBlocks })
    },
    onShrunk: (path) =>
      options.observe({ type: 'warning', message: `${path} became shorter while it was read; WAL replay will set it right` }),
  })
  const stored = storePart(
    { ...options.target, signal },
    { name, source: announce(source, options.observe, packedAll), contentBytes: () => contentBytes },
  )
  return {
    packed,
    stored: stored.then((part) => {
      options.observe({ type: 'part-stored', part: name, storedBytes: part.storedBytes })
      return part
    }),
  }
}

/** Tells of every chunk, and when the last one was taken, so that the next part can begin while this one is made durable. */
async function* announce(
  source: AsyncIterable<Uint8Array>,
  observe: LaneOptions['observe'],
  ended: () => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of source) {
    observe({ type: 'read', bytes: chunk.length })
    yield chunk
  }
  ended()
}
