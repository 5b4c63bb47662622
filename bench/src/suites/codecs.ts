import type { BenchOptions } from '../arguments.ts'
import type { StageName } from '../driver/job.ts'
import type { Bench, OpenWorkload, Suite, Workload } from '../model.ts'
import { formatBytes } from '../report/units.ts'
import { clearWork } from './cells.ts'
import { endAgent } from './transform-keys.ts'
import { transformCells, type TransformCase } from './transform-cells.ts'

/** What a workload of this suite is, before it is given its rounds. */
interface Row extends TransformCase {
  readonly against: string
  /** MiB per second, roughly, for the time left. */
  readonly pace: number
}

const REFERENCES: readonly Pick<Row, 'stage' | 'against' | 'pace'>[] = [
  { stage: 'lz4', against: 'lz4 -1', pace: 400 },
  { stage: 'lz4 4 MiB', against: 'lz4 -1', pace: 400 },
  { stage: 'zstd', against: 'zstd -3', pace: 150 },
  { stage: 'brotli', against: 'brotli -q 3', pace: 120 },
  { stage: 'gzip', against: 'gzip', pace: 150 },
  { stage: 'lzma', against: 'xz --format=lzma -1', pace: 12 },
  { stage: 'lzo', against: 'lzop', pace: 300 },
]
const CIPHERS: readonly Pick<Row, 'stage' | 'against' | 'pace'>[] = [
  { stage: 'libsodium', against: 'sodium-native', pace: 300 },
  { stage: 'openpgp', against: 'gpg', pace: 200 },
  { stage: 'aws-kms', against: 'node:crypto', pace: 600 },
]
const MEMORY: readonly (readonly [StageName, number])[] = [
  ['lz4', 400],
  ['lz4 4 MiB', 400],
  ['zstd', 150],
  ['brotli', 120],
  ['brotli-wasm', 40],
  ['gzip', 150],
  ['lzma', 12],
  ['lzma-native', 12],
  ['lzo', 300],
  ['libsodium', 300],
  ['openpgp', 200],
  ['aws-kms', 500],
]
/** Slower ones are given less for the second look at memory. */
const SLOW_PACE = 20
const MOST_SLOW_BYTES = 256 * 2 ** 20
const CONTENTS = ['table', 'WAL', 'random'] as const

/** The packages `codecs` and `crypto` by themselves, in one process, beside the program or the library of each format. */
export const codecsSuite: Suite = {
  name: 'codecs',
  onlyByName: true,
  about: 'each codec and cipher in one process, against its reference program at the same level; peak memory at two sizes',
  workloads: (options) => rows(options).map((row) => workload(row, options)),
}

function rows(options: BenchOptions): readonly Row[] {
  const both = ['pack', 'unpack'] as const
  const bytes = options.transformBytes
  const packing = REFERENCES.filter(({ stage }) => stage !== 'gzip' && stage !== 'lzo' && stage !== 'lz4 4 MiB')
  // lzma takes ten times as long as the others.
  const sized = (stage: StageName): number => (stage === 'lzma' ? bytes / 4 : bytes)
  const alone = both.flatMap((direction) =>
    (direction === 'pack' ? packing : REFERENCES).flatMap((reference) =>
      CONTENTS.map((content): Row => ({ ...reference, direction, content, bytes: sized(reference.stage), streams: 1, memory: false })),
    ),
  )
  const twice = both.flatMap((direction) =>
    (direction === 'pack' ? packing : REFERENCES).flatMap((reference) =>
      (['table', 'WAL'] as const).map((content): Row => ({
        ...reference,
        direction,
        content,
        bytes: sized(reference.stage),
        streams: 2,
        memory: false,
      })),
    ),
  )
  const ciphers = both.flatMap((direction) =>
    CIPHERS.map((reference): Row => ({ ...reference, direction, content: 'random', bytes: bytes * 2, streams: 1, memory: false })),
  )
  const memory = both.flatMap((direction) =>
    MEMORY.filter(([stage]) => direction === 'unpack' || (stage !== 'gzip' && stage !== 'lzo')).flatMap(([stage, pace]) =>
      options.transformMemoryBytes.map((size): Row => ({
        stage,
        pace,
        direction,
        content: 'table',
        bytes: pace < SLOW_PACE ? Math.min(size, MOST_SLOW_BYTES) : size,
        streams: 1,
        memory: true,
        against: 'waltz',
      })),
    ),
  )
  return [...alone, ...twice, ...ciphers, ...memory]
}

/** What targets and titles call it. */
export function operationOf({ stage, direction, streams, memory }: TransformCase): string {
  const cipher = CIPHERS.some((row) => row.stage === stage)
  const [pack, unpack] = cipher ? ['encrypt', 'decrypt'] : ['compress', 'decompress']
  const word = direction === 'pack' ? pack : unpack
  if (memory) return `memory, ${word}`
  return streams === 2 ? `${word} two at once` : word
}

function workload(row: Row, options: BenchOptions): Workload {
  const { stage, content, bytes, memory, against, pace, streams } = row
  const operation = operationOf(row)
  const rounds = memory ? 1 : options.rounds
  return {
    suite: 'codecs',
    operation,
    codec: stage,
    content,
    bytes: bytes * streams,
    compact: true,
    diskless: true,
    title: `${operation}, ${stage}, ${memory ? formatBytes(bytes) : content}`,
    against,
    rounds,
    warmUps: 0,
    expectedSeconds: 1 + (rounds + 1) * (0.7 + ((memory ? 1 : 2.2) * bytes * streams) / 2 ** 20 / pace),
    open: async (bench: Bench): Promise<OpenWorkload> => ({
      cells: await transformCells(bench, row),
      server: undefined,
      close: () => {
        endAgent(bench)
        clearWork(bench)
      },
    }),
  }
}
