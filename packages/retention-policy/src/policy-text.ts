import { calendarPeriods, keepCalendar } from './calendar.ts'
import { invalidRule } from './invalid-rule.ts'
import { archive, keepAll, keepFulls, keepLast, keepMinimum, keepSince, keepWindow, keepWithin } from './policies.ts'
import type { RetentionPolicy } from './policy.ts'

type Reader = (value: string, zone: string | undefined, count: number) => RetentionPolicy

const READERS = new Map<string, Reader>([
  ['last', (value) => keepLast(Number(value))],
  ['fulls', (value) => keepFulls(Number(value))],
  ['minimum', (value) => keepMinimum(Number(value))],
  ['within', keepWithin],
  ['window', keepWindow],
  // A date alone is its first moment in UTC; a time without a zone would be another moment on every machine.
  ['since', (value) => keepSince(new Date(/^\d{4}-\d\d-\d\d(T.+(Z|[+-]\d\d:\d\d))?$/.test(value) ? value : ''))],
  ['all', keepAll],
  ...calendarPeriods.map((period): [string, Reader] => [period, (_, zone, count) => keepCalendar(period, count, zone)]),
])

/**
 * Reads policies from text: rules separated by commas, white space or both, such as
 * `last=7, fulls=2, within=14d, since=2026-01-01T00:00:00Z, window=7d, minimum=2, daily=7@Europe/Berlin, archive(monthly=12, yearly=5)`, or
 * `all`; or from the JSON of an array of such texts.
 * @throws Fault `invalid` `RETENTION_RULE_INVALID`, naming the part that cannot be understood; also when there is no rule at all.
 */
export function parsePolicies(text: string): readonly RetentionPolicy[] {
  const policies: RetentionPolicy[] = []
  let rest = text.replaceAll(/[\s,"[\]]+/g, ' ').trim()
  if (!rest) throw invalidRule(text)
  while (rest) {
    const [all, inner, name = '', value] = /^(?:archive ?\(([^()]*)\)|(\w+)(?: ?= ?([^ ()]+))?)(?: |$)/.exec(rest) ?? []
    if (!all) throw invalidRule(rest)
    policies.push(...(inner === undefined ? [readRule(name, value)] : archive(parsePolicies(inner))))
    rest = rest.slice(all.length)
  }
  return policies
}

function readRule(name: string, value = ''): RetentionPolicy {
  const read = READERS.get(name)
  if (!read || (name === 'all') !== !value) throw invalidRule(`${name}=${value}`)
  const [count, zone] = value.split('@')
  return read(value, zone, Number(count))
}

/**
 * Writes policies so that `parsePolicies` reads them. For JSON, take the `description` of each.
 * @throws Fault `invalid` `RETENTION_RULE_INVALID` when the description of one, a policy of one's own, is no rule.
 */
export function formatPolicies(policies: readonly RetentionPolicy[]): string {
  const text = policies.map(({ description }) => description).join(', ')
  parsePolicies(text)
  return text
}
