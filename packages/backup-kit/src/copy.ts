/**
 * Copies of backups and WAL between two repositories, whatever storages, codecs and keys they have. Apart from the other entry because
 * nothing that backs up, archives or restores needs it; also what keeps deletions away while backups change their place.
 */
export { copyBackups } from './copy/copy-backups.ts'
export { copyBetweenKits, type CopyKitsOptions } from './copy/copy-between-kits.ts'
export type {
  CopiedBackup,
  CopyEvent,
  CopyFailure,
  CopyOptions,
  CopyOutcome,
  CopyResult,
  CopySide,
  LeftReason,
  MissingWal,
} from './copy/copy-options.ts'
export { withRemovalLeases, type RemovalLeaseOptions } from './removal/removal-leases.ts'
