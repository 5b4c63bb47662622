export type { TarEntry, TarEntryType } from './entry.ts'
export { encodeTarHeader, readTar, TAR_TRAILER, tarPaddingBytes, writeTarHeader, type TarMember } from './quick.ts'
