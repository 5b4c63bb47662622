import type { SettingRows, SettingsOf } from './setting-row.ts'
import { backupRows } from './table/backup-rows.ts'
import { connectionRows } from './table/connection-rows.ts'
import { deltaRows } from './table/delta-rows.ts'
import { encryptionRows } from './table/encryption-rows.ts'
import { failoverRows } from './table/failover-rows.ts'
import { googleAzureRows } from './table/google-azure-rows.ts'
import { networkRows } from './table/network-rows.ts'
import { ossRows } from './table/oss-rows.ts'
import { processRows } from './table/process-rows.ts'
import { s3AccessRows } from './table/s3-access-rows.ts'
import { s3TransferRows } from './table/s3-transfer-rows.ts'
import { sshRows } from './table/ssh-rows.ts'
import { storageRows } from './table/storage-rows.ts'
import { swiftRows } from './table/swift-rows.ts'
import { walRows } from './table/wal-rows.ts'

/** The rows of every setting that Waltz knows, by the key of their value. */
export type SettingsTable = typeof storageRows &
  typeof networkRows &
  typeof connectionRows &
  typeof backupRows &
  typeof walRows &
  typeof processRows &
  typeof deltaRows &
  typeof encryptionRows &
  typeof failoverRows &
  typeof s3AccessRows &
  typeof s3TransferRows &
  typeof googleAzureRows &
  typeof ossRows &
  typeof swiftRows &
  typeof sshRows

const rows: SettingsTable & SettingRows = {
  ...storageRows,
  ...networkRows,
  ...connectionRows,
  ...backupRows,
  ...walRows,
  ...processRows,
  ...deltaRows,
  ...encryptionRows,
  ...failoverRows,
  ...s3AccessRows,
  ...s3TransferRows,
  ...googleAzureRows,
  ...ossRows,
  ...swiftRows,
  ...sshRows,
}

/** Every setting that Waltz knows: its own, and all of WAL-G's for PostgreSQL, those that have no effect yet included. */
export const settingsTable: SettingsTable = rows

/**
 * The values of the settings that Waltz acts on. Keys are the names in camel case without WALG_ or WALTZ_; durations
 * are in milliseconds, sizes and rate limits in bytes, `pgWalSize` in MiB, JSON settings are checked JSON text.
 */
export type Settings = SettingsOf<SettingsTable>
