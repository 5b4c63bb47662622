import type * as S3 from '@aws-sdk/client-s3'
import type { SendOptions } from './http-requests.ts'

/** Every request that the store makes, by the SDK's name: what it takes, and what it answers. */
export interface Requests {
  readonly AbortMultipartUpload: Request<S3.AbortMultipartUploadCommandInput, S3.AbortMultipartUploadCommandOutput>
  readonly CompleteMultipartUpload: Request<S3.CompleteMultipartUploadCommandInput, S3.CompleteMultipartUploadCommandOutput>
  readonly CopyObject: Request<S3.CopyObjectCommandInput, S3.CopyObjectCommandOutput>
  readonly CreateMultipartUpload: Request<S3.CreateMultipartUploadCommandInput, S3.CreateMultipartUploadCommandOutput>
  readonly DeleteObject: Request<S3.DeleteObjectCommandInput, S3.DeleteObjectCommandOutput>
  readonly DeleteObjects: Request<S3.DeleteObjectsCommandInput, S3.DeleteObjectsCommandOutput>
  readonly GetBucketLocation: Request<S3.GetBucketLocationCommandInput, S3.GetBucketLocationCommandOutput>
  readonly GetBucketVersioning: Request<S3.GetBucketVersioningCommandInput, S3.GetBucketVersioningCommandOutput>
  readonly GetObject: Request<S3.GetObjectCommandInput, S3.GetObjectCommandOutput>
  readonly HeadObject: Request<S3.HeadObjectCommandInput, S3.HeadObjectCommandOutput>
  readonly ListMultipartUploads: Request<S3.ListMultipartUploadsCommandInput, S3.ListMultipartUploadsCommandOutput>
  readonly ListObjects: Request<S3.ListObjectsCommandInput, S3.ListObjectsCommandOutput>
  readonly ListObjectsV2: Request<S3.ListObjectsV2CommandInput, S3.ListObjectsV2CommandOutput>
  readonly ListObjectVersions: Request<S3.ListObjectVersionsCommandInput, S3.ListObjectVersionsCommandOutput>
  readonly ListParts: Request<S3.ListPartsCommandInput, S3.ListPartsCommandOutput>
  readonly PutObject: Request<S3.PutObjectCommandInput, S3.PutObjectCommandOutput>
  readonly UploadPart: Request<S3.UploadPartCommandInput, S3.UploadPartCommandOutput>
  readonly UploadPartCopy: Request<S3.UploadPartCopyCommandInput, S3.UploadPartCopyCommandOutput>
}

interface Request<Input, Output> {
  readonly input: Input
  readonly output: Omit<Output, '$metadata'>
}

export type RequestName = keyof Requests
export type InputOf<Name extends RequestName> = Requests[Name]['input']
export type OutputOf<Name extends RequestName> = Requests[Name]['output']

/** Makes one request, signed, and gives what its answer tells. What is no success is thrown in the form of the SDK's errors. */
export type SendRequest = <Name extends RequestName>(name: Name, input: InputOf<Name>, options: SendOptions) => Promise<OutputOf<Name>>
