import { isFault } from '@waltz/errors'
import { expect, test } from 'vitest'
import {
  archive,
  formatPolicies,
  keepAll,
  keepCalendar,
  keepFulls,
  keepLast,
  keepMinimum,
  keepSince,
  keepWhere,
  keepWindow,
  keepWithin,
  parsePolicies,
  planRetention,
  type LogBranch,
  type RetainableBackup,
  type RetentionPolicy,
} from '../src/index.ts'

const day = (number: number, hour = 12): Date => new Date(Date.UTC(2026, 2, number, hour))
const dump = (number: number, more: Partial<RetainableBackup> = {}): RetainableBackup => ({
  id: `d${number}`,
  startedAt: day(number),
  ...more,
})
const dumps = (...numbers: readonly number[]): readonly RetainableBackup[] => numbers.map((number) => dump(number))

function kept(policies: readonly RetentionPolicy[], backups: readonly RetainableBackup[], branches?: readonly LogBranch[]): string {
  const plan = planRetention(backups, policies, { now: day(31), ...(branches && { log: { branches } }) })
  return plan.keep.map(({ backup }) => backup.id).join(' ')
}

test('the last N, the newest first whatever the order they come in', () => {
  expect(kept([keepLast(2)], dumps(1, 4, 2, 3))).toBe('d4 d3')
  expect(kept([keepLast(9)], dumps(1, 2))).toBe('d2 d1')
})

test('copies of one backup count once, and stay or go together', () => {
  const backups = [...dumps(1), dump(2, { name: 'two' }), dump(2, { id: 'copy', name: 'two' }), dump(3)]
  expect(kept([keepLast(2)], backups)).toBe('d3 d2 copy')
  expect(kept([keepLast(1)], backups)).toBe('d3')
  expect(kept([keepMinimum(2)], backups)).toBe('d3 d2 copy')
})

test('one whose log is missing is kept among the last and not counted', () => {
  const backups = [1, 2, 3, 4].map((number) =>
    dump(number, { log: { branch: '1', from: BigInt(number * 10), to: BigInt(number * 10 + 2) } }),
  )
  const branches: readonly LogBranch[] = [
    {
      id: '1',
      origin: 'root',
      runs: [
        { from: 0n, to: 15n, bytes: 5 },
        { from: 30n, to: 38n, bytes: 5 },
      ],
    },
  ]
  expect(kept([keepLast(1)], backups, branches)).toBe('d4 d3')
  expect(kept([keepLast(2)], backups, branches)).toBe('d4 d3 d2 d1')
})

test('the last N full ones, with all that were taken since', () => {
  const backups = [dump(1), dump(2, { parent: 'd1' }), dump(3), dump(4, { parent: 'd3' }), dump(5, { parent: 'd4' })]
  expect(kept([keepFulls(1)], backups)).toBe('d5 d4 d3')
  expect(kept([keepFulls(2)], backups)).toBe('d5 d4 d3 d2 d1')
})

test('what is younger than an age, or not older than a moment', () => {
  expect(kept([keepWithin('10d')], dumps(20, 21, 22, 30))).toBe('d30 d22 d21')
  expect(kept([keepWithin('9d12h')], dumps(20, 21, 22, 30))).toBe('d30 d22')
  expect(kept([keepSince(day(22))], dumps(20, 21, 22, 30))).toBe('d30 d22')
  // Months and years are those of the calendar: February has 28 days.
  const now = new Date('2026-03-31T10:00:00Z')
  const at = (text: string): RetainableBackup => ({ id: text, startedAt: new Date(`${text}T10:00:00Z`) })
  const plan = (age: string): string =>
    planRetention([at('2026-03-30'), at('2026-02-28'), at('2026-02-27'), at('2025-03-31'), at('2025-03-30')], [keepWithin(age)], { now })
      .keep.map(({ backup }) => backup.id)
      .join(' ')
  expect(plan('1m')).toBe('2026-03-30 2026-02-28')
  expect(plan('1m1d')).toBe('2026-03-30 2026-02-28 2026-02-27')
  expect(plan('1y')).toBe('2026-03-30 2026-02-28 2026-02-27 2025-03-31')
  expect(plan('3w1h')).toBe('2026-03-30')
})

