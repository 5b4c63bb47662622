import type { ByteSource } from '@waltz/bytes'

/** A cipher, already holding its key. The seam for `@waltz/crypto`; repository code only passes bytes through it. */
export interface SealingCipher {
  readonly scheme: string
  encrypt(source: ByteSource): ByteSource
  /** Yields only authenticated bytes. */
  decrypt(source: ByteSource): ByteSource
}

/** Compress, then encrypt; and back. Stored names tell which codec was used; the cipher is a property of the repository. */
export interface SealedFormat {
  /** The extension of new objects, without the dot; empty for no compression. */
  readonly extension: string
  /** The chunk size, in bytes, that `seal` takes without copying. */
  readonly chunkBytes: number
  /** Extensions that `open` understands, in the order in which readers probe for them. */
  readonly extensions: readonly string[]
  /** Adds the codec's extension to a base name: `part_001.tar` becomes `part_001.tar.lz4`. */
  nameFor(base: string): string
  /** Coalesces first, so callers may yield chunks of any size. */
  seal(source: ByteSource): ByteSource
  /** Picks the codec from the last extension of the stored name; `.tar`, a trailing dot or no known extension of a WAL name means none. */
  open(storedName: string, source: ByteSource): Promise<ByteSource>
  /** Whether `open` of this stored name detects damage by itself (a checksummed codec, or a cipher). */
  detectsDamage(storedName: string): Promise<boolean>
}
