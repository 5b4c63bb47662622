import type { CreateMultipartUploadCommandInput } from '@aws-sdk/client-s3'
import type { PutOptions } from '@waltz/storage'
import type { Place } from './place.ts'

/** Parameters that a request for an existing object needs. */
export interface ReadParams {
  readonly Bucket: string
  readonly RequestPayer?: 'requester'
  readonly SSECustomerAlgorithm?: string
  readonly SSECustomerKey?: string
}

/** Of every request, and the customer's key. */
export function readParams({ bucket, options }: Place): ReadParams {
  const { encryption } = options
  return {
    ...bucketParams({ bucket, options }),
    ...(encryption?.kind === 'customer'
      ? {
          SSECustomerAlgorithm: encryption.algorithm ?? 'AES256',
          SSECustomerKey: Buffer.from(encryption.key).toString('base64'),
        }
      : {}),
  }
}

/** Of every request. */
export function bucketParams({ bucket, options }: Pick<Place, 'bucket' | 'options'>): Pick<ReadParams, 'Bucket' | 'RequestPayer'> {
  return { Bucket: bucket, ...(options.requesterPays === true ? { RequestPayer: 'requester' as const } : {}) }
}

/** Parameters of every new object, whole or in parts. */
export type NewObjectParams = Omit<CreateMultipartUploadCommandInput, 'Key'>

/** What the options say about new objects. */
export function newObjectParams(place: Place, put: PutOptions | undefined, metadata: Readonly<Record<string, string>>): NewObjectParams {
  const { acl, storageClass, objectLock, tags, now } = place.options
  const lasting = put?.shortLived !== true
  return {
    ...plainObjectParams(place),
    ...(acl === undefined || acl === '' ? {} : { ACL: acl as NonNullable<NewObjectParams['ACL']> }),
    ...(lasting && storageClass !== undefined && storageClass !== ''
      ? { StorageClass: storageClass as NonNullable<NewObjectParams['StorageClass']> }
      : {}),
    ...(tags === undefined ? {} : { Tagging: tagText(tags) }),
    ...(lasting && objectLock !== undefined
      ? { ObjectLockMode: objectLock.mode, ObjectLockRetainUntilDate: new Date(now().getTime() + objectLock.periodMs) }
      : {}),
    ...(put?.contentType === undefined ? {} : { ContentType: put.contentType }),
    Metadata: { ...metadata },
  }
}

/** The same for Waltz's own small objects, which are soon removed: encrypted like all, without lock, class and tags. */
export function plainObjectParams(place: Place): NewObjectParams {
  const { encryption } = place.options
  return {
    ...readParams(place),
    ...(encryption?.kind === 'AES256' ? { ServerSideEncryption: 'AES256' as const } : {}),
    ...(encryption?.kind === 'aws:kms' ? { ServerSideEncryption: 'aws:kms' as const, SSEKMSKeyId: encryption.keyId } : {}),
  }
}

function tagText(tags: Readonly<Record<string, string>>): string {
  return new URLSearchParams({ ...tags }).toString()
}