test('age alone removes nothing of which nobody knows when it began', () => {
  const undated = { id: 'old', storedAt: day(1) }
  for (const policy of [keepWithin('1d'), keepSince(day(30)), keepWindow('1d'), keepCalendar('daily', 1)])
    expect(kept([policy], [undated, ...dumps(2, 30)]), policy.description).toBe('d30 old')
  expect(kept([keepLast(1)], [undated, ...dumps(2, 30)])).toBe('d30')
})

test('at least N restorable ones, counting what others keep', () => {
  expect(kept([keepMinimum(3)], dumps(1, 2, 3, 4))).toBe('d4 d3 d2')
  expect(kept([keepMinimum(3), keepWhere('the first', ({ id }) => id === 'd1')], dumps(1, 2, 3, 4))).toBe('d4 d3 d1')
  expect(kept([keepMinimum(2), keepLast(3)], dumps(1, 2, 3, 4))).toBe('d4 d3 d2')
  expect(kept([keepMinimum(2)], [dump(1), dump(2), dump(3, { permanent: true })])).toBe('d3 d2')
})

test('everything, and policies of one’s own', () => {
  expect(kept([keepAll()], dumps(1, 2))).toBe('d2 d1')
  const fridays = keepWhere('taken on a Friday', ({ startedAt }) => startedAt?.getUTCDay() === 5)
  const plan = planRetention(dumps(5, 6, 7, 8), [fridays], { now: day(31) })
  expect(plan.keep.map(({ backup, reasons }) => [backup.id, reasons.map(({ text }) => text)])).toEqual([
    ['d8', ['newest']],
    ['d6', ['taken on a Friday']],
  ])
})

test('the window begins with the newest backup that ended before it', () => {
  const log = (number: number): Partial<RetainableBackup> => ({
    finishedAt: day(number, 14),
    log: { branch: '1', from: BigInt(number * 10), to: BigInt(number * 10 + 2) },
  })
  const backups = [20, 22, 24, 26].map((number) => dump(number, log(number)))
  const branches: readonly LogBranch[] = [{ id: '1', origin: 'root', runs: [{ from: 0n, to: 300n, bytes: 9, lastAt: day(30) }] }]
  expect(kept([keepWindow('7d')], backups, branches)).toBe('d26 d24 d22')
  // At noon it was still being taken: the moments until two are only to be had from the one before.
  expect(kept([keepWindow('9d')], backups, branches)).toBe('d26 d24 d22 d20')
  expect(kept([keepWindow('1d')], backups, branches)).toBe('d26')
  // Without log there is a point for each backup, and the one before the window is the state at its beginning.
  expect(kept([keepWindow('7d')], dumps(20, 22, 23, 26))).toBe('d26 d23')
  // Nobody knows when it ended: it cannot be what the window begins with.
  const [first, , ...rest] = backups
  const unknownEnd = { id: 'd22', startedAt: day(22), log: { branch: '1', from: 220n, to: 222n } }
  expect(
    kept(
      [keepWindow('7d')],
      [first, unknownEnd, ...rest].flatMap((one) => one ?? []),
      branches,
    ),
  ).toBe('d26 d24 d22 d20')
})

test('the window has a beginning on every branch that was used in it', () => {
  const taken = (number: number, branch: string): RetainableBackup =>
    dump(number, { finishedAt: day(number, 13), log: { branch, from: BigInt(number * 10), to: BigInt(number * 10 + 2) } })
  const branches = (lastOfFirst: Date): readonly LogBranch[] => [
    { id: '1', origin: 'root', runs: [{ from: 0n, to: 250n, bytes: 9, lastAt: lastOfFirst }] },
    { id: '2', origin: { branch: '1', at: 215n }, runs: [{ from: 215n, to: 300n, bytes: 9, lastAt: day(30) }] },
    { id: '3', origin: { branch: '1', at: 1n }, runs: [] },
  ]
  const backups = [taken(19, '1'), taken(20, '1'), taken(22, '1'), taken(28, '2')]
  // The one of the 22nd is behind the fork: only that of the 20th leads to the second branch.
  expect(kept([keepWindow('5d')], backups, branches(day(22)))).toBe('d28 d22 d20')
  expect(kept([keepWindow('5d')], backups, branches(day(30)))).toBe('d28 d22 d20')
})

