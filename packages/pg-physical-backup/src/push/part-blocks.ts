import { createBlockPool, giveBack, lendBytes, type BlockPool } from '@waltz/bytes'
import { encodeTarHeader, writeTarHeader, type TarEntry } from '@waltz/tar'

/** Blocks of a part that may wait for their content while those before them are used. */
const BLOCKS_AHEAD = 2

/** The block of a part that is being assembled, and those that are full and wait to be yielded. */
export interface PartBlocks {
  /** Room in the current block, at least one byte. */
  room(): { readonly block: Uint8Array; readonly used: number; readonly room: number }
  /**
   * Takes `count` bytes of the room, which are filled now, or will be when `filling` is fulfilled: no block is yielded before it
   * is whole, and what makes `filling` fail is thrown in its place.
   */
  advance(count: number, filling?: Promise<void>): void
  bytes(bytes: Uint8Array): void
  zeros(count: number): void
  header(entry: TarEntry): void
  /** The full blocks but those that may still wait; none do before the first were taken. */
  full(): AsyncGenerator<Uint8Array, void, undefined>
  /** All there is, and the last, shorter block. */
  rest(): AsyncGenerator<Uint8Array, void, undefined>
  /** Runs `work` when these reads have come to an end, good or bad. */
  afterReads(reads: readonly Promise<void>[], work: () => Promise<void>): void
  /** When nothing writes into a block any more, and all work for afterwards is done. Never rejects. */
  settled(): Promise<void>
}

interface Block {
  readonly bytes: Uint8Array
  readonly filling: Promise<void>[]
}

/** Blocks of `blockBytes` bytes, lent from a pool that several parts may share. No I/O. */
export function createPartBlocks(blockBytes: number, pool: BlockPool = createBlockPool(blockBytes)): PartBlocks {
  const underWay = createUnderWay()
  const waiting: Block[] = []
  let current: Block = { bytes: pool.take(), filling: [] }
  let used = 0
  let yielded = 0

  const room: PartBlocks['room'] = () => ({ block: current.bytes, used, room: blockBytes - used })
  const advance: PartBlocks['advance'] = (count, filling) => {
    if (filling !== undefined) {
      underWay.track(filling)
      current.filling.push(filling)
    }
    used += count
    if (used < blockBytes) return
    waiting.push(current)
    current = { bytes: pool.take(), filling: [] }
    used = 0
  }
  const takeUntil = async function* (left: number): AsyncGenerator<Uint8Array, void, undefined> {
    while (waiting.length > left) {
      const block = waiting.shift() as Block
      for (const filling of block.filling) await filling
      yielded += 1
      yield block.bytes
    }
  }
  return {
    room,
    advance,
    ...fillNow({ room, advance }),
    full: () => takeUntil(Math.min(BLOCKS_AHEAD, yielded)),
    async *rest() {
      yield* takeUntil(0)
      for (const filling of current.filling) await filling
      const last = current.bytes
      if (used > 0) yield lendBytes(last.subarray(0, used), () => giveBack(last))
    },
    afterReads: (ended, work) => underWay.track(Promise.allSettled(ended).then(work)),
    settled: () => underWay.settled(),
  }
}

/** What is there already when it goes into the blocks. */
function fillNow({ room, advance }: Pick<PartBlocks, 'room' | 'advance'>): Pick<PartBlocks, 'bytes' | 'zeros' | 'header'> {
  const bytes = (source: Uint8Array): void => {
    for (let at = 0; at < source.length;) {
      const { block, used, room: left } = room()
      const count = Math.min(left, source.length - at)
      block.set(source.subarray(at, at + count), used)
      at += count
      advance(count)
    }
  }
  return {
    bytes,
    zeros(count) {
      for (let left = count; left > 0;) {
        const { block, used, room: most } = room()
        const part = Math.min(most, left)
        block.fill(0, used, used + part)
        left -= part
        advance(part)
      }
    },
    header(entry) {
      const { block, used, room: left } = room()
      const written = left >= 512 ? writeTarHeader(entry, block, used) : 0
      if (written > 0) advance(written)
      else bytes(encodeTarHeader(entry))
    },
  }
}

/** Work that is under way. */
interface UnderWay {
  track(work: Promise<unknown>): void
  settled(): Promise<void>
}

function createUnderWay(): UnderWay {
  const running = new Set<Promise<unknown>>()
  return {
    track(work) {
      const done = (): void => void running.delete(tracked)
      const tracked: Promise<unknown> = work.then(done, done)
      running.add(tracked)
    },
    async settled() {
      while (running.size > 0) await Promise.all(running)
    },
  }
}
