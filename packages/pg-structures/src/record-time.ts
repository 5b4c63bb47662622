import type { Lsn } from './names.ts'
import { createSegmentRecordCheck, type SegmentRecordCheckOptions, type SegmentRecordResult } from './segment-record-check.ts'
import { RM_XACT, RM_XLOG, type WalRecord } from './wal-record.ts'

/** A moment that a record of the WAL carries: what `recovery_target_time` is compared with. */
export interface RecordTime {
  readonly kind: 'commit' | 'abort' | 'restore-point'
  /** Where the record begins. */
  readonly lsn: Lsn
  /** Microseconds since 1970-01-01 UTC, all digits. */
  readonly unixMicroseconds: bigint
  /** The same, cut to whole milliseconds. */
  readonly time: Date
  /** The name of a restore point, undefined for others. */
  readonly name: string | undefined
}

/** 2000-01-01 UTC, from which PostgreSQL counts. */
const POSTGRES_EPOCH_MICROSECONDS = 946_684_800_000_000n
const RESTORE_POINT = 0x70
/** `xl_info & 0x70` of the XACT records that end a transaction, prepared ones included. */
const XACT_KINDS: ReadonlyMap<number, 'commit' | 'abort'> = new Map([
  [0x00, 'commit'],
  [0x30, 'commit'],
  [0x20, 'abort'],
  [0x40, 'abort'],
])

function kindOf(record: WalRecord): RecordTime['kind'] | undefined {
  if (record.resourceManager === RM_XACT) return XACT_KINDS.get(record.info & 0x70)
  return record.resourceManager === RM_XLOG && (record.info & 0xf0) === RESTORE_POINT ? 'restore-point' : undefined
}

/**
 * The time that a record carries: the end of a transaction or a restore point, the records that recovery compares with
 * its target (xact.h, xlog_internal.h). Undefined for every other record.
 */
export function decodeRecordTime(record: WalRecord): RecordTime | undefined {
  const kind = kindOf(record)
  const { mainData } = record
  if (kind === undefined || mainData === undefined || mainData.length < 8) return undefined
  const stamp = new DataView(mainData.buffer, mainData.byteOffset, 8).getBigInt64(0, true)
  const unixMicroseconds = stamp + POSTGRES_EPOCH_MICROSECONDS
  const text = kind === 'restore-point' ? mainData.subarray(8) : undefined
  const end = text?.indexOf(0) ?? 0
  return {
    kind,
    lsn: record.lsn,
    unixMicroseconds,
    time: new Date(Number(unixMicroseconds / 1000n)),
    name: text === undefined ? undefined : new TextDecoder().decode(end < 0 ? text : text.subarray(0, end)),
  }
}

/** The moments of one segment. */
export interface SegmentTimes {
  /** The latest moment of any transaction end or restore point; undefined when the segment holds none. */
  readonly latest: RecordTime | undefined
  /** The earliest one. Transactions do not end exactly in the order of their times, so this need not be the first. */
  readonly earliest: RecordTime | undefined
  /** In the order of the WAL. */
  readonly restorePoints: readonly RecordTime[]
  /** Whether the segment could be read to its end. */
  readonly check: SegmentRecordResult
}

/** Collects the moments of a segment as its bytes come by. */
export interface SegmentTimeScan {
  /** Takes the next bytes, of any length. */
  push(chunk: Uint8Array): void
  /** Says what was found. Call it once, after the last byte. */
  finish(): SegmentTimes
}

/**
 * Reads from a segment which moments it can be recovered to. Records that begin or end in another segment are not seen;
 * what lies behind damage is not either, and `check` says so. Memory grows with the number of restore points only.
 * @throws Fault as `createSegmentRecordCheck`.
 */
export function createSegmentTimeScan(options: Omit<SegmentRecordCheckOptions, 'onRecord'>): SegmentTimeScan {
  let latest: RecordTime | undefined
  let earliest: RecordTime | undefined
  const restorePoints: RecordTime[] = []
  const check = createSegmentRecordCheck({
    ...options,
    onRecord(record) {
      const moment = decodeRecordTime(record)
      if (moment === undefined) return
      if (moment.kind === 'restore-point') restorePoints.push(moment)
      if (latest === undefined || moment.unixMicroseconds >= latest.unixMicroseconds) latest = moment
      if (earliest === undefined || moment.unixMicroseconds < earliest.unixMicroseconds) earliest = moment
    },
  })
  return {
    push: (chunk) => check.push(chunk),
    finish: () => ({ check: check.finish(), latest, earliest, restorePoints }),
  }
}
