import type { Azurite } from './azurite.ts'
import type { Radosgw } from './radosgw.ts'
import type { Sshd } from './sshd.ts'
import type { Swift } from './swift.ts'
import type { SwiftAccount } from './swift-request.ts'

/** Settings of a storage by their names, as the environment of `waltz` takes them. */
export type StorageEnvironment = Readonly<Record<string, string>>

/** A repository in a new bucket of radosgw, below `folder` in it. */
export async function s3Environment(server: Radosgw, folder = 'repository'): Promise<StorageEnvironment> {
  return {
    WALG_S3_PREFIX: `s3://${await server.createBucket()}/${folder}`,
    AWS_ENDPOINT: server.endpoint,
    AWS_REGION: server.region,
    AWS_S3_FORCE_PATH_STYLE: 'true',
    AWS_ACCESS_KEY_ID: server.accessKeyId,
    AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
  }
}

/** A repository in a new container of Azurite, below `folder` in it. */
export async function azureEnvironment(server: Azurite, folder = 'repository'): Promise<StorageEnvironment> {
  return {
    WALG_AZ_PREFIX: `azure://${await server.createContainer()}/${folder}`,
    AZURE_STORAGE_ACCOUNT: server.account,
    AZURE_STORAGE_ACCESS_KEY: server.accountKey,
    WALTZ_AZURE_ENDPOINT: server.endpoint,
  }
}

/** A repository in a new container of Swift, or of the Swift that radosgw speaks, below `folder` in it. */
export async function swiftEnvironment(server: Swift | Radosgw, folder = 'repository'): Promise<StorageEnvironment> {
  const account: SwiftAccount = 'swift' in server ? server.swift : server
  return {
    WALG_SWIFT_PREFIX: `swift://${await server.createContainer()}/${folder}`,
    OS_AUTH_URL: account.authUrl,
    OS_USERNAME: account.user,
    OS_PASSWORD: account.key,
  }
}

/** A repository in a new, empty folder of an SFTP server; the way in is the key. */
export async function sshEnvironment(server: Sshd): Promise<StorageEnvironment> {
  return {
    WALG_SSH_PREFIX: `ssh://${server.host}${await server.createFolder()}`,
    SSH_PORT: String(server.port),
    SSH_USERNAME: server.user,
    SSH_PRIVATE_KEY_PATH: server.privateKeyFile,
    WALTZ_SSH_KNOWN_HOSTS: server.knownHostsFile,
  }
}
