import type { ByteSource } from '@waltz/bytes'

/** What may be known of one content before it is compressed. */
export interface ContentFacts {
  /** Its length: lz4 writes it into the frame's header; the other codecs have no use for it. */
  readonly contentBytes?: number
}

/** A compression format, already configured: level and block size belong to the factory that made it. */
export interface Codec {
  /** As written in settings: `lz4`, `zstd`, `brotli`, `lzma`, `gzip`, `lzo`, `none`. */
  readonly name: string
  /** As written in object names, without the dot; empty for `none`. */
  readonly extension: string
  /** Whether the format carries a checksum of the content that this codec writes and checks. */
  readonly checksummed: boolean
  /** The chunk size, in bytes, that `compress` takes without copying. */
  readonly chunkBytes: number
  /** One frame per source, nothing after it. */
  compress(source: ByteSource, facts?: ContentFacts): ByteSource
  /** Throws `corrupt` when the input is damaged, ends early or goes on after its end. */
  decompress(source: ByteSource): ByteSource
}

/** What may be chosen for a codec. Blocks are ignored by codecs that do not work by them. */
export interface CodecOptions {
  /** The codec's own scale; refused for writing with a codec that has none. */
  readonly level?: number
  /** Blocks being compressed or decompressed at once, for codecs that work by the block. */
  readonly blocksInFlight?: number
  /** Bytes of content in one block, or handed to the codec at once where it does not work by the block. */
  readonly blockBytes?: number
  /** The window of zstd's long-distance matching, as a power of two; refused for writing with any other codec. */
  readonly longWindowLog?: number
}

/** Names known to this process. Implementations load on first use, so a native module is paid for only when needed. */
export interface CodecRegistry {
  /**
   * A codec to write with.
   * @throws Fault `invalid` `CODEC_UNKNOWN` for a name that no codec has, `CODEC_OPTION_INVALID` for a choice that the codec does not
   * have; `unsupported` `CODEC_READ_ONLY` when only reading is possible.
   */
  byName(name: string, options?: CodecOptions): Promise<Codec>
  /** @throws Fault `unsupported` `CODEC_UNKNOWN_EXTENSION` for an extension that no codec has. */
  byExtension(extension: string, options?: CodecOptions): Promise<Codec>
  /** In the order in which WAL-G probes them: `lz4`, `lzma`, `gz`, `br`, `lzo`, `zst`, as far as they can be read here. */
  readonly extensions: readonly string[]
}
