import type { NetworkStoreOptions } from '@waltz/storage'

/** What an Azure store is made from. */
export interface AzureStoreOptions extends NetworkStoreOptions {
  /** The storage account (`AZURE_STORAGE_ACCOUNT`). */
  readonly account: string
  /** The container: the host of an `azure://container/path` prefix. It must exist: Waltz never creates one. */
  readonly container: string
  readonly credentials: AzureCredentials
  /**
   * Name of the cloud (`AZURE_ENVIRONMENT_NAME`): `AzureUSGovernmentCloud`, `AzureChinaCloud`, `AzureGermanCloud`; anything else is
   * the public one (SET 5.3).
   */
  readonly environment?: string
  /** Replaces the suffix of the cloud (`AZURE_ENDPOINT_SUFFIX`), such as `core.windows.net`. */
  readonly endpointSuffix?: string
  /**
   * The whole URL of the account's blob service, for servers of one's own and private clouds, such as
   * `http://127.0.0.1:10000/devstoreaccount1`; replaces environment and suffix.
   */
  readonly endpoint?: string
  /** Bytes of one block, and the most that are stored in one request (`AZURE_BUFFER_SIZE`). 8 MiB unless given, at least 1024. */
  readonly bufferBytes?: number
  /** Blocks of one object in flight (`AZURE_MAX_BUFFERS`). 4 unless given, at least 1. The byte budget comes first. */
  readonly maxBuffers?: number
  /**
   * The longest that one try of a request may take, bytes moving or not (`AZURE_TRY_TIMEOUT`, there in minutes). Bodies of downloads
   * are not counted, since a slow reader would be cut off: they have the idle time-out only. None unless given.
   */
  readonly tryTimeoutMs?: number
  /** Sent as `x-ms-version` with every request (`AZURE_BLOB_STORE_API_VERSION`), such as `2021-12-02`. The SDK's own unless given. */
  readonly apiVersion?: string
  /** URL of an HTTP proxy; undefined or empty: none. */
  readonly proxy?: string
  /** Hosts that are reached without it. */
  readonly noProxy?: string
  /** Certificates in PEM form, trusted besides those that Node trusts. */
  readonly ca?: string
  /** Entries of one page of a listing. The service's own, 5000, unless given; smaller ones are for tests. */
  readonly pageSize?: number
  /**
   * In an account that keeps versions, `delete` removes all versions of an object, so that its bytes are really gone. True unless
   * given; false leaves the old versions to the rules of the account. Snapshots go in any case.
   */
  readonly removeVersions?: boolean
}

/** Who asks. Names and ids are no secrets; keys, tokens and client secrets appear in no message. */
export type AzureCredentials =
  /** Base64, as the portal shows it (`AZURE_STORAGE_ACCESS_KEY`). */
  | { readonly kind: 'account-key'; readonly accountKey: string }
  /** With or without the leading `?` (`AZURE_STORAGE_SAS_TOKEN`). */
  | { readonly kind: 'sas'; readonly sasToken: string }
  /** The SDK's chain: environment, workload identity, managed identity, the tools that somebody is signed in with. */
  | { readonly kind: 'default' }
  /** The identity of this machine; `clientId` names a user-assigned one. */
  | { readonly kind: 'managed-identity'; readonly clientId?: string }
  /** A registered application. `authorityHost` is the sign-in URL of another cloud. */
  | {
      readonly kind: 'client-secret'
      readonly tenantId: string
      readonly clientId: string
      readonly clientSecret: string
      readonly authorityHost?: string
    }

/** Unless given: WAL-G's (SET 5.3). */
export const DEFAULT_BUFFER_BYTES = 8_388_608
/** Unless given: WAL-G's (SET 5.3). */
export const DEFAULT_MAX_BUFFERS = 4
/** The smallest block. */
export const LEAST_BUFFER_BYTES = 1024
