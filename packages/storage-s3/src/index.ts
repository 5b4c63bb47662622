/**
 * An `ObjectStore` in S3: Amazon's, and what speaks its protocol, with what is known of each provider in one table and the rest found out
 * by trying. The SDK is loaded at the first call.
 */
export { createS3Store } from './s3-store.ts'
export type {
  S3Credentials,
  S3Encryption,
  S3EndpointSource,
  S3Notice,
  S3ProviderChoice,
  S3ProviderName,
  S3Quirks,
  S3StaticCredentials,
  S3StoreOptions,
} from './options.ts'
export { PROVIDERS as s3Providers } from './providers.ts'
export { s3OptionsForOss, type OssOptions } from './oss.ts'
export { faultCodes } from './fault-codes.ts'
