/** The command line: which suites, how large, how often, and where the figures go. */
import { parseArgs } from 'node:util'
import { codecs } from './codecs.ts'
import type { CodecName } from './model.ts'

const GIB = 2 ** 30
const MIB = 2 ** 20

export interface BenchOptions {
  readonly mode: 'run' | 'list' | 'help'
  /** Names of suites, in the order of the table. */
  readonly suites: readonly string[]
  readonly quick: boolean
  /** Rounds of workloads that take seconds. Those that take milliseconds have four times as many. */
  readonly rounds: number
  /** Sizes of the clusters of the backup and restore suites, in bytes, ascending. */
  readonly sizes: readonly number[]
  readonly codecs: readonly CodecName[]
  readonly relations: number
  /** The memory suite: files and sparse bytes beside a cluster of `memoryBaseBytes`. */
  readonly memoryFiles: number
  readonly memoryBaseBytes: number
  readonly memoryRounds: number
  /** The storage suite: one file of so many bytes, and so many files of 5 MiB. */
  readonly storageBytes: number
  readonly storageFiles: number
  /** The codecs suite: content for the clock, and two amounts for the memory. */
  readonly transformBytes: number
  readonly transformMemoryBytes: readonly number[]
  /** Held while anything is measured. */
  readonly lock: string | undefined
  /** How often a run that others disturbed is repeated. */
  readonly patience: number
  /** Runs only workloads whose titles contain one of these, where there are any. */
  readonly only: readonly string[]
  /** Figures of earlier runs (files of `--json`) that count, too. */
  readonly earlier: readonly string[]
  readonly json: string | undefined
  readonly markdown: string | undefined
  readonly write: boolean
}

const flags = {
  quick: { type: 'boolean' },
  rounds: { type: 'string' },
  sizes: { type: 'string' },
  codecs: { type: 'string' },
  lock: { type: 'string' },
  only: { type: 'string', multiple: true },
  earlier: { type: 'string', multiple: true },
  patience: { type: 'string' },
  json: { type: 'string' },
  markdown: { type: 'string' },
  write: { type: 'boolean' },
  list: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

/**
 * Takes the arguments behind the script's name, the names of all suites, and those that run when none is named.
 * @throws Error with one sentence for the user when they make no sense.
 */
export function parseArguments(
  args: readonly string[],
  suiteNames: readonly string[],
  byDefault: readonly string[] = suiteNames,
): BenchOptions {
  const { values, positionals } = parseArgs({ args: [...args], options: flags, allowPositionals: true })
  const unknown = positionals.find((name) => !suiteNames.includes(name))
  if (unknown !== undefined) throw new Error(`there is no suite ${unknown}; the suites are ${suiteNames.join(', ')}`)
  const quick = values.quick === true
  const rounds = values.rounds === undefined ? (quick ? 2 : 5) : parseCount('--rounds', values.rounds)
  return {
    mode: values.help === true ? 'help' : values.list === true ? 'list' : 'run',
    suites: suiteNames.filter((name) => (positionals.length === 0 ? byDefault : positionals).includes(name)),
    quick,
    rounds,
    sizes: values.sizes === undefined ? (quick ? [128 * MIB] : [GIB, 3 * GIB]) : parseSizes(values.sizes),
    codecs: values.codecs === undefined ? (quick ? ['lz4', 'zstd'] : codecs.map(({ name }) => name)) : parseCodecs(values.codecs),
    relations: quick ? 4000 : 20_000,
    memoryFiles: quick ? 10_000 : 100_000,
    memoryBaseBytes: quick ? 128 * MIB : GIB,
    memoryRounds: quick ? 1 : Math.min(3, rounds),
    storageBytes: quick ? 128 * MIB : GIB,
    storageFiles: quick ? 25 : 200,
    transformBytes: quick ? 32 * MIB : 128 * MIB,
    transformMemoryBytes: quick ? [64 * MIB, 256 * MIB] : [64 * MIB, GIB],
    lock: values.lock,
    only: values.only ?? [],
    earlier: values.earlier ?? [],
    patience: values.patience === undefined ? 0 : parseCount('--patience', values.patience),
    json: values.json,
    markdown: values.markdown,
    write: values.write === true,
  }
}

/** `1GiB,512MiB` as bytes, ascending, each once. A number without a unit is in GiB. */
export function parseSizes(text: string): readonly number[] {
  const sizes = text.split(',').map((part) => {
    const [, digits, unit = 'g'] = /^(\d+(?:\.\d+)?)\s*([mg])?(?:i?b)?$/i.exec(part.trim()) ?? []
    const bytes = Math.round(Number(digits) * (unit.toLowerCase() === 'm' ? MIB : GIB))
    if (!(bytes >= 32 * MIB)) throw new Error(`--sizes takes sizes from 32MiB on, such as 512MiB,1GiB, not ${part}`)
    return bytes
  })
  return [...new Set(sizes)].sort((a, b) => a - b)
}

function parseCodecs(text: string): readonly CodecName[] {
  return text.split(',').map((name) => {
    const row = codecs.find((candidate) => candidate.name === name.trim())
    if (row === undefined) throw new Error(`--codecs takes names out of ${codecs.map((codec) => codec.name).join(', ')}, not ${name}`)
    return row.name
  })
}

function parseCount(flag: string, text: string): number {
  const count = Number(text)
  if (!Number.isSafeInteger(count) || count < 1) throw new Error(`${flag} takes a number from 1 on, not ${text}`)
  return count
}
