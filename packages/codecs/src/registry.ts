import { Fault, isFault } from '@waltz/errors'
import type { Codec, CodecOptions, CodecRegistry } from './codec.ts'

interface KnownCodec {
  readonly name: string
  readonly extension: string
  readonly writable: boolean
  /** Which choices it has that not all codecs have. */
  readonly choices: readonly (keyof CodecOptions)[]
  readonly open: (options: CodecOptions) => Promise<Codec>
}

/** Each `open` imports its own module, so that a codec costs nothing until it is used. */
const CODECS: readonly KnownCodec[] = [
  {
    name: 'lz4',
    extension: 'lz4',
    writable: true,
    choices: [],
    open: async (options) => (await import('./lz4.ts')).lz4(options),
  },
  {
    name: 'lzma',
    extension: 'lzma',
    writable: true,
    choices: ['level'],
    open: async (options) => (await import('./lzma.ts')).openLzma(options),
  },
  { name: 'gzip', extension: 'gz', writable: false, choices: [], open: async () => (await import('./gzip.ts')).gzip() },
  {
    name: 'brotli',
    extension: 'br',
    writable: true,
    choices: ['level'],
    open: async (options) => (await import('./brotli.ts')).openBrotli(options),
  },
  { name: 'lzo', extension: 'lzo', writable: false, choices: [], open: async () => (await import('./lzo.ts')).lzo() },
  {
    name: 'zstd',
    extension: 'zst',
    writable: true,
    choices: ['level', 'longWindowLog'],
    open: async (options) => (await import('./zstd.ts')).zstd(options),
  },
  {
    name: 'none',
    extension: '',
    writable: true,
    choices: [],
    open: async (options) => (await import('./none.ts')).none(options),
  },
]

/**
 * Every extension that an object of WAL-G can have, in the order in which WAL-G probes them (RF 8.1), readable here or
 * not: look for all of them before calling an object absent. The bare name (no compression) comes after these.
 */
export const probedExtensions: readonly string[] = ['lz4', 'lzma', 'gz', 'br', 'lzo', 'zst']

/** The codecs of this package by name and by extension. Makes nothing and loads nothing by itself. */
export function createCodecRegistry(): CodecRegistry {
  return {
    extensions: probedExtensions.filter((extension) => CODECS.some((codec) => codec.extension === extension)),
    async byName(name, options = {}) {
      const known = CODECS.find((codec) => codec.name === name)
      if (known?.writable === true) {
        checkChoices(known, options)
        return load(known, options)
      }
      const writable = CODECS.filter((codec) => codec.writable).map((codec) => codec.name)
      const hint = `Choose one of ${writable.join(', ')}.`
      if (known !== undefined) throw new Fault('unsupported', 'CODEC_READ_ONLY', `${name} objects can be read, not written`, { hint })
      throw new Fault('invalid', 'CODEC_UNKNOWN', `there is no codec named "${name}"`, { hint })
    },
    async byExtension(extension, options = {}) {
      const known = CODECS.find((codec) => codec.extension === extension)
      if (known !== undefined) return load(known, options)
      throw new Fault('unsupported', 'CODEC_UNKNOWN_EXTENSION', `no codec has the file name extension "${extension}"`, {
        hint: `Readable are ${CODECS.map((codec) => codec.extension || 'none').join(', ')}.`,
      })
    },
  }
}

/** A choice that would have no effect is a mistake. */
function checkChoices(known: KnownCodec, options: CodecOptions): void {
  for (const [choice, what] of [
    ['level', 'levels'],
    ['longWindowLog', 'long-distance matching'],
  ] as const) {
    if (options[choice] === undefined || known.choices.includes(choice)) continue
    throw new Fault('invalid', 'CODEC_OPTION_INVALID', `${known.name} has no ${what}: ${options[choice]} would have no effect`, {
      hint: `Leave it out, or choose ${CODECS.filter((codec) => codec.choices.includes(choice))
        .map((codec) => codec.name)
        .join(', ')}.`,
    })
  }
}

async function load(known: KnownCodec, options: CodecOptions): Promise<Codec> {
  try {
    return await known.open(options)
  } catch (error) {
    if (isFault(error)) throw error
    throw new Fault('unsupported', 'CODEC_LOAD_FAILED', `the ${known.name} codec could not be loaded`, {
      hint: 'Install the dependencies again on this machine, with this version of Node.',
      cause: error,
    })
  }
}
