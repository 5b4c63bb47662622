/**
 * Settings to parts to one object: a repository with all that can be done to it. What other programs embed, and what
 * the command line stands on.
 */
export { kitSettings, openBackupKit, type BackupKit, type KitOptions } from './backup-kit.ts'
export type { KitEvent, KitSurroundings } from './surroundings.ts'
export { openFormat, type OpenedFormat } from './open-format.ts'
export type { CheckEncryptionOptions, EncryptionCheck, EncryptionFinding, EncryptionRow } from './encryption/check-encryption.ts'
export type { RotatedEncryption, RotateEncryptionOptions } from './encryption/rotate-encryption.ts'
export { openStore } from './open-store.ts'
export { openBackend, type Backend } from './open-backend.ts'
export { createStorageContext, type StorageContext, type StorageEvent } from './storage-context.ts'
export type { StorageOpening } from './network-settings.ts'
export type {
  Catalogue,
  CatalogueEntry,
  CatalogueFinding,
  CatalogueFindingKind,
  CatalogueIncrement,
  CatalogueStatus,
  FolderSum,
  ForeignObjects,
  SilentStorage,
} from './catalogue/catalogue-entry.ts'
export { createBackupChains, type BackupChains } from './catalogue/backup-chains.ts'
export type { CatalogueWal, KitCatalogue, KitDescribeOptions, KitGarbageOptions, KitReadOptions } from './catalogue/kit-catalogue.ts'
export type { BackupDescription } from './catalogue/describe-backup.ts'
export type { GarbageFinding, GarbageKind, GarbageReport } from './catalogue/find-garbage.ts'
export type { MarkedBackup, MarkResult } from './catalogue/mark-backup.ts'
export type { BackupWal, RestorableWindow } from './catalogue/wal-findings.ts'
export type { BackupReadOptions, KitBackups, StoredBackup } from './kit-backups.ts'
export type { KitStorage, StoragesOptions } from './kit-storage.ts'
export { walArchiveFromSettings, type WalArchiveChoices, type WalArchiveParts } from './wal-archive-from-settings.ts'
export type { ApplyRemovalOptions, KeptObject, RemovalResult } from './removal/apply-removal.ts'
export {
  totalOf,
  type ObjectSum,
  type PlannedObject,
  type RemovalDecision,
  type RemovalNote,
  type RemovalPhase,
  type RemovalPlan,
  type WalDecision,
  type WalSum,
} from './removal/removal-plan.ts'
export type { FullsWord, PlanRemovalOptions, RemovalEvent, RemovalWish } from './removal/removal-request.ts'
export type { PushBackupOptions, StoredPushedBackup } from './push.ts'
export type { RestoreBackupOptions, RestoredBackup, RestorePlan } from './restore.ts'
/** What a program that embeds the kit names: it need not depend on the packages below. */
export { Fault, isFault, type FaultKind } from '@waltz/errors'
export type { PushedBackup, PushEvent, RecoveryWish, RestoreEvent } from '@waltz/pg-physical-backup'
export type { BackupCatalog, BackupMetadata, BackupSelector, BackupSummary, Sentinel, TablespaceSpec } from '@waltz/repository'
export type { Settings } from '@waltz/settings'
export type { MaintainedStore, ObjectStore, StoreMaintenance } from '@waltz/storage'
export type { WalArchive, WalArchiveEvent } from '@waltz/wal-archive'
export { faultCodes } from './fault-codes.ts'
