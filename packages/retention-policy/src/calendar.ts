import type { RetainableBackup } from './backup.ts'
import { invalidRule } from './invalid-rule.ts'
import { checkCount, policyOf } from './policies.ts'
import type { RetentionPolicy } from './policy.ts'

/** Calendar periods of which the newest backup of each is kept. */
export type CalendarPeriod = 'hourly' | 'daily' | 'weekly' | 'monthly' | 'yearly'

/** How much of `2026-11-21 16 GMT+01:00` says which period it is. */
const LENGTHS: Readonly<Record<CalendarPeriod, number>> = { hourly: 25, daily: 10, weekly: 10, monthly: 7, yearly: 4 }

/** All of them. */
export const calendarPeriods: readonly CalendarPeriod[] = Object.keys(LENGTHS) as CalendarPeriod[]

/**
 * Keeps the newest backup of each of the last `count` hours, days, weeks (from Monday), months or years that have one, by the calendar and
 * clock of `zone` (an IANA name such as `Europe/Berlin`; default UTC). The hour that a change to winter time repeats counts twice. Of a
 * period's backups one that can be restored is preferred.
 * @throws Fault `invalid` `RETENTION_RULE_INVALID` for a count below 1 or a zone this machine does not know.
 */
export function keepCalendar(period: CalendarPeriod, count: number, zone = 'UTC'): RetentionPolicy {
  const clock = openClock(zone)
  const periodOf = (moment: Date): string => {
    const [, month, day, year, hour] = /(..).(..).(\d+), (.+)/.exec(clock.format(moment)) as RegExpExecArray
    const date = new Date(`${year}-${month}-${day}`)
    if (period === 'weekly') date.setUTCDate(date.getUTCDate() - ((date.getUTCDay() + 6) % 7))
    return `${date.toISOString().slice(0, 10)} ${hour}`.slice(0, LENGTHS[period])
  }
  return policyOf(`${period}=${checkCount(count)}@${zone}`, (newestFirst, { restorable }) => {
    const undated = newestFirst.filter(({ startedAt }) => !startedAt)
    const newest = new Map<string, RetainableBackup>()
    for (const backup of newestFirst) {
      const key = backup.startedAt ? periodOf(backup.startedAt) : ''
      const best = newest.get(key)
      if (key && (best ? restorable.has(backup.id) && !restorable.has(best.id) : newest.size < count)) newest.set(key, backup)
    }
    return [...undated, ...newest.values()]
  })
}

function openClock(timeZone: string): Intl.DateTimeFormat {
  const two = '2-digit'
  const fields = { year: 'numeric', month: two, day: two, hour: two, hourCycle: 'h23', timeZoneName: 'longOffset' } as const
  try {
    return new Intl.DateTimeFormat('en-US', { ...fields, timeZone })
  } catch (cause) {
    throw invalidRule(timeZone, cause)
  }
}
