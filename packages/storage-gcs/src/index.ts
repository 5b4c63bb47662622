/**
 * An `ObjectStore` in a bucket of Google Cloud Storage, in the layout of WAL-G's GS storage. Requests are the package's own, or with the other engine
 * those of Google's client, over connections that an abort really ends. Of Google's packages only what is needed is loaded, and only then.
 */
export { createGcsStore } from './gcs-store.ts'
export type { GcsCredentials, GcsEngine, GcsStoreOptions } from './options.ts'
export { faultCodes } from './fault-codes.ts'
