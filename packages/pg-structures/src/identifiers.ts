import { Fault } from '@waltz/errors'
import type { Lsn, SystemIdentifier, TimelineId } from './names.ts'

const MAX_U64 = 0xffff_ffff_ffff_ffffn
const MAX_U32 = 0xffff_ffff

/**
 * Brands a position in bytes as an LSN.
 * @throws Fault `invalid` `PG_LSN_INVALID` when it is negative or needs more than 64 bits.
 */
export function lsn(position: bigint): Lsn {
  if (position < 0n || position > MAX_U64) {
    throw new Fault('invalid', 'PG_LSN_INVALID', `${position} is not a WAL position: it must lie between 0 and 2^64 - 1`)
  }
  return position as Lsn
}

/**
 * Reads an LSN as PostgreSQL's pg_lsn type does: one to eight hex digits of either case, a slash, one to eight again.
 * @throws Fault `invalid` `PG_LSN_INVALID` for any other text.
 */
export function parseLsn(text: string): Lsn {
  const match = /^([0-9a-f]{1,8})\/([0-9a-f]{1,8})$/i.exec(text)
  if (match === null) {
    throw new Fault('invalid', 'PG_LSN_INVALID', `"${text}" is not a WAL position`, { hint: 'Write it like 0/3000028.' })
  }
  return ((BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`)) as Lsn
}

/** Writes an LSN as PostgreSQL 13 to 18 print it: upper-case hex without leading zeros, `16/B374D848`. */
export function formatLsn(position: Lsn): string {
  return `${(position >> 32n).toString(16)}/${(position & 0xffff_ffffn).toString(16)}`.toUpperCase()
}

/**
 * Brands a number as a timeline.
 * @throws Fault `invalid` `PG_TIMELINE_INVALID` unless it is whole and between 1 and 2^32 - 1.
 */
export function timelineId(value: number): TimelineId {
  if (!Number.isInteger(value) || value < 1 || value > MAX_U32) {
    throw new Fault('invalid', 'PG_TIMELINE_INVALID', `${value} is not a timeline: it must be a whole number from 1 to ${MAX_U32}`)
  }
  return value as TimelineId
}

/**
 * Reads a timeline in decimal, as `SHOW`, `pg_controldata` and backup labels write it. (File names hold it in hex:
 * that is `classifyWalFileName`.)
 * @throws Fault `invalid` `PG_TIMELINE_INVALID` for anything but a decimal number from 1 to 2^32 - 1.
 */
export function parseTimelineId(text: string): TimelineId {
  if (!/^\d{1,10}$/.test(text)) {
    throw new Fault('invalid', 'PG_TIMELINE_INVALID', `"${text}" is not a timeline: it must be a decimal number from 1 to ${MAX_U32}`)
  }
  return timelineId(Number(text))
}

/** Writes a timeline in decimal. */
export function formatTimelineId(timeline: TimelineId): string {
  return String(timeline)
}

/**
 * Brands a number as a system identifier.
 * @throws Fault `invalid` `PG_SYSTEM_IDENTIFIER_INVALID` when it is negative or needs more than 64 bits.
 */
export function systemIdentifier(value: bigint): SystemIdentifier {
  if (value < 0n || value > MAX_U64) {
    throw new Fault('invalid', 'PG_SYSTEM_IDENTIFIER_INVALID', `${value} is not a system identifier: it must lie between 0 and 2^64 - 1`)
  }
  return value as SystemIdentifier
}

/**
 * Reads a system identifier in decimal. SQL prints identifiers above 2^63 as negative bigints; those are taken too, so
 * that the two spellings of one cluster are equal.
 * @throws Fault `invalid` `PG_SYSTEM_IDENTIFIER_INVALID` for any other text.
 */
export function parseSystemIdentifier(text: string): SystemIdentifier {
  if (!/^-?\d{1,20}$/.test(text)) {
    throw new Fault('invalid', 'PG_SYSTEM_IDENTIFIER_INVALID', `"${text}" is not a system identifier: it must be a decimal number`)
  }
  const value = BigInt(text)
  return systemIdentifier(value < 0n && value >= -(2n ** 63n) ? value + 2n ** 64n : value)
}

/** Writes a system identifier in unsigned decimal, as `pg_controldata` does. */
export function formatSystemIdentifier(identifier: SystemIdentifier): string {
  return identifier.toString()
}
