/** The reference program of each codec, and gpg. With one thread, from a file into /dev/null. */
import type { Direction, StageName } from '../driver/job.ts'
import { firstLine, onPath } from '../files.ts'
import type { Action, Peer, TransformJob } from '../model.ts'
import { pipeline, quoted } from '../shell.ts'

interface Program {
  readonly name: string
  readonly program: string
  readonly debian: string
  readonly stages: readonly StageName[]
  /** Left out where the comparison is only about reading, except to make what is read. */
  readonly pack: readonly string[]
  readonly unpack: readonly string[]
}

const programs: readonly Program[] = [
  {
    name: 'zstd -3',
    program: 'zstd',
    debian: 'zstd',
    stages: ['zstd'],
    pack: ['-3', '--single-thread', '-q', '-c'],
    unpack: ['-d', '-q', '-c'],
  },
  { name: 'brotli -q 3', program: 'brotli', debian: 'brotli', stages: ['brotli'], pack: ['-q', '3', '-c'], unpack: ['-d', '-c'] },
  {
    name: 'xz --format=lzma -1',
    program: 'xz',
    debian: 'xz-utils',
    stages: ['lzma'],
    pack: ['--format=lzma', '-1', '-T1', '-c'],
    unpack: ['--format=lzma', '-d', '-c'],
  },
  { name: 'gzip', program: 'gzip', debian: 'gzip', stages: ['gzip'], pack: ['-6', '-c'], unpack: ['-d', '-c'] },
  { name: 'lzop', program: 'lzop', debian: 'lzop', stages: ['lzo'], pack: ['-c'], unpack: ['-d', '-c'] },
]

export const lz4Transform: NonNullable<Peer['transform']> = (job) =>
  job.stage === 'lz4' || job.stage === 'lz4 4 MiB'
    ? programAction(['lz4', ...(job.direction === 'pack' ? ['-1', '-q', '-c'] : ['-d', '-q', '-c'])], job)
    : undefined

/** Peers that do nothing but compress. */
export const programPeers: readonly Peer[] = programs.map(({ name, program, debian, stages, ...words }): Peer => {
  return {
    name,
    durability: 'writes nothing',
    debian,
    find: () => foundProgram(program),
    transform: (job) => (stages.includes(job.stage) ? programAction([program, ...words[job.direction]], job) : undefined),
  }
})

/** OpenPGP without compression, with the cipher that Waltz writes with. */
export const gpg: Peer = {
  name: 'gpg',
  durability: 'writes nothing',
  debian: 'gpg',
  find: () => foundProgram('gpg'),
  transform: (job) => {
    if (job.stage !== 'openpgp') return undefined
    const common = ['gpg', '--homedir', job.keys.gpgHome, '--batch', '--quiet', '--no-tty', '--trust-model', 'always', '-o', '-']
    const encrypt = ['--cipher-algo', 'AES', '--compress-algo', 'none', '-r', GPG_USER, '-e']
    return programAction([...common, ...(job.direction === 'pack' ? encrypt : ['-d'])], job)
  },
}

/** For whom the key of a run is made. */
export const GPG_USER = 'bench@waltz.test'

function programAction(words: readonly string[], { input, output = '/dev/null', streams, bytes }: TransformJob): Action {
  if (bytes !== undefined) throw new Error('programs read their input once')
  const once = `${[...words, input].map(quoted).join(' ')} > ${quoted(output)}`
  return { prepare: () => undefined, command: pipeline(Array.from({ length: streams }, () => once).join('; ')) }
}

function foundProgram(program: string): ReturnType<Peer['find']> {
  const path = onPath(program)
  return path === undefined ? undefined : { path, version: firstLine(path, ['--version']).replaceAll('*', '').trim() }
}

/** The peer that packs what a stage cannot write itself. */
export const packerOf: Readonly<Partial<Record<StageName, string>>> = { gzip: 'gzip', lzo: 'lzop' }

/** What a file of a stage is called, since some programs go by it. */
export function extensionOf(stage: StageName): string {
  return EXTENSIONS[stage] ?? 'packed'
}

const EXTENSIONS: Readonly<Partial<Record<StageName, string>>> = {
  lz4: 'lz4',
  'lz4 4 MiB': 'lz4',
  zstd: 'zst',
  brotli: 'br',
  'brotli-wasm': 'br',
  lzma: 'lzma',
  'lzma-native': 'lzma',
  gzip: 'gz',
  lzo: 'lzo',
  openpgp: 'gpg',
}

/** Whether a stage can only read. */
export const readsOnly = (stage: StageName, direction: Direction): boolean => direction === 'pack' && packerOf[stage] !== undefined