test('archived backups keep the log that makes them consistent, and no more', () => {
  const backups = [1, 2, 3].map((number) => dump(number, { log: { branch: '1', from: BigInt(number * 10), to: BigInt(number * 10 + 2) } }))
  const branches: readonly LogBranch[] = [{ id: '1', origin: 'root', runs: [{ from: 0n, to: 40n, bytes: 4000 }] }]
  const plan = planRetention(backups, [keepLast(1), ...archive([keepAll()])], { now: day(31), log: { branches } })
  expect(plan.remove).toEqual([])
  expect(plan.keep.map(({ log }) => log)).toEqual(['onward', 'consistent', 'consistent'])
  expect(plan.log[0]?.needed).toEqual([
    { from: 10n, to: 12n },
    { from: 20n, to: 22n },
    { from: 30n, to: undefined },
  ])
  expect(plan.log[0]?.removable).toEqual([
    { from: 0n, to: 10n },
    { from: 12n, to: 20n },
    { from: 22n, to: 30n },
  ])
  expect(plan.bytesFreed).toEqual({ backups: 0, log: 2600 })
  expect(archive(archive([keepLast(1)])).map(({ description }) => description)).toEqual(['archive(last=1)'])
})

test('calendars: the newest of each period that has one', () => {
  expect(kept([keepCalendar('daily', 2)], [...dumps(1, 3, 5), dump(5, { id: 'early', startedAt: day(5, 1) })])).toBe('d5 d3')
  expect(kept([keepCalendar('weekly', 2)], dumps(8, 9, 15, 16, 17))).toBe('d17 d15')
  const at = (text: string): RetainableBackup => ({ id: text, startedAt: new Date(text) })
  const months = ['2024-12-31T23:30Z', '2025-01-01T00:30Z', '2025-01-31T12:00Z', '2026-01-01T12:00Z'].map(at)
  expect(kept([keepCalendar('monthly', 2)], months)).toBe('2026-01-01T12:00Z 2025-01-31T12:00Z')
  expect(kept([keepCalendar('yearly', 5)], months)).toBe('2026-01-01T12:00Z 2025-01-31T12:00Z 2024-12-31T23:30Z')
  expect(kept([keepCalendar('yearly', 5, 'Europe/Berlin')], months)).toBe('2026-01-01T12:00Z 2025-01-31T12:00Z')
  const hours = ['2026-03-01T10:05Z', '2026-03-01T10:55Z', '2026-03-01T11:00Z'].map(at)
  expect(kept([keepCalendar('hourly', 2)], hours)).toBe('2026-03-01T11:00Z 2026-03-01T10:55Z')
})

test('the calendar of a zone, where clocks change', () => {
  const at = (text: string): RetainableBackup => ({ id: text, startedAt: new Date(text) })
  // On 25 October 2026 Berlin has the hour from two to three twice; on 28 March 2027 not at all.
  const autumn = ['2026-10-24T22:30Z', '2026-10-25T00:30Z', '2026-10-25T01:30Z', '2026-10-25T22:30Z', '2026-10-25T23:30Z'].map(at)
  const keptOf = (policy: RetentionPolicy, backups: readonly RetainableBackup[]): readonly string[] =>
    planRetention(backups, [policy], { now: new Date('2028-01-01') }).keep.map(({ backup }) => backup.id)
  expect(keptOf(keepCalendar('hourly', 9, 'Europe/Berlin'), autumn)).toHaveLength(5)
  expect(keptOf(keepCalendar('daily', 9, 'Europe/Berlin'), autumn)).toEqual(['2026-10-25T23:30Z', '2026-10-25T22:30Z'])
  expect(keptOf(keepCalendar('daily', 9), autumn)).toEqual(['2026-10-25T23:30Z', '2026-10-24T22:30Z'])
  const spring = ['2027-03-28T00:30Z', '2027-03-28T01:30Z', '2027-03-28T21:30Z', '2027-03-28T22:30Z'].map(at)
  expect(keptOf(keepCalendar('daily', 9, 'Europe/Berlin'), spring)).toEqual(['2027-03-28T22:30Z', '2027-03-28T21:30Z'])
  expect(keptOf(keepCalendar('weekly', 9, 'Europe/Berlin'), spring)).toEqual(['2027-03-28T22:30Z', '2027-03-28T21:30Z'])
  // Half past the hour there is on the hour in Kolkata.
  expect(keptOf(keepCalendar('hourly', 9, 'Asia/Kolkata'), ['2026-01-01T00:20Z', '2026-01-01T00:40Z'].map(at))).toHaveLength(2)
})

