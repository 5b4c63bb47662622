/**
 * An `ObjectStore` in a folder of a local disk or network mount, in the layout of WAL-G's FILE storage: one file per
 * object, sub-folders for the '/' in keys, uploads under temporary names in the same folder.
 */
export { createFileStore, type FileStoreOptions } from './file-store.ts'
export { parseFilePrefix } from './file-prefix.ts'
export { faultCodes } from './fault-codes.ts'
