/**
 * Waltz's store in OpenStack Swift, and in what speaks its API: an own small client that logs in by any version of Keystone or by
 * TempAuth, renews its token, and checks every byte by MD5. With `pkgcloud` as its engine: `@waltz/storage-swift/pkgcloud`.
 */
export { createSwiftStore } from './swift-store.ts'
export { type KeystoneName, type SwiftAuth, type SwiftStoreOptions } from './options.ts'
export { faultCodes } from './fault-codes.ts'
