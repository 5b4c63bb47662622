import { concatBytes, createBlockPool, giveBack, type ByteSource } from '@waltz/bytes'
import { breathing } from './breathing.ts'

/** How a stage takes its input apart: into units whose length is known from their first bytes. */
export interface UnitShape {
  /** How many bytes of a unit `unitBytes` looks at. */
  readonly headBytes: number
  /** The longest unit. */
  readonly maxBytes: number
  /** The length of the unit that begins with `head`, which has `headBytes` bytes or more; may throw. Left out: always `maxBytes`. */
  unitBytes?(head: Uint8Array): number
  /** A whole unit is kept back until another byte shows that it is not the last. */
  readonly keepsLast?: boolean
}

/** What a stage does with the units. Results are written into memory of the stage and never overlap with the unit. */
export interface UnitWork {
  /** Written before everything else. */
  readonly preamble?: Uint8Array
  /** The longest result of one unit. */
  readonly maxResultBytes: number
  /** Works on one whole unit and writes its result into `block` from `at` on; returns its length. */
  unit(unit: Uint8Array, block: Uint8Array, at: number): number
  /** What is left when the input ended: fewer bytes than a unit has, or the unit that was kept back. Returns the last result. */
  end(rest: Uint8Array): Uint8Array
  /** Always called once, at the end or earlier. */
  close?(): void
}

/** Cuts chunks of any length into units without copying those that lie within one chunk. */
export interface UnitCutter {
  push(chunk: Uint8Array): void
  /** The next whole unit, valid until the next call; undefined when more input is needed, and then the chunk was used up. */
  next(): Uint8Array | undefined
  /** What is left at the end. */
  rest(): Uint8Array
}

/** What is held of most small objects, so that they do not cost the memory of a whole unit. */
const SMALL_BYTES = 1024

/** A cutter for units of one shape; it holds at most one unit of memory besides the chunk that was pushed last. */
export function createUnitCutter(shape: UnitShape): UnitCutter {
  const beyond = shape.keepsLast === true ? 1 : 0
  let chunk: Uint8Array = new Uint8Array(0)
  let offset = 0
  let held: Uint8Array = new Uint8Array(0)
  let holding = 0

  /** Moves bytes of the chunk to those held until there are `count`; whether there are. */
  const hold = (count: number): boolean => {
    const take = Math.min(count - holding, chunk.length - offset)
    if (take > 0) {
      if (held.length < holding + take) held = larger(held, holding, take)
      held.set(chunk.subarray(offset, offset + take), holding)
      offset += take
      holding += take
    }
    return holding >= count
  }
  const larger = (old: Uint8Array, used: number, more: number): Uint8Array => {
    const room = Buffer.allocUnsafeSlow(used + more > SMALL_BYTES ? shape.maxBytes : Math.min(SMALL_BYTES, shape.maxBytes))
    room.set(old.subarray(0, used))
    return room
  }
  const fromHeld = (): Uint8Array | undefined => {
    if (!hold(Math.max(shape.headBytes, holding))) return undefined
    const length = shape.unitBytes?.(held.subarray(0, holding)) ?? shape.maxBytes
    if (!hold(length) || chunk.length - offset < beyond) return undefined
    holding = 0
    return held.subarray(0, length)
  }
  return {
    push(next) {
      chunk = next
      offset = 0
    },
    next() {
      if (holding > 0) return fromHeld()
      const available = chunk.length - offset
      if (available >= Math.max(shape.headBytes, 1)) {
        const length = shape.unitBytes?.(chunk.subarray(offset)) ?? shape.maxBytes
        if (available >= length + beyond) return chunk.subarray(offset, (offset += length))
      }
      if (available > 0) hold(Math.min(available, shape.maxBytes))
      return undefined
    },
    rest: () => held.subarray(0, holding),
  }
}

/** About how much goes into one chunk of output. */
const BLOCK_BYTES = 262_144

/**
 * Runs a source through a stage, which is opened at the first pull where a function makes it: many units per turn, results in chunks of about 256 KiB. Holds two blocks, one unit and what the
 * consumer has not given back. Nothing of a block is passed on when one of its units fails.
 */
export async function* throughUnits(
  source: ByteSource,
  shape: UnitShape,
  given: UnitWork | (() => Promise<UnitWork>),
): AsyncGenerator<Uint8Array, void, undefined> {
  const work = await opened(given)
  const preamble = work.preamble ?? new Uint8Array(0)
  const pool = createBlockPool(Math.max(1, Math.floor(BLOCK_BYTES / work.maxResultBytes)) * work.maxResultBytes, { maxSpare: 2 })
  const breathe = breathing()
  const cutter = createUnitCutter(shape)
  let block: Uint8Array | undefined
  let filled = 0
  try {
    for await (const chunk of source) {
      cutter.push(chunk)
      for (let unit = cutter.next(); unit !== undefined; unit = cutter.next()) {
        if (block === undefined) {
          block = preamble.length === 0 ? pool.take() : concatBytes([preamble, new Uint8Array(pool.blockBytes)])
          filled = preamble.length
        } else if (block.length - filled < work.maxResultBytes) {
          yield cut(block, filled)
          block = pool.take()
          filled = 0
          await breathe(block.length)
        }
        filled += work.unit(unit, block, filled)
      }
      giveBack(chunk)
    }
    const last = work.end(cutter.rest())
    if (block === undefined) {
      if (preamble.length + last.length > 0) yield concatBytes([preamble, last])
    } else {
      if (filled > 0) yield cut(block, filled)
      if (last.length > 0) yield last
    }
  } finally {
    work.close?.()
  }
}

const opened = async (given: UnitWork | (() => Promise<UnitWork>)): Promise<UnitWork> => (typeof given === 'function' ? given() : given)

/** The whole block itself when it is full, so that its consumer can give it back. */
const cut = (block: Uint8Array, length: number): Uint8Array => (length === block.length ? block : block.subarray(0, length))
