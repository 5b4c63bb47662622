/**
 * A streaming tar writer and reader. Headers are written byte for byte as Go's archive/tar does, because archives of WAL-G
 * have them so; reading accepts ustar, PAX and GNU archives and hands contents out without copying them.
 */
export type { TarEntry, TarEntryType } from './entry.ts'
export { encodeTarHeader } from './encode-header.ts'
export { writeTarHeader } from './ustar-header.ts'
export { TAR_TRAILER, tarPaddingBytes } from './layout.ts'
export { readTar, type ReadTarOptions, type TarEnd, type TarMember } from './read-tar.ts'
export { faultCodes } from './fault-codes.ts'
