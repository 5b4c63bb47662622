/**
 * Restoring: a plan that says everything beforehand, the extraction, and the recovery settings that take a copy to a
 * chosen moment.
 */
export { planRestore, restoreBackup } from './restore-backup.ts'
export type {
  ApplyRestoreOptions,
  PlannedBackup,
  PlannedPart,
  PlannedWal,
  RecoveryWish,
  RestoreEvent,
  RestorePlan,
  RestoreRequest,
  RestoreResult,
} from './restore-options.ts'
export {
  describeTarget,
  parseRecoveryFlags,
  type RecoveryFlags,
  type RecoveryRequest,
  type RecoveryTarget,
  type TargetAction,
  type TargetTimeline,
} from './recovery-target.ts'
export { formatMoment, parseTargetTime, type LocalOffset, type TargetTime, type WallClock } from './target-time.ts'
export {
  applyRecoveryBlock,
  formatRestoreCommand,
  planRecovery,
  type RecoveryPlan,
  type RecoveryPlanInput,
  type RestoreCommandParts,
} from './recovery-settings.ts'
export {
  chooseBackup,
  reachableWindow,
  type ArchivedTimeline,
  type ArchiveSurvey,
  type BackupCandidate,
  type BackupChoice,
  type ChoiceRequest,
} from './choose-backup.ts'
export { surveyArchive, type ArchiveReader } from './survey-archive.ts'
export { mapTablespaces, type MappedTablespace, type TablespaceMapping } from './tablespace-mapping.ts'
export type { DestinationState } from './destination.ts'
export type { SkippedMember } from './part-tally.ts'
export type { SyncMethod } from './sync-tree.ts'
export { restoreFaultCodes } from './fault-codes.ts'
