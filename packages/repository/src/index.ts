/**
 * The layout and the documents of a WAL-G repository: names, sentinel, metadata and file lists, sealing, the catalogue of
 * backups, and the objects that Waltz adds beside them. The only package that knows them.
 */
export {
  backupFolder,
  backupsFolder,
  clusterIdentityKey,
  controlPartName,
  filesMetadataKey,
  labelPartName,
  leaseKey,
  manifestKey,
  metadataKey,
  partKey,
  partName,
  partRole,
  partsPrefix,
  sentinelKey,
  sentinelSuffix,
  walFolder,
  walKey,
  waltzFolder,
} from './layout.ts'
export { backupOfSentinelKey, formatBackupName, parseBackupName, strippedName, walFileNameOf, type BackupName } from './backup-name.ts'
export {
  compareByBytes,
  isRawNumber,
  parseJson,
  stringifyJson,
  type JsonOrigin,
  type JsonStyle,
  type JsonValue,
  type RawNumber,
} from './json-text.ts'
export { jsonEquals } from './json-equal.ts'
export { fieldReader, type FieldReader, type FieldReaderOptions } from './field-reader.ts'
export {
  DATE_FORMAT,
  formatBackupTime,
  formatFileTime,
  formatTimestamp,
  parseTimestamp,
  ZERO_TIMESTAMP,
  type OffsetAt,
  type Timestamp,
} from './timestamp.ts'
export type { Sentinel, TablespaceSpec } from './sentinel.ts'
export { decodeSentinel, encodeSentinel } from './sentinel-json.ts'
export type { BackupMetadata } from './metadata.ts'
export { decodeMetadata, encodeMetadata } from './metadata-json.ts'
export { withPermanence } from './metadata-permanence.ts'
export { decodeTablespaceSpec, encodeTablespaceSpec, parseRestoreSpec, type TablespaceSpecOptions } from './tablespace-spec.ts'
export type {
  Batched,
  CorruptBlocks,
  DatabaseRecord,
  FileRecord,
  FilesMetadataContent,
  FilesMetadataEvent,
  RelationRecord,
  TableRecord,
  TarFileSet,
} from './files-metadata.ts'
export { encodeFilesMetadata } from './files-metadata-writer.ts'
export { readFilesMetadata, type ReadFilesMetadataOptions } from './files-metadata-reader.ts'
export { looksEncrypted } from './check-framing.ts'
export {
  createSealedFormat,
  type OpenSteps,
  type SealedFormat,
  type SealedFormatOptions,
  type SealingCipher,
  type SealSteps,
} from './sealed-format.ts'
export { backupNotFoundFault, metadataNotFoundFault, noBackupFault } from './backup-faults.ts'
export {
  createBackupCatalog,
  parseBackupSelector,
  type BackupCatalog,
  type BackupPosition,
  type BackupSelector,
  type BackupSummary,
  type CatalogStore,
} from './backup-catalog.ts'
export type { ToolIdentity } from './own-record.ts'
export { decodeManifest, encodeManifest, type BackupManifest, type ManifestPart, type StoredForm } from './manifest.ts'
export { decodeClusterIdentity, encodeClusterIdentity, type ClusterIdentity } from './cluster-identity.ts'
export { createLease, type Lease, type LeaseKeeping, type LeaseOptions } from './lease.ts'
export { readLease, type LeaseRecord, type StoredLease } from './lease-record.ts'
export { faultCodes } from './fault-codes.ts'
