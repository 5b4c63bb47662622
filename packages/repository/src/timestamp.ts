const NS_PER_SECOND = 1_000_000_000n

/** What Go writes for "no time". */
export const ZERO_TIMESTAMP = '0001-01-01T00:00:00Z'

/** The constant in `DateFmt` and `date_fmt`. */
export const DATE_FORMAT = '%Y-%m-%dT%H:%M:%S.%fZ'

/** A moment and the offset it was written with. */
export interface Timestamp {
  /** Nanoseconds since 1970, UTC. */
  readonly ns: bigint
  /** Minutes east of Greenwich. */
  readonly offsetMinutes: number
}

/** Minutes east of Greenwich at a moment (milliseconds since 1970): `(ms) => -new Date(ms).getTimezoneOffset()` is local time. */
export type OffsetAt = (ms: number) => number

/**
 * RFC 3339 with the given offset; `nanoseconds` keeps the fraction without trailing zeros, `seconds` cuts it off. Years
 * outside 1 to 9999, which the format cannot express, become the nearest one that it can.
 */
export function formatTimestamp(time: Timestamp, fraction: 'nanoseconds' | 'seconds'): string {
  const local = time.ns + BigInt(time.offsetMinutes) * 60n * NS_PER_SECOND
  let seconds = local / NS_PER_SECOND
  let rest = Number(local % NS_PER_SECOND)
  if (rest < 0) {
    rest += 1e9
    seconds -= 1n
  }
  return `${formatSeconds(Number(seconds))}${fraction === 'seconds' ? '' : formatFraction(rest)}${formatOffset(time.offsetMinutes)}`
}

/**
 * The modification time of a file as `files_metadata.json` has it: nanoseconds and the local offset (RF 2.4).
 * `ns` counts from 1970 in UTC.
 */
export function formatFileTime(ns: bigint, offsetMinutesAt: OffsetAt): string {
  return formatTimestamp({ ns, offsetMinutes: Math.trunc(offsetMinutesAt(Number(ns / 1_000_000n))) }, 'nanoseconds')
}

/**
 * `StartTime` and `FinishTime`: RFC 3339 in UTC, rounded up to whole microseconds, trailing zeros removed (RF 2.2).
 * Takes a Date or nanoseconds since 1970.
 */
export function formatBackupTime(time: Date | bigint): string {
  const ns = typeof time === 'bigint' ? time : BigInt(time.getTime()) * 1_000_000n
  const below = ns % 1000n
  const rounded = below === 0n ? ns : ns - below + (below > 0n ? 1000n : 0n)
  return formatTimestamp({ ns: rounded, offsetMinutes: 0 }, 'nanoseconds')
}

/** Reads RFC 3339 with any number of fractional digits (nine count) and any offset; undefined for anything else. */
export function parseTimestamp(text: string): Timestamp | undefined {
  const match = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d+))?(?:Z|([+-])(\d{2}):(\d{2}))$/.exec(text)
  if (match === null) return undefined
  const number = (group: number): number => Number(match[group] ?? 0)
  const date = new Date(0)
  date.setUTCFullYear(number(1), number(2) - 1, number(3))
  date.setUTCHours(number(4), number(5), number(6))
  if (date.toISOString().slice(0, 19) !== text.slice(0, 19)) return undefined
  const offsetMinutes = (match[8] === '-' ? -1 : 1) * (number(9) * 60 + number(10)) || 0
  const fraction = BigInt((match[7] ?? '').slice(0, 9).padEnd(9, '0'))
  return { ns: BigInt(date.getTime() - offsetMinutes * 60_000) * 1_000_000n + fraction, offsetMinutes }
}

const MIN_SECONDS = Date.UTC(2001, 0, 1) / 1000 - 63_113_904_000
const MAX_SECONDS = Date.UTC(9999, 11, 31, 23, 59, 59) / 1000

function formatSeconds(seconds: number): string {
  return new Date(Math.min(Math.max(seconds, MIN_SECONDS), MAX_SECONDS) * 1000).toISOString().slice(0, 19)
}

function formatFraction(ns: number): string {
  if (ns === 0) return ''
  let end = 9
  const digits = String(ns).padStart(9, '0')
  while (digits.charCodeAt(end - 1) === 0x30) end--
  return `.${digits.slice(0, end)}`
}

function formatOffset(minutes: number): string {
  if (minutes === 0) return 'Z'
  const size = Math.abs(minutes)
  return `${minutes < 0 ? '-' : '+'}${String(Math.trunc(size / 60)).padStart(2, '0')}:${String(size % 60).padStart(2, '0')}`
}
