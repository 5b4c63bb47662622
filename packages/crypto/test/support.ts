import { readFileSync } from 'node:fs'
import { concatBytes, sourceOf, type ByteSource } from '@waltz/bytes'
import { isFault, type Fault } from '@waltz/errors'
import { seededRandom } from '@waltz/testkit'
import { expect } from 'vitest'

/** Lengths around the borders of chunks of 8192 bytes, packages of 65 536 and blocks of output. */
export const EDGES: readonly number[] = [
  0, 1, 2, 8191, 8192, 8193, 16_384, 16_385, 65_535, 65_536, 65_537, 131_072, 262_143, 262_144, 262_145, 270_336, 524_288, 1_000_003,
]

export async function collect(source: ByteSource): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of source) {
    if (chunk.length === 0) throw new Error('an empty chunk')
    chunks.push(chunk)
  }
  return concatBytes(chunks)
}

export const noise = (length: number, seed = 7): Uint8Array => seededRandom(seed).bytes(length)

/** Cuts `bytes` into chunks whose sizes go round in `sizes`; each chunk is memory of its own. */
export async function* inChunks(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = Math.max(1, sizes[turn % sizes.length] ?? 1)
    yield new Uint8Array(bytes.subarray(at, at + size))
    at += size
  }
}

/** What came out until the end or the fault. */
export interface Outcome {
  readonly bytes: Uint8Array
  readonly fault: Fault | undefined
}

export async function outcomeOf(source: ByteSource): Promise<Outcome> {
  const chunks: Uint8Array[] = []
  try {
    for await (const chunk of source) chunks.push(chunk)
    return { bytes: concatBytes(chunks), fault: undefined }
  } catch (error) {
    if (isFault(error)) return { bytes: concatBytes(chunks), fault: error }
    throw error
  }
}

export const faultOf = async (source: ByteSource): Promise<Fault | undefined> => (await outcomeOf(source)).fault

export async function rejection(promise: Promise<unknown>): Promise<Fault> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (isFault(error)) return error
  throw new Error('no fault', { cause: error })
}

export function thrown(run: () => unknown): Fault {
  try {
    run()
  } catch (error) {
    if (isFault(error)) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

/** Equality without the cost of comparing element by element. */
export function expectSame(actual: Uint8Array, wanted: Uint8Array): void {
  expect(actual.length).toBe(wanted.length)
  expect(Buffer.compare(actual, wanted)).toBe(0)
}

export const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.replace(/\s/g, ''), 'hex'))

export const small = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(`fixtures/small/${name}`, import.meta.url)))

export const once = (bytes: Uint8Array): ByteSource => sourceOf(bytes)

/** A change of stored bytes, named. */
export interface Mutation {
  readonly name: string
  readonly bytes: Uint8Array
}

/**
 * One change, determined by the seed: a bit, a byte, a cut, bytes removed, doubled, exchanged, added. `pieces` are the lengths that
 * the format is made of, so that changes at their borders are as frequent as others.
 */
export function mutate(stored: Uint8Array, borders: readonly number[], seed: number): Mutation {
  const random = seededRandom(seed)
  const at = (): number => random.integer(stored.length)
  const border = (): number => borders[random.integer(borders.length)] ?? 0
  const bytes = stored.slice()
  const pieces = (): Uint8Array[] => borders.slice(0, -1).map((from, index) => stored.subarray(from, borders[index + 1]))
  switch (random.integer(9)) {
    case 0:
    case 1: {
      const where = at()
      bytes[where] = (bytes[where] ?? 0) ^ (1 << random.integer(8))
      return { name: `bit at ${where}`, bytes }
    }
    case 2: {
      const where = at()
      bytes[where] = random.integer(256)
      return { name: `byte at ${where}`, bytes }
    }
    case 3:
      return { name: 'cut anywhere', bytes: bytes.subarray(0, at()) }
    case 4:
      return { name: 'cut at a border', bytes: bytes.subarray(0, border()) }
    case 5: {
      const list = pieces()
      const from = random.integer(list.length)
      const to = random.integer(list.length)
      const kept = list[from] ?? bytes
      list[from] = list[to] ?? bytes
      list[to] = kept
      return { name: `pieces ${from} and ${to} exchanged`, bytes: concatBytes(list) }
    }
    case 6: {
      const list = pieces()
      const gone = random.integer(list.length)
      list.splice(gone, 1)
      return { name: `piece ${gone} dropped`, bytes: concatBytes(list) }
    }
    case 7: {
      const list = pieces()
      const twice = random.integer(list.length)
      list.splice(random.integer(list.length + 1), 0, list[twice] ?? bytes)
      return { name: `piece ${twice} repeated`, bytes: concatBytes(list) }
    }
    default:
      return { name: 'bytes added', bytes: concatBytes([bytes, random.bytes(1 + random.integer(40))]) }
  }
}
