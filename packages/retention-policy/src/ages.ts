import { invalidRule } from './invalid-rule.ts'

const HOUR_MS = 3_600_000
const HOURS: Readonly<Record<string, number>> = { h: 1, d: 24, w: 168 }
const MONTHS: Readonly<Record<string, number>> = { m: 1, y: 12 }

/**
 * The moment that lies `age` before another one. A day of the month that does not exist becomes the last one.
 * @throws Fault `invalid` `RETENTION_RULE_INVALID` when the text is no age.
 */
export function beforeAge(age: string, moment: Date = new Date(0)): Date {
  if (!/^([1-9]\d{0,4}[ymwdh])+$/.test(age)) throw invalidRule(age)
  let hours = 0
  let months = 0
  for (const [, count, unit = ''] of age.matchAll(/(\d+)(.)/g)) {
    hours += Number(count) * (HOURS[unit] ?? 0)
    months += Number(count) * (MONTHS[unit] ?? 0)
  }
  const then = new Date(moment)
  then.setUTCMonth(then.getUTCMonth() - months)
  if (then.getUTCDate() !== moment.getUTCDate()) then.setUTCDate(0)
  return new Date(then.getTime() - hours * HOUR_MS)
}
