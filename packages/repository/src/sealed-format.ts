import { coalesce, type ByteSource } from '@waltz/bytes'
import type { Codec, CodecRegistry } from '@waltz/codecs'
import type { Cipher } from '@waltz/crypto'
import { Fault, isFault } from '@waltz/errors'
import { checkFraming } from './check-framing.ts'

/** What sealing needs of a cipher of `@waltz/crypto`. */
export type SealingCipher = Pick<Cipher, 'scheme' | 'encrypt' | 'decrypt'> & Partial<Pick<Cipher, 'authenticates'>>

/** Compress, then encrypt; and back. Stored names tell which codec was used; the cipher is a property of the repository. */
export interface SealedFormat {
  /** The scheme that new objects are encrypted with; undefined when they are not. */
  readonly encryption: string | undefined
  /**
   * When opened bytes are known to be right: see `Cipher`. With `at-the-end` whoever takes them must undo what was done with them when
   * the source fails. Undefined without a cipher.
   */
  readonly authenticates: Cipher['authenticates'] | undefined
  /** The extension of new objects, without the dot; empty for no compression. */
  readonly extension: string
  /** The chunk size, in bytes, that `seal` takes without copying. */
  readonly chunkBytes: number
  /** Extensions that `open` understands, in the order in which readers probe for them. */
  readonly extensions: readonly string[]
  /** Adds the codec's extension to a base name: `part_001.tar` becomes `part_001.tar.lz4`. */
  nameFor(base: string): string
  /** Coalesces first, so callers may yield chunks of any size. */
  seal(source: ByteSource, steps?: SealSteps): ByteSource
  /**
   * Picks the codec from the last extension of the stored name; `.tar`, a trailing dot or no known extension of a WAL name means none.
   * Rejects with `unsupported` `OBJECT_EXTENSION_UNKNOWN` for any other extension. The source it gives fails with `invalid`
   * `OBJECT_ENCRYPTED` and `corrupt` `OBJECT_MISNAMED` for an object that begins otherwise than its name and the configured key say, and
   * with the faults of the cipher and the codec, which name the object.
   */
  open(storedName: string, source: ByteSource, steps?: OpenSteps): Promise<ByteSource>
  /** Whether `open` of this stored name detects damage by itself (a checksummed codec, or a cipher). Rejects like `open`. */
  detectsDamage(storedName: string): Promise<boolean>
}

/** Steps that may be left out when an object is sealed. */
export interface SealSteps {
  /** True unless given. */
  readonly compress?: boolean
  /** True unless given; without a cipher there is nothing to do either way. */
  readonly encrypt?: boolean
}

/** Steps that may be left out when an object is opened; as for `SealSteps`. */
export interface OpenSteps {
  readonly decrypt?: boolean
  readonly decompress?: boolean
}

/** What `createSealedFormat` works with. */
export interface SealedFormatOptions {
  /** Compresses new objects. */
  readonly codec: Codec
  /** Finds the codec of a stored object. */
  readonly registry: CodecRegistry
  readonly cipher?: SealingCipher | undefined
}

/** Last components of plain names: parts, `<wal>.partial`, `<timeline>.history`, `<wal>.<offset>.backup`, a trailing dot (RF 6.1, 12). */
const PLAIN_EXTENSIONS: ReadonlySet<string> = new Set(['', 'tar', 'partial', 'history', 'backup'])

/** Joins a codec, the registry and perhaps a cipher into the form in which everything but JSON is stored (RF 0). No I/O. */
export function createSealedFormat({ codec, registry, cipher }: SealedFormatOptions): SealedFormat {
  const codecOf = async (storedName: string): Promise<Codec | undefined> => {
    const name = storedName.slice(storedName.lastIndexOf('/') + 1)
    const dot = name.lastIndexOf('.')
    const extension = dot === -1 ? '' : name.slice(dot + 1)
    if (PLAIN_EXTENSIONS.has(extension)) return undefined
    if (extension === codec.extension) return codec
    if (registry.extensions.includes(extension)) return await registry.byExtension(extension)
    throw new Fault('unsupported', 'OBJECT_EXTENSION_UNKNOWN', `${storedName}: no codec reads the extension .${extension}`, {
      context: { key: storedName, extension },
      hint: `This version reads ${registry.extensions.map((known) => `.${known}`).join(', ')} and uncompressed objects.`,
    })
  }
  return {
    encryption: cipher?.scheme,
    authenticates: cipher?.authenticates,
    extension: codec.extension,
    chunkBytes: codec.chunkBytes,
    extensions: registry.extensions,
    nameFor: (base) => (codec.extension === '' ? base : `${base}.${codec.extension}`),
    seal: (source, { compress = true, encrypt = true } = {}) => {
      const compressed = compress ? codec.compress(coalesce(source, codec.chunkBytes)) : source
      return cipher === undefined || !encrypt ? compressed : cipher.encrypt(compressed)
    },
    open: async (storedName, source, { decrypt = true, decompress = true } = {}) => {
      const decrypted = decrypt && cipher !== undefined
      const opened = decrypted ? cipher.decrypt(source) : source
      if (!decompress) return namingObject({ storedName, decrypted }, opened)
      const stored = await codecOf(storedName)
      const compressed = checkFraming(opened, { storedName, extension: stored?.extension ?? '', decrypted })
      return namingObject({ storedName, decrypted }, stored === undefined ? compressed : stored.decompress(compressed))
    },
    detectsDamage: async (storedName) => {
      const stored = await codecOf(storedName)
      return cipher !== undefined || stored?.checksummed === true
    },
  }
}

/** What a fault says of the object that it is about. */
interface OpenedObject {
  readonly storedName: string
  readonly decrypted: boolean
}

/** For an object that does not even begin as its name says, where nothing was decrypted. */
const UNMARKED_HINT =
  'The object was changed after it was written, or it is encrypted with libsodium, which leaves no mark: then configure the key it was written with.'

/** The same bytes, with faults of what they came through that name the object. */
async function* namingObject(object: OpenedObject, source: ByteSource): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* source
  } catch (error) {
    throw nameObject(object, error)
  }
}

/** Faults that say an object's key already are those of the storage, or of this package. */
function nameObject({ storedName, decrypted }: OpenedObject, error: unknown): unknown {
  if (!isFault(error) || !/^(?:CODEC|CRYPTO)_/.test(error.code) || 'key' in error.context) return error
  const { kind, code, message, context, cause, retryable } = error
  const hint = code === 'CODEC_DAMAGED' && context['offset'] === 0 && !decrypted ? UNMARKED_HINT : error.hint
  return new Fault(kind, code, `${storedName}: ${message}`, {
    ...(hint !== undefined && { hint }),
    context: { ...context, key: storedName },
    cause,
    retryable,
  })
}
