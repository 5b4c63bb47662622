import { Buffer } from 'node:buffer'
import type { MaintainedStore } from '@waltz/storage'
import type { GcsCredentials, GcsStoreOptions } from '@waltz/storage-gcs'
import { connectionOptions, networkOptions, type StorageOpening } from './network-settings.ts'
import { readSettingFile, settingFileFault, storageSettingFault } from './setting-file.ts'
import type { StorageAddress } from './storage-address.ts'

/** Opens the bucket that WALG_GS_PREFIX names. Makes no request. */
export async function openGcs(opening: StorageOpening, address: StorageAddress): Promise<MaintainedStore> {
  const { createGcsStore } = await import('@waltz/storage-gcs')
  return createGcsStore(gcsOptions(opening, address))
}

const KEY_BYTES = 32

/**
 * Every setting of SET 5.2 as the store takes it.
 * @throws Fault `invalid` `STORAGE_SETTING_INVALID` or `STORAGE_FILE_UNUSABLE`, naming settings.
 */
export function gcsOptions(opening: StorageOpening, { host }: StorageAddress): GcsStoreOptions {
  const { settings } = opening
  const { gcsEndpoint, gcsEncryptionKey, gcsUserProject, gcsStorageClass } = settings
  return {
    ...networkOptions('gs', opening),
    bucket: host,
    credentials: credentialsOf(settings.gcsAnonymous, settings.googleApplicationCredentials),
    ...connectionOptions(settings, gcsEndpoint),
    ...(gcsEndpoint !== undefined && { apiEndpoint: gcsEndpoint }),
    ...(gcsEncryptionKey !== undefined && { encryptionKey: decodeKey(gcsEncryptionKey) }),
    ...(gcsUserProject !== undefined && { userProject: gcsUserProject }),
    ...(gcsStorageClass !== undefined && { storageClass: gcsStorageClass }),
    chunkBytes: settings.gcsMaxChunkSize,
    pieceConcurrency: settings.gcsPieceConcurrency,
    engine: settings.gcsEngine,
    contextTimeoutMs: settings.gcsContextTimeout * 1000,
    keepVersions: settings.gcsKeepVersions,
  }
}

/** The key is read here, so that one that is of no use is known before anything else happens. */
function credentialsOf(isAnonymous: boolean, file: string | undefined): GcsCredentials {
  if (isAnonymous) return { kind: 'none' }
  if (file === undefined) return { kind: 'default' }
  const setting = 'GOOGLE_APPLICATION_CREDENTIALS'
  const key = parseKey(readSettingFile(setting, file))
  if (key === undefined) throw settingFileFault(setting, 'holds no credentials in JSON')
  return { kind: 'key', key }
}

function parseKey(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const key: unknown = JSON.parse(text)
    return typeof key === 'object' && key !== null && 'type' in key ? { ...key } : undefined
  } catch {
    return undefined // the message of the parser quotes the text
  }
}

function decodeKey(text: string): Uint8Array {
  const key = Buffer.from(text.trim(), 'base64')
  if (key.length === KEY_BYTES) return new Uint8Array(key)
  throw storageSettingFault('GCS_ENCRYPTION_KEY is not the base64 form of exactly 32 bytes', 'make one with: openssl rand -base64 32')
}
