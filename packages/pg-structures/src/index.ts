/**
 * Facts about PostgreSQL's files: bytes or text in, values out. Positions, timelines and WAL file names; pg_control; data
 * pages and their checksums; WAL pages and records; history files, backup labels and relation paths. No I/O, no clock,
 * no Node module: it runs wherever JavaScript does.
 */
export type { BlockNumber, Lsn, SystemIdentifier, TimelineId, WalFileName } from './names.ts'
export {
  formatLsn,
  formatSystemIdentifier,
  formatTimelineId,
  lsn,
  parseLsn,
  parseSystemIdentifier,
  parseTimelineId,
  systemIdentifier,
  timelineId,
} from './identifiers.ts'
export {
  addSegments,
  backupHistoryName,
  classifyWalFileName,
  DEFAULT_SEGMENT_BYTES,
  isSegmentBytes,
  MAX_SEGMENT_BYTES,
  MIN_SEGMENT_BYTES,
  parseWalFileName,
  partialName,
  segmentName,
  segmentNumberBefore,
  segmentNumberFromName,
  segmentNumberOf,
  segmentsPerHigh,
  segmentStart,
  timelineHistoryName,
  type WalFileKind,
} from './wal-names.ts'
export { decodeWalPageHeader, serverVersionOfWalMagic, WAL_PAGE_FLAGS, type WalPageHeader } from './wal-page.ts'
export {
  checkSegmentHeader,
  type SegmentHeaderClaim,
  type SegmentHeaderProblem,
  type SegmentHeaderProblemKind,
} from './check-segment-header.ts'
export {
  createSegmentRecordCheck,
  type SegmentEnding,
  type SegmentRecordCheck,
  type SegmentRecordCheckOptions,
  type SegmentRecordResult,
} from './segment-record-check.ts'
export type { SegmentProblem, SegmentProblemKind } from './segment-walk-state.ts'
export type { WalRecord } from './wal-record.ts'
export { createSegmentTimeScan, decodeRecordTime, type RecordTime, type SegmentTimes, type SegmentTimeScan } from './record-time.ts'
export { decodeControlFile, type ClusterState, type ControlFile } from './control-file.ts'
export { isBlockBytes, pageChecksum } from './page-checksum.ts'
export { verifyPages, type BadPage, type PageRange } from './verify-pages.ts'
export { parseTimelineHistory, timelineAt, type TimelineHistory, type TimelineSwitch } from './timeline-history.ts'
export { parseBackupLabel, type BackupLabel } from './backup-label.ts'
export { firstBlockOf, initForkPath, isRelationFork, parseRelationPath, type RelationFile, type RelationFork } from './relation-path.ts'
export { crc32c, type Crc32c } from './crc32c.ts'
export { faultCodes } from './fault-codes.ts'
