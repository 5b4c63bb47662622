import type * as S3 from '@aws-sdk/client-s3'

/** Types of the SDK alone: nothing of it is loaded before the first call. */
export type Sdk = typeof S3
export type S3Client = S3.S3Client
export type S3ClientConfig = S3.S3ClientConfig
