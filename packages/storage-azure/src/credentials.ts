import { isExemptFromProxy } from '@waltz/network'
import type { AnonymousCredential, StorageSharedKeyCredential } from '@azure/storage-blob'
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
  const connection = connectionOptions(options, service)
  switch (credentials.kind) {
    case 'default':
      return new identity.DefaultAzureCredential(connection)
    case 'managed-identity':
      return credentials.clientId === undefined
        ? new identity.ManagedIdentityCredential(connection)
        : new identity.ManagedIdentityCredential({ ...connection, clientId: credentials.clientId })
    case 'client-secret':
      return new identity.ClientSecretCredential(credentials.tenantId, credentials.clientId, credentials.clientSecret, {
        ...connection,
        ...(credentials.authorityHost === undefined ? {} : { authorityHost: credentials.authorityHost }),
      })
  }
}

/** What follows the `?` of every URL; empty without a SAS token. */
export function sasQuery({ credentials }: AzureStoreOptions): string {
  return credentials.kind === 'sas' ? credentials.sasToken.trim().replace(/^\?/, '') : ''
}

/** Tokens are fetched by the identity library's own client: one try each, through the same proxy, trusting the same authorities. */
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
    ...(ca === undefined ? {} : { tlsOptions: { ca } }),
  }
}
