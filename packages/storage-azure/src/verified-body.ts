import { createHash, type Hash } from 'node:crypto'
import { throwIfAborted } from '@waltz/errors'
import { checksumFault, unreachableFault, type StallWatch } from '@waltz/storage'
import type { AzureCall } from './errors.ts'
import type { Place } from './place.ts'
import type { Section } from './sections.ts'

/** A download that has begun. */
export interface OpenDownload {
  readonly place: Place
  /** Names this very version of the object. */
  readonly version: string
  readonly stream: NodeJS.ReadableStream
  readonly watch: StallWatch
  /** Whether the reader waits for bytes, so that a pause is the network's and not the consumer's. */
  readonly turn: { waiting: boolean }
  /** Of the bytes to come, within the object. */
  readonly start: number
  readonly end: number
  readonly sections: readonly Section[]
  readonly call: AzureCall
  readonly faultOf: (error: unknown) => unknown
  readonly signal: AbortSignal | undefined
}

/** The sum of a section's first bytes, whose download broke off. */
export interface HalfSection {
  readonly sectionStart: number
  readonly hash: Hash
}

/** So many broken downloads are remembered; the others go on unchecked to the end of their section. */
const MOST_HALVES = 256

/**
 * The bytes of a download in lent blocks. Each section is checked before its last block is given away, so that a damaged object is
 * never seen to end well; a sum that fails before anything was given away is retryable. When the connection breaks, the sum so far
 * is kept for the download that goes on at the same byte.
 */
export async function* readVerified(download: OpenDownload): AsyncGenerator<Uint8Array> {
  const { start, end, watch, signal } = download
  const check = createSectionCheck(download)
  const blocks = readBlocks(download)
  let next = start
  for (;;) {
    const step = await blocks.next().catch((error: unknown) => {
      check.keep(next)
      throw error
    })
    if (step.done === true) break
    const block = step.value
    check.add(next, block)
    next += block.length
    yield block
    throwIfAborted(signal)
  }
  watch.stop()
  if (next === end) return
  check.keep(next)
  throw brokenOff(download, `the answer broke off after ${next - start} of ${end - start} bytes`)
}

/** Gathers what arrives into blocks; the last one is given only when the answer has ended. */
async function* readBlocks(download: OpenDownload): AsyncGenerator<Uint8Array, undefined> {
  const { place, start, end } = download
  const iterator = download.stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  let next = start
  let block: Uint8Array | undefined
  let filled = 0
  for (let chunk = await pull(download, iterator); chunk !== undefined; chunk = await pull(download, iterator)) {
    if (next + chunk.length > end) throw brokenOff(download, 'the answer has more bytes than it announced')
    for (let taken = 0; taken < chunk.length;) {
      if (block !== undefined && filled === block.length) {
        yield block
        block = undefined
      }
      if (block === undefined) {
        block = newBlock(place, end - next)
        filled = 0
      }
      const count = Math.min(chunk.length - taken, block.length - filled)
      block.set(chunk.subarray(taken, taken + count), filled)
      taken += count
      filled += count
      next += count
    }
  }
  if (block !== undefined && filled === block.length) yield block
  return undefined
}

/** The next chunk; undefined at the end. Only the wait for it is watched. */
async function pull({ turn, watch, faultOf }: OpenDownload, iterator: AsyncIterator<Buffer>): Promise<Buffer | undefined> {
  turn.waiting = true
  watch.progressed()
  try {
    const step = await iterator.next()
    return step.done === true ? undefined : step.value
  } catch (error) {
    throw faultOf(error)
  } finally {
    turn.waiting = false
    watch.progressed()
  }
}

function newBlock({ readBlocks }: Place, left: number): Uint8Array {
  return left < readBlocks.blockBytes ? Buffer.allocUnsafeSlow(left) : readBlocks.take()
}

function brokenOff({ call, place }: OpenDownload, why: string): Error {
  return unreachableFault({ doing: call.doing, location: place.location }, why)
}

interface SectionCheck {
  /** Bytes at an offset, in order, about to be given away. Throws when they complete a section whose sum differs. */
  add(offset: number, block: Uint8Array): void
  /** Keeps the sum of a section that ends here for now. */
  keep(offset: number): void
}

function createSectionCheck({ sections, start, end, call, place, version }: OpenDownload): SectionCheck {
  const carried = place.halves.get(`${version} ${start}`)
  place.halves.delete(`${version} ${start}`)
  // Sections of which bytes are missing cannot be checked.
  const whole = sections.filter((section) => (section.start >= start || section.start === carried?.sectionStart) && section.end <= end)
  const goesOn = carried !== undefined && whole[0]?.start === carried.sectionStart
  let at = 0
  let hash = goesOn ? carried.hash : undefined
  let gave = goesOn
  return {
    add(offset, block) {
      const blockEnd = offset + block.length
      for (let section = whole[at]; section !== undefined && section.start < blockEnd; section = whole[at]) {
        hash ??= createHash('md5')
        hash.update(block.subarray(Math.max(0, section.start - offset), section.end - offset))
        if (section.end > blockEnd) break
        if (!hash.digest().equals(section.md5)) throw checksumFault({ doing: call.doing, location: place.location }, { retryable: !gave })
        hash = undefined
        at += 1
      }
      gave = true
    },
    keep(offset) {
      const section = whole[at]
      if (section === undefined || hash === undefined) return
      const [oldest] = place.halves.keys()
      if (oldest !== undefined && place.halves.size >= MOST_HALVES) place.halves.delete(oldest)
      place.halves.set(`${version} ${offset}`, { sectionStart: section.start, hash })
    },
  }
}
