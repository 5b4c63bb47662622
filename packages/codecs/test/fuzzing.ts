import { sourceOf } from '@waltz/bytes'
import { isFault } from '@waltz/errors'
import { expect, it } from 'vitest'
import { limitContent, type Codec } from '../src/index.ts'
import { collect, noise, sample } from './support.ts'

/** `npm run fuzz` sets the first; the second gives a run that begins at a seed that failed. */
const CASES = Number(process.env['WALTZ_FUZZ_CASES'] ?? 3000)
const FIRST_SEED = Number(process.env['WALTZ_FUZZ_SEED'] ?? 1)
/** Cases in flight. */
const LANES = 6
/** A case takes a millisecond or less; one that takes this long hangs. */
const HANG_MS = 20_000
/** Damage may turn a few bytes into gigabytes where no checksum tells. */
const MOST_BYTES = 4_194_304

/** What is damaged, and who reads it then. */
export interface Subject {
  readonly label: string
  readonly codec: Codec
  readonly objects: readonly Uint8Array[]
  /** Of the cases of the codec; those of all its subjects are 1. */
  readonly share: number
}

/** What the objects hold. */
export const contents: readonly Uint8Array[] = [
  new Uint8Array(0),
  Buffer.concat([noise(60), noise(60)]),
  sample(400),
  Buffer.concat([sample(70_000), noise(200)]),
]

/** The contents as the codec writes them. */
export const written = (codec: Codec): Promise<readonly Uint8Array[]> =>
  Promise.all(contents.map((content) => collect(codec.compress(sourceOf(content), { contentBytes: content.length }))))

/** Whole numbers below `limit`, always the same for a seed. */
function numbersFrom(seed: number): (limit: number) => number {
  let state = (Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995) >>> 0
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit
  }
}

type Mutation = (bytes: Buffer, below: (limit: number) => number) => Buffer
/** From one place to another, in order; short ranges more often than long ones. */
const rangeIn = (length: number, below: (limit: number) => number): readonly [number, number] => {
  const start = below(length + 1)
  return [start, Math.min(length, start + 1 + below(below(2) === 0 ? 8 : length + 1))]
}
const MUTATIONS: Readonly<Record<string, Mutation>> = {
  flip(bytes, below) {
    if (bytes.length > 0) {
      for (let flips = 1 + below(3); flips > 0; flips -= 1) {
        const at = below(bytes.length)
        bytes[at] = (bytes[at] ?? 0) ^ (1 << below(8))
      }
    }
    return bytes
  },
  overwrite(bytes, below) {
    const [start, end] = rangeIn(bytes.length, below)
    for (let at = start; at < end; at += 1) bytes[at] = [0, 0xff, below(256)][below(3)] ?? 0
    return bytes
  },
  cutEnd: (bytes, below) => bytes.subarray(0, below(bytes.length + 1)),
  cutOut(bytes, below) {
    const [start, end] = rangeIn(bytes.length, below)
    return Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)])
  },
  insert(bytes, below) {
    const at = below(bytes.length + 1)
    return Buffer.concat([bytes.subarray(0, at), noise(1 + below(20), 1 + below(1000)), bytes.subarray(at)])
  },
  duplicate(bytes, below) {
    const [start, end] = rangeIn(bytes.length, below)
    return Buffer.concat([bytes.subarray(0, end), bytes.subarray(start)])
  },
  swap(bytes, below) {
    const [first, second, third] = [below(bytes.length + 1), below(bytes.length + 1), below(bytes.length + 1)].toSorted((a, b) => a - b)
    return Buffer.concat([bytes.subarray(0, first), bytes.subarray(second, third), bytes.subarray(first, second), bytes.subarray(third)])
  },
}

function mutated(object: Uint8Array, seed: number): { readonly how: string; readonly bytes: Buffer } {
  const below = numbersFrom(seed)
  const names = Object.keys(MUTATIONS)
  const how = Array.from({ length: below(4) === 0 ? 2 : 1 }, () => names[below(names.length)] ?? 'flip')
  return {
    how: how.join(' and '),
    bytes: how.reduce<Buffer>((bytes, name) => MUTATIONS[name]?.(bytes, below) ?? bytes, Buffer.from(object)),
  }
}

/** Formats that carry a checksum allow the same files one after the other, and an lzop file any of its blocks; here each has one. */
function isRepetition(content: Uint8Array, plain: Uint8Array): boolean {
  if (plain.length === 0) return content.length === 0
  for (let at = 0; at < content.length; at += plain.length) {
    if (Buffer.compare(content.subarray(at, at + plain.length), plain) !== 0) return false
  }
  return true
}

async function within<Value>(work: Promise<Value>): Promise<Value | 'hangs'> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'hangs'>((resolve) => (timer = setTimeout(() => resolve('hangs'), HANG_MS)))
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}

/** What became of a mutation, in a word; throws for what must not happen. */
async function judge({ codec, objects }: Subject, plains: readonly Uint8Array[], seed: number): Promise<string> {
  const { how, bytes } = mutated(objects[seed % objects.length] ?? new Uint8Array(0), seed)
  const failed = (why: string): Error => new Error(`seed ${seed}, ${how}: ${why}`)
  const half = bytes.length >> 1
  const chunks = seed % 3 === 0 ? [bytes.subarray(0, half), bytes.subarray(half)] : [bytes]
  try {
    const content = await within(collect(limitContent(codec, MOST_BYTES).decompress(sourceOf(...chunks))))
    if (content === 'hangs') throw failed('it does not end')
    if (!codec.checksummed) return 'content'
    if (!isRepetition(content, plains[seed % plains.length] ?? new Uint8Array(0))) throw failed(`${content.length} wrong bytes`)
    return 'the right bytes'
  } catch (error) {
    if (isFault(error) && (error.kind === 'corrupt' || error.kind === 'unsupported')) return error.code
    throw error instanceof Error && error.message.startsWith('seed') ? error : failed(String(error))
  }
}

/** Registers a test for each subject: damaged objects give a fault, or what their format promises. */
export function fuzz(subjects: readonly Subject[]): void {
  it.each(subjects.map((subject) => [Math.round(subject.share * CASES), subject.label, subject] as const))(
    'of %i damaged objects of %s each gives a fault or what the format promises',
    { timeout: 60_000 + CASES * 20 },
    async (cases, _, subject) => {
      const plains = await Promise.all(subject.objects.map((object) => collect(subject.codec.decompress(sourceOf(object)))))
      const outcomes = new Map<string, number>()
      const run = async (first: number, step: number): Promise<void> => {
        for (let seed = first; seed < FIRST_SEED + cases; seed += step) {
          const outcome = await judge(subject, plains, seed)
          outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
        }
      }
      // Several at once, because most of the time goes on the way to the thread pool and back.
      await Promise.all(Array.from({ length: LANES }, (_unused, lane) => run(FIRST_SEED + lane, LANES)))
      const faults = cases - (outcomes.get('the right bytes') ?? 0) - (outcomes.get('content') ?? 0)
      expect(faults, JSON.stringify([...outcomes])).toBeGreaterThan(0.4 * cases)
      if (subject.codec.checksummed) expect(faults, JSON.stringify([...outcomes])).toBeGreaterThan(0.8 * cases)
    },
  )
}
