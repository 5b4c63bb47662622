import type { MaintainedStore } from '@waltz/storage'
import type { S3StoreOptions } from '@waltz/storage-s3'
import { connectionOptions, networkOptions, type StorageOpening } from './network-settings.ts'
import { storageSettingFault } from './setting-file.ts'
import type { StorageAddress } from './storage-address.ts'

/** Opens the bucket that WALG_OSS_PREFIX names, through the endpoint of OSS that speaks S3. Makes no request. */
export async function openOss(opening: StorageOpening, address: StorageAddress): Promise<MaintainedStore> {
  const { createS3Store } = await import('@waltz/storage-s3')
  return createS3Store(ossOptions(opening, address))
}

const LEAST_PART_BYTES = 5_242_880
/** WAL-G's client has no setting for it (SET 5.4). */
const UPLOAD_CONCURRENCY = 3

/**
 * Every setting of SET 5.4 as the S3 store takes it.
 * @throws Fault `invalid` `STORAGE_SETTING_INVALID` for what is missing or cannot be had that way.
 */
export function ossOptions(opening: StorageOpening, { host }: StorageAddress): S3StoreOptions {
  const { settings } = opening
  const { ossAccessKeyId, ossAccessKeySecret, ossSessionToken, ossRegion, ossRoleArn } = settings
  if (ossRoleArn !== undefined)
    throw storageSettingFault('OSS_ROLE_ARN cannot be served', 'give temporary credentials with OSS_SESSION_TOKEN, and remove OSS_ROLE_ARN')
  if (ossAccessKeyId === undefined || ossAccessKeySecret === undefined)
    throw storageSettingFault(
      `${ossAccessKeyId === undefined ? 'OSS_ACCESS_KEY_ID' : 'OSS_ACCESS_KEY_SECRET'} is not set`,
      'OSS needs both',
    )
  if (ossRegion === undefined) throw storageSettingFault('OSS_REGION is not set', 'OSS needs it, such as cn-hangzhou')
  const region = ossRegion.replace(/^oss-/, '')
  const endpoint = settings.ossEndpoint ?? `https://s3.oss-${region}.aliyuncs.com`
  return {
    ...networkOptions('oss', opening),
    connectTimeoutMs: settings.ossConnectTimeout * 1000,
    bucket: host,
    endpoint,
    region,
    provider: 'oss',
    pathStyle: false,
    credentials: {
      kind: 'static',
      accessKeyId: ossAccessKeyId.trim(),
      secretAccessKey: ossAccessKeySecret.trim(),
      ...(ossSessionToken !== undefined && { sessionToken: ossSessionToken.trim() }),
    },
    ...connectionOptions(settings, endpoint),
    // OSS itself takes parts of 100 KiB, the protocol of S3 none below 5 MiB.
    partBytes: Math.max(LEAST_PART_BYTES, settings.ossUploadPartSize),
    uploadConcurrency: UPLOAD_CONCURRENCY,
    skipValidation: settings.ossSkipValidation,
  }
}
