import { sourceOf } from '@waltz/bytes'
import { isFault } from '@waltz/errors'
import { compressSync } from 'lz4-napi'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { limitContent, type Codec } from '../src/index.ts'
import { gzip } from '../src/gzip.ts'
import { lz4 } from '../src/lz4.ts'
import { lzo } from '../src/lzo.ts'
import { openBrotli } from '../src/brotli.ts'
import { openLzma } from '../src/lzma.ts'
import { zstd } from '../src/zstd.ts'
import { collect, fixture, noise, sample } from './support.ts'

/** `npm run fuzz` sets the first. The others give a run of another length, and one that begins at a seed that failed. */
const DEEP = (process.env['WALTZ_SOAK'] ?? '') !== ''
const CASES = Number(process.env['WALTZ_FUZZ_CASES'] ?? (DEEP ? 100_000 : 3000))
const FIRST_SEED = Number(process.env['WALTZ_FUZZ_SEED'] ?? 1)
/** A case takes a millisecond or less; one that takes this long hangs. */
const HANG_MS = 20_000
/** Damage may turn a few bytes into gigabytes where no checksum tells. */
const MOST_BYTES = 4_194_304

interface Subject {
  readonly label: string
  readonly codec: Codec
  readonly objects: readonly Uint8Array[]
}

const contents = [new Uint8Array(0), Buffer.concat([noise(60), noise(60)]), sample(400), Buffer.concat([sample(70_000), noise(200)])]
const written = (codec: Codec): Promise<readonly Uint8Array[]> =>
  Promise.all(contents.map((content) => collect(codec.compress(sourceOf(content), { contentBytes: content.length }))))

/** Magic, length, block: without checksum or end mark. */
function legacyFrame(content: Uint8Array): Uint8Array {
  const block = compressSync(Buffer.from(content)).subarray(4)
  const frame = Buffer.concat([Buffer.from('02214c1800000000', 'hex'), block])
  frame.writeUInt32LE(block.length, 4)
  return frame
}

const linked = lz4({ blockBytes: 65_536, linkedBlocks: true, blockChecksums: true })
const wasm = await openBrotli({ engine: 'brotli-wasm' })
const lzmaDefault = await openLzma({ engine: '@napi-rs/lzma', maxDictionaryBytes: 16_777_216 })
const lzmaNative = await openLzma({ engine: 'lzma-native', maxDictionaryBytes: 16_777_216 })
const subjects: readonly Subject[] = [
  { label: 'lz4', codec: lz4(), objects: [...(await written(lz4({ blockBytes: 65_536 }))), ...(await written(linked))] },
  { label: 'lz4, legacy frames', codec: { ...lz4(), checksummed: false }, objects: contents.slice(1, 3).map(legacyFrame) },
  { label: 'zstd', codec: zstd(), objects: await written(zstd()) },
  { label: 'gzip', codec: gzip(), objects: contents.map((content) => new Uint8Array(gzipSync(content))) },
  { label: 'lzo', codec: lzo(), objects: [fixture('backup-history.lzo'), fixture('backup-label.tar.lzo'), fixture('pg-control.tar.lzo')] },
  { label: 'brotli', codec: await openBrotli(), objects: await written(await openBrotli()) },
  { label: 'brotli of brotli-wasm', codec: wasm, objects: await written(wasm) },
  { label: 'lzma of @napi-rs/lzma', codec: lzmaDefault, objects: await written(lzmaDefault) },
  { label: 'lzma of lzma-native', codec: lzmaNative, objects: await written(lzmaNative) },
]

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

describe('mutations', () => {
  it.each(subjects.map((subject) => [subject.label, subject] as const))(
    `of ${CASES} objects of %s give a fault or what the format promises`,
    { timeout: DEEP ? 3_600_000 : 60_000 },
    async (_, subject) => {
      const plains = await Promise.all(subject.objects.map((object) => collect(subject.codec.decompress(sourceOf(object)))))
      const outcomes = new Map<string, number>()
      const run = async (first: number, step: number): Promise<void> => {
        for (let seed = first; seed < FIRST_SEED + CASES; seed += step) {
          const outcome = await judge(subject, plains, seed)
          outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
        }
      }
      // Several at once, because most of the time goes on the way to the thread pool and back.
      await Promise.all(Array.from({ length: 4 }, (_unused, lane) => run(FIRST_SEED + lane, 4)))
      const faults = CASES - (outcomes.get('the right bytes') ?? 0) - (outcomes.get('content') ?? 0)
      expect(faults, JSON.stringify([...outcomes])).toBeGreaterThan(0.4 * CASES)
      if (subject.codec.checksummed) expect(faults, JSON.stringify([...outcomes])).toBeGreaterThan(0.8 * CASES)
    },
  )
})
