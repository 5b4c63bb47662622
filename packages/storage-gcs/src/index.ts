/**
 * An `ObjectStore` in a bucket of Google Cloud Storage, in the layout of WAL-G's GS storage. Requests are the package's own, over
 * connections that an abort really ends; Google's client is loaded only where its knowledge of credentials is needed.
 */
export { createGcsStore } from './gcs-store.ts'
export type { GcsCredentials, GcsStoreOptions } from './options.ts'
export { faultCodes } from './fault-codes.ts'
