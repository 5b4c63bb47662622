/**
 * An `ObjectStore` in a container of Azure Blob Storage. The SDK is loaded by the first call of a store, the identity library only where
 * tokens are asked for.
 */
export { createAzureStore } from './azure-store.ts'
export { DEFAULT_BUFFER_BYTES, DEFAULT_MAX_BUFFERS, LEAST_BUFFER_BYTES, type AzureCredentials, type AzureStoreOptions } from './options.ts'
export { faultCodes } from './fault-codes.ts'
