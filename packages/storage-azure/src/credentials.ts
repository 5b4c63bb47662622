import { rootCertificates } from 'node:tls'
import { isExemptFromProxy } from '@waltz/network'
import { optionsFault } from '@waltz/storage'
import type { AnonymousCredential, StorageSharedKeyCredential } from '@azure/storage-blob'
import type * as Identity from '@azure/identity'
import type { DefaultAzureCredentialOptions, TokenCredential } from '@azure/identity'
import type { AzureStoreOptions } from './options.ts'

/** What the SDK signs with. A SAS token is part of the URL, so its credential is none. */
export type SdkCredential = AnonymousCredential | StorageSharedKeyCredential | TokenCredential

/** Makes the SDK's credential. `@azure/identity` is loaded only where tokens are asked for. */
export async function sdkCredential(options: AzureStoreOptions, service: URL): Promise<SdkCredential> {
  const { credentials, account } = options
  if (credentials.kind === 'account-key') {
    const { StorageSharedKeyCredential } = await import('@azure/storage-blob')
    return new StorageSharedKeyCredential(account, credentials.accountKey)
  }
  if (credentials.kind === 'sas') {
    const { AnonymousCredential } = await import('@azure/storage-blob')
    return new AnonymousCredential()
  }
  const identity = await import('@azure/identity')
  try {
    return tokenCredential(identity, options, connectionOptions(options, service))
  } catch (error) {
    // It throws at once for a tenant or an address that cannot be one; its words hold no secret.
    throw optionsFault(`these Azure credentials cannot be used: ${(error as Error).message.split('\n', 1)[0]}`)
  }
}

function tokenCredential(
  identity: Pick<typeof Identity, 'ManagedIdentityCredential' | 'DefaultAzureCredential' | 'ClientSecretCredential'>,
  { credentials }: AzureStoreOptions,
  connection: DefaultAzureCredentialOptions,
): TokenCredential {
  if (credentials.kind === 'managed-identity') {
    // The metadata service is on this machine's own network: no proxy reaches it.
    const { proxyOptions: _past, ...direct } = connection
    const { clientId } = credentials
    return clientId === undefined
      ? new identity.ManagedIdentityCredential(direct)
      : new identity.ManagedIdentityCredential({ ...direct, clientId })
  }
  if (credentials.kind !== 'client-secret') return new identity.DefaultAzureCredential(connection)
  const { tenantId, clientId, clientSecret, authorityHost } = credentials
  const options = authorityHost === undefined ? connection : { ...connection, authorityHost }
  return new identity.ClientSecretCredential(tenantId, clientId, clientSecret, options)
}

/** What follows the `?` of every URL; empty without a SAS token. */
export function sasQuery({ credentials }: AzureStoreOptions): string {
  return credentials.kind === 'sas' ? credentials.sasToken.trim().replace(/^\?/, '') : ''
}

/** Tokens are fetched by the identity library's own client: one try more when the first fails, through the same proxy, trusting the same authorities. */
function connectionOptions({ proxy, noProxy, ca }: AzureStoreOptions, service: URL): DefaultAzureCredentialOptions {
  const url = proxy === undefined || proxy === '' || isExemptFromProxy(service, noProxy) ? undefined : new URL(proxy)
  return {
    retryOptions: { maxRetries: 1 },
    ...(url === undefined
      ? {}
      : {
          proxyOptions: {
            host: `${url.protocol}//${url.hostname}`,
            port: Number(url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : url.port),
            ...(url.username === '' ? {} : { username: decodeURIComponent(url.username), password: decodeURIComponent(url.password) }),
          },
        }),
    ...(ca === undefined ? {} : { tlsOptions: { ca: [...rootCertificates, ca] } }),
  }
}
