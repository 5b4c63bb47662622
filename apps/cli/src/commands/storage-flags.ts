import type { FlagDefinition } from '../command.ts'

/** Which of the configured storages a command works on. */
export const targetFlag: FlagDefinition = {
  name: 'target',
  short: 't',
  type: 'string',
  valueName: 'NAME',
  summary: 'Storage to work on: "default", the name of a failover storage, or "all"; default: default',
}

/** What the help of commands that only need a storage lists. */
export const storageSettings: readonly string[] = ['WALG_FILE_PREFIX', 'WALG_S3_PREFIX', 'WALG_STORAGE_PREFIX', 'WALG_FAILOVER_STORAGES']
