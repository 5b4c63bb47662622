import { optionsFault } from '@waltz/storage'
import { LEAST_BUFFER_BYTES, type AzureStoreOptions } from './options.ts'

/** Azure's limit for one block. */
const MOST_BLOCK_BYTES = 4_194_304_000

const SUFFIXES: Readonly<Record<string, string>> = {
  AzureUSGovernmentCloud: 'core.usgovcloudapi.net',
  AzureChinaCloud: 'core.chinacloudapi.cn',
  AzureGermanCloud: 'core.cloudapi.de',
}
const PUBLIC_SUFFIX = 'core.windows.net'

/** Three to 63 lower-case letters, digits and single hyphens, or one of Azure's own. */
const CONTAINER = /^(?:\$root|\$web|(?=.{3,63}$)[a-z0-9]+(?:-[a-z0-9]+)*)$/
const ACCOUNT = /^[a-z0-9]{3,24}(?:-secondary)?$/
const HOST = /^[a-z0-9]+(?:[.-][a-z0-9]+)*$/i
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/
const API_VERSION = /^\d{4}-\d{2}-\d{2}$/

/**
 * Refuses what cannot work, before anything is sent.
 * @throws Fault `invalid` `STORAGE_OPTIONS_INVALID`; its message holds no secret.
 */
export function checkOptions(options: AzureStoreOptions): void {
  const { account, container, endpoint, bufferBytes, maxBuffers, tryTimeoutMs, apiVersion } = options
  require(CONTAINER.test(
    container,
  ), `${JSON.stringify(container)} cannot be the name of a container`, 'lower-case letters, digits and single hyphens, 3 to 63 of them')
  require(account !== '', 'the storage account is not named', 'set AZURE_STORAGE_ACCOUNT')
  require(endpoint !== undefined ||
    ACCOUNT.test(
      account,
    ), `${JSON.stringify(account)} cannot be the name of a storage account`, 'lower-case letters and digits, 3 to 24 of them')
  require(inRange(
    bufferBytes,
    LEAST_BUFFER_BYTES,
    MOST_BLOCK_BYTES,
  ), `a buffer of ${bufferBytes} bytes cannot be a block`, `from ${LEAST_BUFFER_BYTES} to ${MOST_BLOCK_BYTES}`)
  require(inRange(maxBuffers, 1, 1000), `${maxBuffers} buffers at a time are not possible`, 'from 1 to 1000')
  require(inRange(options.pageSize, 1, 5000), `a page cannot hold ${options.pageSize} entries`, 'from 1 to 5000')
  require(tryTimeoutMs === undefined || tryTimeoutMs > 0, `a try cannot take at most ${tryTimeoutMs} ms`)
  require(apiVersion === undefined ||
    API_VERSION.test(apiVersion), `${JSON.stringify(apiVersion)} is no version of the API`, 'it looks like 2021-12-02')
  checkCredentials(options)
}

function checkCredentials({ credentials }: AzureStoreOptions): void {
  if (credentials.kind === 'account-key')
    require(BASE64.test(credentials.accountKey), 'the access key of the storage account is not base64', 'copy it from the portal again')
  if (credentials.kind === 'sas')
    require(/(?:^|[?&])sig=/.test(
      credentials.sasToken,
    ), 'the SAS token holds no signature', 'copy the whole token, from "sv=" or "?" on; quote it, because of its "&"')
  if (credentials.kind === 'client-secret')
    require(credentials.tenantId !== '' &&
      credentials.clientId !== '' &&
      credentials.clientSecret !== '', 'tenant, client id and client secret belong together')
}

/**
 * URL of the account's blob service, without a slash at its end (SET 5.3).
 * @throws Fault `invalid` `STORAGE_OPTIONS_INVALID`.
 */
export function serviceUrl({ account, environment, endpointSuffix, endpoint }: AzureStoreOptions): URL {
  if (endpoint === undefined) {
    const suffix = endpointSuffix ?? SUFFIXES[environment ?? ''] ?? PUBLIC_SUFFIX
    require(HOST.test(suffix), `${JSON.stringify(suffix)} cannot be the suffix of an endpoint`, 'it looks like core.windows.net')
    return new URL(`https://${account}.blob.${suffix}`)
  }
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined
  const sound = url !== undefined && ['http:', 'https:'].includes(url.protocol) && url.search === '' && url.username === ''
  if (!sound) throw optionsFault('the endpoint is not a plain URL', 'it begins with https:// or http:// and has no "?" and no user')
  return url
}

function inRange(value: number | undefined, least: number, most: number): boolean {
  return value === undefined || (Number.isSafeInteger(value) && value >= least && value <= most)
}

function require(sound: boolean, message: string, hint?: string): void {
  if (!sound) throw optionsFault(message, hint)
}
