import type { ByteSource } from '@waltz/bytes'

/** A compression format, already configured: level and block size belong to the factory that made it. */
export interface Codec {
  /** As written in settings: `lz4`, `zstd`, `brotli`, `gzip`, `none`. */
  readonly name: string
  /** As written in object names, without the dot; empty for `none`. */
  readonly extension: string
  /** Whether the format carries a checksum of the content that this codec writes and checks. */
  readonly checksummed: boolean
  /** The chunk size, in bytes, that `compress` takes without copying. */
  readonly chunkBytes: number
  /** One frame per source, nothing after it. */
  compress(source: ByteSource): ByteSource
  /** Throws `corrupt` when the input is damaged, ends early or goes on after its end. */
  decompress(source: ByteSource): ByteSource
}

/** What may be chosen for a codec; each field is ignored by the codecs that do not have it. */
export interface CodecOptions {
  /** The codec's own scale. */
  readonly level?: number
  /** Blocks being compressed or decompressed at once, for codecs that work by the block. */
  readonly blocksInFlight?: number
  /** Bytes of content in one block, or handed to the codec at once where it does not work by the block. */
  readonly blockBytes?: number
}

/** Names known to this process. Implementations load on first use, so a native module is paid for only when needed. */
export interface CodecRegistry {
  /** @throws Fault `invalid` `CODEC_UNKNOWN` for a name that no codec has, `unsupported` `CODEC_READ_ONLY` when only reading is possible. */
  byName(name: string, options?: CodecOptions): Promise<Codec>
  /** @throws Fault `unsupported` `CODEC_UNKNOWN_EXTENSION` for an extension that no codec has. */
  byExtension(extension: string, options?: CodecOptions): Promise<Codec>
  /** In the order in which WAL-G probes them: `lz4`, `lzma`, `gz`, `br`, `lzo`, `zst`, as far as they can be read here. */
  readonly extensions: readonly string[]
}
