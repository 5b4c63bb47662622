import type { Settings, StorageKind } from '@waltz/settings'
import type { NetworkStoreOptions } from '@waltz/storage'
import { randomHex } from './random.ts'
import { readSettingFile, settingFileFault } from './setting-file.ts'
import type { StorageContext } from './storage-context.ts'
import { retryPolicyFor, retrySettingsFor } from './storage-retry.ts'

/** What a storage is opened with. */
export interface StorageOpening {
  readonly settings: Settings
  readonly context: StorageContext
  /** What the storage is called: `default`, or the name of a further one. */
  readonly name: string
}

/** How HTTP storages connect. */
export interface ConnectionOptions {
  readonly proxy?: string
  readonly noProxy?: string
  readonly ca?: string
}

/** What every storage behind a network has in common. */
export function networkOptions(kind: StorageKind, { settings, context, name }: StorageOpening): NetworkStoreOptions {
  return {
    retry: retryPolicyFor(retrySettingsFor(kind, settings), name, context),
    budget: context.budget,
    connectTimeoutMs: settings.storageConnectTimeout,
    idleTimeoutMs: settings.storageIdleTimeout,
    now: context.surroundings.now,
    sleep: context.sleep,
    randomHex,
  }
}

/**
 * Proxy and authorities for an endpoint: WALTZ_HTTP_PROXY, else HTTPS_PROXY or HTTP_PROXY by the protocol of the endpoint.
 * @throws Fault `invalid` `STORAGE_FILE_UNUSABLE` for a file of authorities that cannot be used.
 */
export function connectionOptions(
  settings: Settings,
  endpoint: string | undefined,
  ...caFiles: readonly (readonly [setting: string, path: string | undefined])[]
): ConnectionOptions {
  const isPlain = endpoint?.toLowerCase().startsWith('http://') === true
  const proxy = settings.httpProxy ?? (isPlain ? settings.systemHttpProxy : settings.systemHttpsProxy)
  const noProxy = settings.noProxy ?? settings.systemNoProxy
  const ca = [...caFiles, ['WALTZ_CA_FILE', settings.caFile] as const]
    .flatMap(([setting, path]) => (path === undefined ? [] : [readAuthorities(setting, path)]))
    .join('\n')
  return { ...(proxy !== undefined && { proxy }), ...(noProxy !== undefined && { noProxy }), ...(ca !== '' && { ca }) }
}

/**
 * Certificates in PEM form.
 * @throws Fault `invalid` `STORAGE_FILE_UNUSABLE` for a file without one.
 */
export function readAuthorities(setting: string, path: string): string {
  const text = readSettingFile(setting, path)
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text
  throw settingFileFault(setting, 'holds no certificate in PEM form')
}
