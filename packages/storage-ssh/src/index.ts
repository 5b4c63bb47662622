/**
 * An `ObjectStore` in a folder of a server that is reached by SSH (SFTP), in the layout of WAL-G's SSH storage: one file per object,
 * sub-folders for the '/' in keys, uploads under temporary names in the same folder.
 */
export { createSshStore, type SshServer, type SshStore } from './ssh-store.ts'
export {
  DEFAULT_SSH_CONNECTIONS,
  DEFAULT_SSH_PORT,
  type KnownHostsFile,
  type SshAlgorithms,
  type SshAuthentication,
  type SshHostKeys,
  type SshKeepAlive,
  type SshPrivateKey,
  type SshStoreOptions,
} from './options.ts'
export { faultCodes } from './fault-codes.ts'
