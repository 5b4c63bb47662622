import type { Settings } from '@waltz/settings'
import type { MaintainedStore } from '@waltz/storage'
import type { S3Credentials, S3Encryption, S3StoreOptions } from '@waltz/storage-s3'
import { connectionOptions, networkOptions, readAuthorities, type StorageOpening } from './network-settings.ts'
import { parseHeaders, parseTextMap } from './setting-maps.ts'
import { storageSettingFault } from './setting-file.ts'
import type { StorageAddress } from './storage-address.ts'

/** Opens the bucket that WALG_S3_PREFIX names. Loads the client; makes no request. */
export async function openS3(opening: StorageOpening, address: StorageAddress): Promise<MaintainedStore> {
  const { createS3Store } = await import('@waltz/storage-s3')
  return createS3Store(s3Options(opening, address))
}

/**
 * Every setting of SET 5.1 as the store takes it.
 * @throws Fault `invalid` `STORAGE_SETTING_INVALID` or `STORAGE_FILE_UNUSABLE`, naming settings.
 */
export function s3Options(opening: StorageOpening, { host }: StorageAddress): S3StoreOptions {
  const { settings } = opening
  const caFile = settings.s3CaCertFile
  return {
    ...networkOptions('s3', opening),
    bucket: host,
    ...placeOf(settings),
    credentials: credentialsOf(settings),
    ...connectionOptions(settings, settings.awsEndpoint, ['AWS_CA_BUNDLE', settings.awsCaBundle]),
    ...(caFile !== undefined && { ca: readAuthorities('S3_CA_CERT_FILE', caFile), onlyOwnAuthorities: true }),
    ...objectOptions(settings),
    ...transferOptions(settings),
    // Nothing here asks a put for the exact time, so no put is followed by a question for it.
    putInfo: 'quick',
    ...hearing(opening),
  }
}

/** What the store tells of its own accord. */
function hearing({ context, name }: StorageOpening): Pick<S3StoreOptions, 'onLeftover' | 'onNotice'> {
  return {
    onLeftover: ({ key, error }) =>
      context.report({
        type: 'storage-warning',
        storage: name,
        message: `what is left of an upload of ${key} could not be removed (${error instanceof Error ? error.message : 'unknown reason'}); waltz storage orphans lists it`,
      }),
    // Whose storage it is concerns nobody, and would be told by every single command.
    onNotice: ({ code, message }) => {
      if (code !== 'provider-found') context.report({ type: 'storage-warning', storage: name, message })
    },
  }
}

function placeOf(settings: Settings): Partial<S3StoreOptions> {
  const { awsEndpoint, awsRegion, s3EndpointSource, s3EndpointPort, s3EndpointProtocol, s3Provider, s3Engine } = settings
  return {
    ...(awsEndpoint !== undefined && { endpoint: awsEndpoint }),
    ...(awsRegion !== undefined && { region: awsRegion }),
    ...(s3Provider !== undefined && { provider: s3Provider }),
    engine: s3Engine,
    pathStyle: settings.awsS3ForcePathStyle,
    dualStack: settings.awsDualStack,
    accelerate: settings.s3Accelerate,
    ...(s3EndpointSource !== undefined && {
      endpointSource: {
        url: s3EndpointSource,
        port: s3EndpointPort,
        ...(s3EndpointProtocol !== undefined && { protocol: s3EndpointProtocol }),
      },
    }),
  }
}

function objectOptions(settings: Settings): Partial<S3StoreOptions> {
  const { s3StorageClass, s3Acl, s3RetentionPeriod, s3RetentionMode } = settings
  const encryption = encryptionOf(settings)
  const requestHeaders = parseHeaders('S3_REQUEST_ADDITIONAL_HEADERS', settings.s3RequestAdditionalHeaders)
  const tags = parseTextMap('WALTZ_S3_TAGS', settings.s3Tags)
  return {
    ...(s3StorageClass !== undefined && { storageClass: s3StorageClass }),
    ...(encryption !== undefined && { encryption }),
    ...(s3Acl !== undefined && { acl: s3Acl }),
    ...(requestHeaders !== undefined && { requestHeaders }),
    ...(tags !== undefined && { tags }),
    // WAL-G switches the lock off with a negative period; no period at all would lock nothing either.
    ...(s3RetentionPeriod > 0 && { objectLock: { mode: s3RetentionMode, periodMs: s3RetentionPeriod * 1000 } }),
    requesterPays: settings.s3RequesterPays,
  }
}