test('of a period’s backups one that can be restored is preferred', () => {
  const backups = [
    dump(5, { id: 'lacking', startedAt: day(5, 20), log: { branch: '1', from: 50n, to: 52n } }),
    dump(5, { id: 'good', startedAt: day(5, 10), log: { branch: '1', from: 30n, to: 32n } }),
    dump(5, { id: 'early', startedAt: day(5, 1), log: { branch: '1', from: 20n, to: 22n } }),
    dump(6, { log: { branch: '1', from: 60n, to: 62n } }),
  ]
  const branches: readonly LogBranch[] = [
    {
      id: '1',
      origin: 'root',
      runs: [
        { from: 0n, to: 40n, bytes: 1 },
        { from: 60n, to: 70n, bytes: 1 },
      ],
    },
  ]
  expect(kept([keepCalendar('daily', 2)], backups, branches)).toBe('d6 good')
})

const TEXTS =
  'last=7, fulls=2, minimum=2, within=14d, window=1m15d, since=2026-01-01T00:00:00.000Z, all, daily=7@Europe/Berlin, archive(monthly=12@UTC), archive(hourly=1@UTC)'

test('policies are written and read as text and as JSON', () => {
  const policies = parsePolicies(TEXTS)
  expect(formatPolicies(policies)).toBe(TEXTS)
  const json = JSON.stringify(policies.map(({ description }) => description))
  expect(formatPolicies(parsePolicies(json))).toBe(TEXTS)
  expect(formatPolicies(parsePolicies(' last = 7\n\tarchive (monthly=12 yearly=2),,weekly=1 since=2026-01-01'))).toBe(
    'last=7, archive(monthly=12@UTC), archive(yearly=2@UTC), weekly=1@UTC, since=2026-01-01T00:00:00.000Z',
  )
  expect(parsePolicies('archive(last=1)')[0]?.log).toBe('consistent')
})

test.each([
  '',
  ' , ',
  'last',
  'last=',
  'last=0',
  'last=-1',
  'last=1.5',
  'last=seven',
  'last=7@UTC',
  'all=1',
  'toString=1',
  'archive',
  'archive()',
  'archive(last=1',
  'archive(archive(last=1))',
  'last=1)',
  'within=14',
  'within=0d',
  'within=14d@UTC',
  'window=',
  'since=yesterday',
  'since=2026-01-01T10:00:00',
  'since=2026-13-01',
  'since=1/2/2026',
  'since=01-02-2026',
  'since=7',
  'since=2026',
  'daily=7@Atlantis/Capital',
  'last=1 = 2',
  '{"last":7}',
])('%j is refused', (text) => {
  expect(() => parsePolicies(text)).toThrow(expect.objectContaining({ kind: 'invalid', code: 'RETENTION_RULE_INVALID' }))
})

test('what has no text is refused when it is to be written', () => {
  expect(() => formatPolicies([keepWhere('mine', () => true)])).toThrow(expect.objectContaining({ code: 'RETENTION_RULE_INVALID' }))
  expect(() => keepSince(new Date(Number.NaN))).toThrow(expect.objectContaining({ code: 'RETENTION_RULE_INVALID' }))
  try {
    keepCalendar('daily', 1, 'Nowhere')
    expect.fail('an unknown zone was taken')
  } catch (error) {
    expect(isFault(error, 'invalid') && error.cause).toBeInstanceOf(RangeError)
  }
})
