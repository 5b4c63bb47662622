import type { Settings } from '@waltz/settings'
import type { MaintainedStore } from '@waltz/storage'
import type { AzureCredentials, AzureStoreOptions } from '@waltz/storage-azure'
import { connectionOptions, networkOptions, type StorageOpening } from './network-settings.ts'
import { storageSettingFault } from './setting-file.ts'
import type { StorageAddress } from './storage-address.ts'

/** Opens the container that WALG_AZ_PREFIX names. Makes no request. */
export async function openAzure(opening: StorageOpening, address: StorageAddress): Promise<MaintainedStore> {
  const { createAzureStore } = await import('@waltz/storage-azure')
  return createAzureStore(azureOptions(opening, address))
}

const MS_PER_MINUTE = 60_000

/**
 * Every setting of SET 5.3 as the store takes it.
 * @throws Fault `invalid` `STORAGE_SETTING_INVALID` without an account.
 */
export function azureOptions(opening: StorageOpening, { host }: StorageAddress): AzureStoreOptions {
  const { settings } = opening
  const { azureStorageAccount, azureEndpointSuffix, azureEndpoint, azureBlobStoreApiVersion } = settings
  if (azureStorageAccount === undefined)
    throw storageSettingFault('AZURE_STORAGE_ACCOUNT is not set', 'Azure needs the name of the account')
  return {
    ...networkOptions('az', opening),
    account: azureStorageAccount,
    container: host,
    credentials: credentialsOf(settings),
    ...connectionOptions(settings, azureEndpoint),
    environment: settings.azureEnvironmentName,
    ...(azureEndpointSuffix !== undefined && { endpointSuffix: azureEndpointSuffix }),
    ...(azureEndpoint !== undefined && { endpoint: azureEndpoint }),
    bufferBytes: settings.azureBufferSize,
    maxBuffers: settings.azureMaxBuffers,
    tryTimeoutMs: settings.azureTryTimeout * MS_PER_MINUTE,
    ...(azureBlobStoreApiVersion !== undefined && { apiVersion: azureBlobStoreApiVersion }),
    removeVersions: !settings.azureKeepVersions,
  }
}

/** The account's key, else the signed token, else the client's own chain (SET 5.3). */
function credentialsOf({ azureStorageAccessKey, azureStorageSasToken }: Settings): AzureCredentials {
  if (azureStorageAccessKey !== undefined) return { kind: 'account-key', accountKey: azureStorageAccessKey.trim() }
  if (azureStorageSasToken !== undefined) return { kind: 'sas', sasToken: azureStorageSasToken.trim() }
  return { kind: 'default' }
}