const MOST_KEYS_OF_A_DELETION = 1000

function transferOptions(settings: Settings): Partial<S3StoreOptions> {
  const { s3DeleteBatchSize, s3EnableVersioning } = settings
  return {
    partBytes: settings.s3MaxPartSize,
    uploadConcurrency: settings.uploadConcurrency,
    deleteBatch: s3DeleteBatchSize <= 0 ? MOST_KEYS_OF_A_DELETION : s3DeleteBatchSize,
    versioning: s3EnableVersioning === undefined ? 'ask' : (s3EnableVersioning as 'enabled' | 'disabled'),
    leaveMarkers: settings.s3KeepVersions,
    useListV1: settings.s3UseListObjectsV1,
    disable100Continue: settings.s3Disable100Continue,
    skipValidation: settings.s3SkipValidation,
  }
}

/** Yandex' metadata, a role, fixed keys, else the client's own chain (SET 5.1). */
function credentialsOf(settings: Settings): S3Credentials {
  if (settings.s3Anonymous) return { kind: 'anonymous' }
  if (settings.s3UseYcSessionToken) return { kind: 'instance', yandexSessionToken: true }
  const { awsRoleArn, awsRoleSessionName, awsWebIdentityTokenFile, s3StsEndpoint } = settings
  const own = keysOf(settings)
  const keys = own ?? chainOf(settings)
  if (awsRoleArn === undefined) return keys
  // Clusters put role and token file into every container; keys that a person gave are meant, as WAL-G takes it (SET 5.1).
  if (own !== undefined && awsWebIdentityTokenFile !== undefined) return own
  const role = {
    roleArn: awsRoleArn,
    ...(awsRoleSessionName !== undefined && { sessionName: awsRoleSessionName }),
    ...(s3StsEndpoint !== undefined && { stsEndpoint: s3StsEndpoint }),
  }
  if (awsWebIdentityTokenFile !== undefined) return { kind: 'web-identity', ...role, tokenFile: awsWebIdentityTokenFile }
  return { kind: 'role', ...role, source: keys }
}

function keysOf({ awsAccessKeyId, awsSecretAccessKey, awsSessionToken }: Settings): Extract<S3Credentials, { kind: 'static' }> | undefined {
  const accessKeyId = awsAccessKeyId?.trim() ?? ''
  const secretAccessKey = awsSecretAccessKey?.trim() ?? ''
  if (accessKeyId === '' && secretAccessKey === '') return undefined
  if (accessKeyId === '' || secretAccessKey === '')
    throw storageSettingFault(
      `${accessKeyId === '' ? 'AWS_SECRET_ACCESS_KEY is set and AWS_ACCESS_KEY_ID' : 'AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY'} is not`,
      'set both, or neither to use a profile, a role or the credentials of the instance',
    )
  return { kind: 'static', accessKeyId, secretAccessKey, ...(awsSessionToken !== undefined && { sessionToken: awsSessionToken.trim() }) }
}

function chainOf({ awsProfile, awsSharedCredentialsFile, awsConfigFile }: Settings): Extract<S3Credentials, { kind: 'chain' }> {
  return {
    kind: 'chain',
    ...(awsProfile !== undefined && { profile: awsProfile }),
    ...(awsSharedCredentialsFile !== undefined && { sharedCredentialsFile: awsSharedCredentialsFile }),
    ...(awsConfigFile !== undefined && { configFile: awsConfigFile }),
  }
}

function encryptionOf({ s3Sse, s3SseC, s3SseKmsId }: Settings): S3Encryption | undefined {
  if ((s3Sse === 'aws:kms') !== (s3SseKmsId !== undefined))
    throw storageSettingFault('S3_SSE_KMS_ID must be set if and only if S3_SSE is aws:kms', 'set both or none of them')
  if (s3SseC !== undefined) {
    if (s3Sse !== 'AES256')
      throw storageSettingFault(
        `S3_SSE_C needs S3_SSE=AES256${s3Sse === undefined ? '' : ', not aws:kms'}`,
        'without it WAL-G ignores the key and stores objects without it; set S3_SSE=AES256, or remove S3_SSE_C to go on as before',
      )
    return { kind: 'customer', algorithm: s3Sse, key: s3SseC }
  }
  if (s3Sse === undefined) return undefined
  return s3SseKmsId === undefined ? { kind: 'AES256' } : { kind: 'aws:kms', keyId: s3SseKmsId }
}
