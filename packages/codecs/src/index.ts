/**
 * Compression formats behind one interface: lz4, zstd, brotli, lzma, none, and for reading gzip and lzo. The registry finds a codec by
 * its name in the settings or by the extension of an object, and loads its module on first use.
 */
export type { Codec, CodecOptions, CodecRegistry, ContentFacts } from './codec.ts'
export { createCodecRegistry, probedExtensions } from './registry.ts'
export { limitContent } from './limit-content.ts'
export { zstdLevelFromWord } from './zstd-level.ts'
export { faultCodes } from './fault-codes.ts'
