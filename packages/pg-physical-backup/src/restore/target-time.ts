import { Fault } from '@waltz/errors'

/** A moment as a clock on the wall shows it; `month` is 1 to 12. */
export interface WallClock {
  readonly year: number
  readonly month: number
  readonly day: number
  readonly hour: number
  readonly minute: number
  readonly second: number
}

/** The offset of local time from UTC, in minutes east, when the local clock shows this. */
export type LocalOffset = (local: WallClock) => number

/** A moment to recover to. */
export interface TargetTime {
  /** Microseconds since 1970, UTC: the precision of PostgreSQL. Exact as a number until the year 2255. */
  readonly epochMicros: number
  /** In full, with the offset it was given in or that local time has: `2026-11-20 22:35:41.296856+01:00`. */
  readonly text: string
}

const shape =
  /^(\d{4})-(\d{2})-(\d{2})(?:[Tt ]\s*(\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?\s*(Z|UTC|GMT|[+-]\d{2}(?::?\d{2}(?::?\d{2})?)?)?$/i

/**
 * Reads an ISO 8601 time: a date, `T` or a space, hours and minutes, optional seconds, fraction and offset (`Z`,
 * `+03`, `+03:00`, `+0300`). Without an offset it is local time. A date alone is its midnight. Digits behind the
 * microsecond are rounded.
 * @throws Fault `invalid` `RECOVERY_TARGET_INVALID` for anything else, and for a moment that no calendar has.
 */
export function parseTargetTime(text: string, localOffset: LocalOffset): TargetTime {
  const match = shape.exec(text.trim())
  if (match === null) throw invalidTime(text)
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map((part) => Number(part ?? '0')) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const micros = Math.round(Number(`0.${match[7] ?? '0'}`) * 1e6)
  const wallMs = Date.UTC(year, month - 1, day, hour, minute, second)
  if (!isCalendarMoment(new Date(wallMs), [year, month, day, hour, minute, second])) throw invalidTime(text)
  const offset = match[8] === undefined ? localOffset({ year, month, day, hour, minute, second }) : parseOffset(match[8], text)
  const epochMicros = (wallMs - offset * 60_000) * 1000 + micros
  return { epochMicros, text: formatMoment(epochMicros, offset) }
}

/** `2026-11-20 22:35:41.296856+00`: what `recovery_target_time` takes, always UTC, microseconds always written. */
export function formatRecoveryTime(time: TargetTime): string {
  return `${wallClock(time.epochMicros, true)}+00`
}

/** A moment in full with the given offset in minutes: `2026-11-20 22:35:41.296856+01:00`; the fraction only where there is one. */
export function formatMoment(epochMicros: number, offsetMinutes: number): string {
  const sign = offsetMinutes < 0 ? '-' : '+'
  const size = Math.abs(offsetMinutes)
  const zone = `${sign}${two(Math.floor(size / 60))}:${two(Math.floor(size % 60))}`
  return wallClock(epochMicros + Math.round(offsetMinutes * 60) * 1e6, false) + zone
}

function wallClock(epochMicros: number, always: boolean): string {
  const seconds = Math.floor(epochMicros / 1e6)
  const micros = epochMicros - seconds * 1e6
  const text = new Date(seconds * 1000).toISOString().slice(0, 19).replace('T', ' ')
  return micros === 0 && !always ? text : `${text}.${String(micros).padStart(6, '0')}`
}

function isCalendarMoment(date: Date, given: readonly number[]): boolean {
  const back = [
    date.getUTCFullYear(),
    date.getUTCMonth() + 1,
    date.getUTCDate(),
    date.getUTCHours(),
    date.getUTCMinutes(),
    date.getUTCSeconds(),
  ]
  return back.every((value, index) => value === given[index])
}

/** Minutes east of UTC; seconds of an offset become a fraction. PostgreSQL allows less than 16 hours. */
function parseOffset(zone: string, text: string): number {
  if (/^[zug]/i.test(zone)) return 0
  const digits = zone.slice(1).replaceAll(':', '').padEnd(6, '0')
  const [hours, minutes, seconds] = [digits.slice(0, 2), digits.slice(2, 4), digits.slice(4, 6)].map(Number) as [number, number, number]
  if (hours > 15 || minutes > 59 || seconds > 59) throw invalidTime(text)
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes + seconds / 60)
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}

function invalidTime(text: string): Fault {
  return new Fault('invalid', 'RECOVERY_TARGET_INVALID', `'${text}' is not a time`, {
    hint: "Write it as '2026-11-20 22:35:41+01:00'; without an offset it is local time.",
  })
}
