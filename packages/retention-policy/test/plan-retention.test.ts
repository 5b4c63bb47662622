import { expect, test } from 'vitest'
import {
  archive,
  keepAll,
  keepLast,
  newestFirst,
  planRetention,
  type LogBranch,
  type RetainableBackup,
  type RetainableLog,
  type RetentionPlan,
} from '../src/index.ts'

const now = new Date('2026-06-01T00:00:00Z')
const at = (day: number): Date => new Date(Date.UTC(2026, 4, day))
const span = (from: number, to?: number, branch = '1'): NonNullable<RetainableBackup['log']> => ({
  branch,
  from: BigInt(from),
  ...(to !== undefined && { to: BigInt(to) }),
})
const taken = (id: string, day: number, more: Partial<RetainableBackup> = {}): RetainableBackup => ({ id, startedAt: at(day), ...more })
const reasons = (plan: RetentionPlan): readonly string[] =>
  plan.decisions.map(({ backup, keep, reasons }) => `${keep ? 'keep' : 'remove'} ${backup.id}: ${reasons.map(({ kind }) => kind).join()}`)
const ids = (decisions: RetentionPlan['keep']): readonly string[] => decisions.map(({ backup }) => backup.id)
const one = (from: number, to: number, bytes = 100): LogBranch => ({
  id: '1',
  origin: 'root',
  runs: [{ from: BigInt(from), to: BigInt(to), bytes, lastAt: at(20) }],
})

test('no policy removes what it cannot judge, and the plan says so', () => {
  const backups: readonly RetainableBackup[] = [
    taken('future', 99, { startedAt: new Date('2027-01-01') }),
    taken('newest', 20, { series: 'A', bytes: 10 }),
    taken('middle', 19, { series: 'A', bytes: 20 }),
    taken('nameless series', 18, { bytes: 30 }),
    taken('other', 17, { series: 'B' }),
    taken('orphan', 16, { parent: 'nobody' }),
    taken('orphan’s child', 15, { parent: 'orphan' }),
    taken('left over', 14, { state: 'unfinished' }),
    taken('running', 13, { state: 'being-written', parent: 'base' }),
    taken('garbled', 12, { state: 'unreadable' }),
    taken('marked', 11, { permanent: true }),
    taken('base', 10),
    taken('old', 9, { bytes: 40 }),
    { id: 'nothing known' },
  ]
  const plan = planRetention(backups, [keepLast(1)], { now })
  expect(reasons(plan)).toEqual([
    'keep future: from-the-future',
    'keep newest: newest,policy',
    'remove middle: no-policy',
    'remove nameless series: no-policy',
    'keep other: other-series',
    'keep orphan: unknown-parent',
    'keep orphan’s child: unknown-parent',
    'keep left over: unfinished',
    'keep running: being-written',
    'keep garbled: unreadable',
    'keep marked: permanent',
    'keep base: ancestor',
    'remove old: no-policy',
    'keep nothing known: undated',
  ])
  expect(plan.findings.map(({ backup, kind, text }) => `${backup}: ${kind}, ${text}`)).toEqual([
    'future: from-the-future, from the future',
    'other: other-series, other series',
    'orphan: unknown-parent, unknown parent',
    'orphan’s child: unknown-parent, unknown parent',
    'left over: unfinished, unfinished',
    'running: being-written, being written',
    'garbled: unreadable, unreadable',
    'nothing known: undated, undated',
  ])
  expect(plan.decisions.find(({ backup }) => backup.id === 'base')?.reasons).toEqual([
    { kind: 'ancestor', text: 'running depends on it', log: 'consistent' },
  ])
  expect(plan.bytesFreed).toEqual({ backups: 90, log: 0 })
  expect(plan.log).toEqual([])
  expect(plan.now).toBe(now)
  expect(planRetention(backups, [keepLast(1)], { now, series: 'B' }).remove.map(({ backup }) => backup.id)).toEqual(['other', 'old'])
})

test('a chain stays as a whole, a parent given by name in all its copies', () => {
  const backups = [
    taken('full', 1, { name: 'F' }),
    taken('full copy', 1, { name: 'F' }),
    taken('first', 2, { parent: 'F' }),
    taken('second', 3, { parent: 'first' }),
    taken('other', 2),
  ]
  const plan = planRetention(backups, [keepLast(1)], { now })
  expect(ids(plan.remove)).toEqual(['other'])
  expect(plan.keep.map(({ log, restorable }) => [log, restorable])).toEqual([
    ['onward', true],
    ['consistent', true],
    ['consistent', true],
    ['consistent', true],
  ])
})

test('chains that go in a circle are broken chains', () => {
  const plan = planRetention([taken('a', 1, { parent: 'b' }), taken('b', 2, { parent: 'a' }), taken('c', 3)], [keepLast(1)], { now })
  expect(reasons(plan)).toEqual(['keep c: newest,policy', 'keep b: unknown-parent', 'keep a: unknown-parent'])
})

test('a choice removes what it names, except what is protected', () => {
  const backups = [
    taken('d', 4),
    taken('c', 3, { parent: 'b' }),
    taken('b', 2),
    taken('p', 1, { permanent: true }),
    taken('w', 5, { state: 'being-written' }),
    taken('u', 6, { state: 'unfinished' }),
  ]
  const all = new Map(backups.map(({ id }) => [id, 'asked for']))
  const plan = planRetention(backups, { remove: all }, { now })
  expect(reasons(plan)).toEqual([
    'remove u: chosen',
    'keep w: being-written',
    'keep d: newest',
    'remove c: chosen',
    'remove b: chosen',
    'keep p: permanent',
  ])
  expect(plan.findings.map(({ backup }) => backup)).toEqual(['w', 'd', 'p'])
  expect(plan.remove[0]?.reasons).toEqual([{ kind: 'chosen', text: 'asked for', log: 'none' }])
  expect(ids(planRetention(backups, { remove: all, evenNewest: true }, { now }).keep)).toEqual(['w', 'p'])
  expect(ids(planRetention(backups, { remove: all, evenNewest: true, evenPermanent: true }, { now }).keep)).toEqual(['w'])
  const parentOnly = planRetention(backups, { remove: new Map([['b', 'asked for']]) }, { now })
  expect(parentOnly.keep.find(({ backup }) => backup.id === 'b')).toMatchObject({ chosen: true, reasons: [{ kind: 'ancestor' }] })
  expect(parentOnly.keep.find(({ backup }) => backup.id === 'u')?.log).toBe('none')
  expect(parentOnly.findings).toEqual([{ kind: 'ancestor', text: 'c depends on it', backup: 'b' }])
})

test('a choice spares the newest of today as well as one whose clock is ahead', () => {
  const backups = [taken('ahead', 99), taken('today', 20), taken('old', 1)]
  const plan = planRetention(backups, { remove: new Map(backups.map(({ id }) => [id, ''])) }, { now })
  expect(reasons(plan)).toEqual(['keep ahead: newest', 'keep today: newest', 'remove old: chosen'])
})

test('the newest backup stays even when its log is still on its way', () => {
  const backups = [
    taken('new', 20, { log: span(90, 120) }),
    taken('able', 19, { log: span(50, 60) }),
    taken('old', 18, { log: span(10, 20) }),
  ]
  const log: RetainableLog = { branches: [one(0, 100)] }
  const plan = planRetention(backups, { remove: new Map(backups.map(({ id }) => [id, ''])) }, { now, log })
  expect(plan.decisions.map(({ backup, keep, restorable }) => [backup.id, keep, restorable])).toEqual([
    ['new', true, false],
    ['able', true, true],
    ['old', false, true],
  ])
})

test('backups without a start are ordered by the log, then by the store', () => {
  const backups: readonly RetainableBackup[] = [
    { id: 'copied late', storedAt: at(30), log: span(10) },
    { id: 'second', startedAt: at(5), log: span(20) },
    { id: 'fourth', startedAt: at(8), log: span(40) },
    { id: 'third', storedAt: at(6), log: span(30) },
    { id: 'twin b', startedAt: at(2) },
    { id: 'twin a', startedAt: at(2) },
    { id: 'elsewhere', storedAt: at(7), log: span(5, 6, '2') },
    { id: 'no log', storedAt: at(3) },
    { id: 'unknown', log: span(1, 2, '3') },
    { id: 'unknown too' },
  ]
  const order = ['fourth', 'elsewhere', 'third', 'second', 'copied late', 'no log', 'twin b', 'twin a', 'unknown', 'unknown too']
  expect(newestFirst(backups).map(({ id }) => id)).toEqual(order)
  expect(newestFirst(backups.toReversed()).map(({ id }) => id)).toEqual(order)
})

test('the log: what is needed, by whom, and what goes', () => {
  const backups = [
    taken('new', 20, { log: span(60, 62), finishedAt: at(20) }),
    taken('kept for good', 10, { log: span(30, 33), permanent: true, finishedAt: at(10) }),
    taken('old', 5, { log: span(10, 12) }),
  ]
  const runs = [
    { from: 0n, to: 30n, bytes: 300, lastAt: at(8) },
    { from: 30n, to: 33n, bytes: 30, lastAt: at(10) },
    { from: 33n, to: 50n, bytes: 170, lastAt: at(12) },
    { from: 55n, to: 60n, bytes: 50, lastAt: at(19) },
    { from: 60n, to: 80n, bytes: 200, lastAt: at(25) },
  ]
  const plan = planRetention(backups, [keepLast(1)], { now, log: { branches: [{ id: '1', origin: 'root', runs }] } })
  expect(plan.log).toEqual([
    {
      branch: '1',
      requirements: [
        { from: 30n, to: 33n, backup: 'kept for good' },
        { from: 60n, to: undefined, backup: 'new' },
      ],
      needed: [
        { from: 30n, to: 33n },
        { from: 60n, to: undefined },
      ],
      removable: [
        { from: 0n, to: 30n },
        { from: 33n, to: 60n },
      ],
      bytesFreed: 520,
    },
  ])
  expect(plan.bytesFreed).toEqual({ backups: 0, log: 520 })
  const window = { branch: '1', series: undefined }
  expect(plan.windowsBefore).toEqual([
    { ...window, from: 12n, to: 50n, backup: 'old', fromMoment: at(5), toMoment: at(12) },
    { ...window, from: 62n, to: 80n, backup: 'new', fromMoment: at(20), toMoment: at(25) },
  ])
  expect(plan.windowsAfter).toEqual([
    { ...window, from: 33n, to: 33n, backup: 'kept for good', fromMoment: at(10), toMoment: at(10) },
    { ...window, from: 62n, to: 80n, backup: 'new', fromMoment: at(20), toMoment: at(25) },
  ])
})

test('the log goes only where it may', () => {
  const backups = [taken('b', 20, { log: span(60, 62) }), taken('a', 5, { log: span(10, 12) })]
  const branches = [one(0, 100, 1000), { id: 'empty', origin: 'root', runs: [] } as const]
  const freed = (removable: RetainableLog['removable']): unknown =>
    planRetention(backups, [keepLast(1)], { now, log: { branches, removable } }).log[0]?.removable
  expect(freed(undefined)).toEqual([{ from: 0n, to: 60n }])
  expect(freed([])).toEqual([])
  expect(freed([{ branch: '1', to: 40n }, { branch: 'empty' }])).toEqual([{ from: 0n, to: 40n }])
  expect(freed([{ branch: '1', from: 30n }])).toEqual([{ from: 30n, to: 60n }])
  expect(
    freed([
      { branch: '1', from: 5n, to: 10n },
      { branch: '1', from: 20n, to: 70n },
    ]),
  ).toEqual([
    { from: 5n, to: 10n },
    { from: 20n, to: 60n },
  ])
})

const tree = (lastOfSecond: Date = at(31)): readonly LogBranch[] => [
  { id: '1', origin: 'root', runs: [{ from: 0n, to: 45n, bytes: 450, lastAt: at(9) }] },
  { id: '2', origin: { branch: '1', at: 40n }, runs: [{ from: 38n, to: 80n, bytes: 420, lastAt: lastOfSecond }] },
  { id: '3', origin: { branch: '2', at: 60n }, runs: [{ from: 60n, to: 90n, bytes: 300, lastAt: at(12) }] },
]

test('across branches: what comes after a fork is needed by what was before it', () => {
  const backups = [taken('before', 4, { log: span(20, 22), finishedAt: at(4) }), taken('gone', 3, { log: span(5, 6) })]
  const plan = planRetention(backups, [keepLast(1)], { now, log: { branches: tree() } })
  expect(plan.log.map(({ needed }) => needed)).toEqual([
    [{ from: 20n, to: undefined }],
    [{ from: 0n, to: undefined }],
    [{ from: 0n, to: undefined }],
  ])
  expect(plan.log.map(({ requirements }) => requirements.map(({ backup }) => backup))).toEqual([['before'], ['before'], ['before']])
  expect(plan.windowsAfter.map(({ branch, from, to }) => [branch, from, to])).toEqual([
    ['1', 22n, 45n],
    ['2', 40n, 80n],
    ['3', 60n, 90n],
  ])
  expect(plan.log[0]?.removable).toEqual([{ from: 0n, to: 20n }])
})

test('a backup behind a fork needs nothing of the other branch; the living branch keeps its own', () => {
  const backups = [
    taken('stray', 10, { log: span(42, 44), finishedAt: at(10) }),
    taken('leads', 8, { log: span(30, 31), finishedAt: at(8) }),
    taken('older', 7, { log: span(20, 21), finishedAt: at(7) }),
  ]
  const alive = planRetention(backups, [keepLast(1)], { now, log: { branches: tree() } })
  expect(reasons(alive)).toEqual(['keep stray: newest,policy', 'keep leads: live-branch', 'remove older: no-policy'])
  // The second and third branch ended before the newest backup was taken.
  const branches = tree(at(9)).map((branch) =>
    branch.id === '3' ? { ...branch, runs: [{ from: 60n, to: 90n, bytes: 300, lastAt: at(9) }] } : branch,
  )
  const dead = planRetention(backups, [keepLast(1)], { now, log: { branches } })
  expect(ids(dead.keep)).toEqual(['stray'])
  expect(dead.log.map(({ removable }) => removable)).toEqual([[{ from: 0n, to: 42n }], [{ from: 38n, to: 80n }], [{ from: 60n, to: 90n }]])
})

test('the first piece of a branch stands in for what its parent lacks', () => {
  const branches: readonly LogBranch[] = [
    { id: '1', origin: 'root', runs: [{ from: 0n, to: 10n, bytes: 10, lastAt: at(1) }] },
    { id: '2', origin: { branch: '1', at: 12n }, runs: [{ from: 10n, to: 20n, bytes: 10, lastAt: at(8) }] },
  ]
  const backups = [taken('new', 9, { log: span(15, 16, '2') }), taken('at the fork', 3, { log: span(9, 12), permanent: true })]
  const plan = planRetention(backups, [keepLast(1)], { now, log: { branches } })
  expect(plan.decisions.map(({ restorable }) => restorable)).toEqual([true, true])
  expect(plan.log.map(({ removable }) => removable)).toEqual([[{ from: 0n, to: 9n }], [{ from: 12n, to: 15n }]])
  expect(plan.windowsBefore.map(({ branch, from, to }) => [branch, from, to])).toEqual([['2', 12n, 20n]])
  // A span that begins on its parent, as pieces do that hold a fork.
  const early = planRetention([taken('early', 9, { log: span(8, 16, '2') })], [keepLast(1)], { now, log: { branches } })
  expect(early.log.map(({ needed }) => needed)).toEqual([[{ from: 8n, to: 12n }], [{ from: 8n, to: undefined }]])
  expect(early.keep[0]?.restorable).toBe(true)
})

test('a branch that nobody knows where it comes from stays from where anybody might need it', () => {
  const branches: readonly LogBranch[] = [
    one(0, 100),
    { id: '7', origin: 'unknown', runs: [{ from: 5n, to: 90n, bytes: 850 }] },
    { id: '8', origin: { branch: '7', at: 70n }, runs: [{ from: 70n, to: 75n, bytes: 50 }] },
    { id: '9', origin: { branch: '7', at: 20n }, runs: [{ from: 20n, to: 25n, bytes: 50 }] },
    { id: 'x', origin: { branch: 'y', at: 50n }, runs: [{ from: 50n, to: 55n, bytes: 50 }] },
    { id: 'y', origin: { branch: 'x', at: 50n }, runs: [{ from: 50n, to: 55n, bytes: 50 }] },
  ]
  const backups = [taken('b', 20, { log: span(40, 45) }), taken('a', 10, { log: span(30, 35) }), taken('z', 9, { log: span(10, 12) })]
  const plan = planRetention(backups, [keepLast(2)], { now, log: { branches } })
  expect(plan.log.map(({ branch, removable }) => [branch, removable])).toEqual([
    ['1', [{ from: 0n, to: 30n }]],
    ['7', [{ from: 5n, to: 30n }]],
    ['8', []],
    ['9', [{ from: 20n, to: 25n }]],
    ['x', []],
    ['y', []],
  ])
  expect(plan.log[1]?.requirements).toEqual([{ from: 30n, to: undefined, backup: 'a' }])
})

test('backups and forks on branches that are not among the branches', () => {
  const branches: readonly LogBranch[] = [
    { id: '2', origin: { branch: 'lost', at: 40n }, runs: [{ from: 40n, to: 50n, bytes: 10, lastAt: at(1) }] },
  ]
  const backups = [taken('later', 20, { log: span(45, 46, '2') }), taken('before', 10, { log: span(30, 35, 'lost'), permanent: true })]
  const plan = planRetention(backups, [keepLast(2)], { now, log: { branches } })
  expect(plan.decisions.map(({ keep, restorable }) => [keep, restorable])).toEqual([
    [true, true],
    [true, false],
  ])
  expect(plan.log[0]?.removable).toEqual([])
  const archived = planRetention(backups, archive([keepAll()]), { now, log: { branches } })
  expect(archived.log[0]?.needed).toEqual([{ from: 45n, to: undefined }])
  const behind = planRetention([taken('behind', 10, { log: span(45, 46, 'lost') })], { remove: new Map() }, { now, log: { branches } })
  expect(behind.log[0]?.removable).toEqual([{ from: 40n, to: 50n }])
})

test('the log stays where nobody knows what is needed of it', () => {
  const branches = [one(0, 100), { id: '2', origin: 'root', runs: [] } as const]
  const unclear = planRetention([taken('b', 20), taken('a', 10, { log: span(10, 12) })], [keepLast(1)], { now, log: { branches } })
  expect(unclear.log.map(({ removable }) => removable)).toEqual([[], []])
  expect(unclear.findings).toEqual([{ kind: 'log-held', backup: 'b', text: 'unknown is what b needs' }])
  expect(unclear.windowsAfter).toEqual([
    { branch: undefined, from: undefined, to: undefined, backup: 'b', series: undefined, fromMoment: at(20), toMoment: at(20) },
  ])
  const none = planRetention([], [keepAll()], { now, log: { branches } })
  expect(none.findings).toEqual([{ kind: 'log-held', backup: undefined, text: 'no backup uses it' }])
  expect(none.bytesFreed.log).toBe(0)
  expect(planRetention([], { remove: new Map() }, { now, log: { branches } }).bytesFreed.log).toBe(100)
  expect(planRetention([], [keepAll()], { now, log: { branches: [] } }).findings).toEqual([])
})

test('what is being written needs the log from its beginning, wherever it will end', () => {
  const backups = [
    taken('running', 21, { state: 'being-written', log: span(50) }),
    taken('left over', 20, { state: 'unfinished', log: span(5) }),
    taken('archived', 10, { log: span(60, 62) }),
    taken('open end', 9, { log: span(40), permanent: true }),
  ]
  const plan = planRetention(backups, archive([keepAll()]), { now, log: { branches: [one(0, 100)] } })
  expect(plan.log[0]?.needed).toEqual([{ from: 40n, to: undefined }])
})

test('runs that go in part count in proportion, whole ones exactly', () => {
  const bytes = 4_503_599_627_370_497
  const plan = planRetention([taken('a', 3, { log: span(15, 16) })], [keepLast(1)], {
    now,
    log: {
      branches: [
        {
          id: '1',
          origin: 'root',
          runs: [
            { from: 0n, to: 7n, bytes },
            { from: 7n, to: 10n, bytes: 31 },
            { from: 10n, to: 20n, bytes: 101 },
          ],
        },
      ],
    },
  })
  expect(plan.bytesFreed.log).toBe(Math.round(bytes + 31 + 50.5))
})

test.each<[string, readonly RetainableBackup[], readonly LogBranch[], Date]>([
  ['two of one id', [taken('a', 1), taken('a', 2)], [], now],
  ['a span backwards', [taken('a', 1, { log: span(5, 4) })], [], now],
  ['no moment', [taken('a', 1, { finishedAt: new Date(Number.NaN) })], [], now],
  ['no size', [taken('a', 1, { bytes: -1 })], [], now],
  ['an endless size', [taken('a', 1, { bytes: Infinity })], [], now],
  ['no now', [taken('a', 1)], [], new Date(Number.NaN)],
  ['two branches of one id', [], [one(0, 1), one(2, 3)], now],
  ['an empty run', [], [one(3, 3)], now],
  ['overlapping runs', [], [{ ...one(0, 5), runs: [...one(0, 5).runs, ...one(4, 6).runs] }], now],
  ['a run of no size', [], [one(0, 1, Number.NaN)], now],
  ['a run of no moment', [], [{ ...one(0, 5), runs: [{ from: 0n, to: 1n, bytes: 1, lastAt: new Date(Number.NaN) }] }], now],
])('%s is refused', (_, backups, branches, now) => {
  expect(() => planRetention(backups, [keepAll()], { now, log: { branches } })).toThrow(
    expect.objectContaining({ kind: 'invalid', code: 'RETENTION_INPUT_INVALID' }),
  )
})

test('no policy at all is refused: it would remove everything but the newest', () => {
  expect(() => planRetention([taken('a', 1)], [], { now })).toThrow(expect.objectContaining({ code: 'RETENTION_RULE_INVALID' }))
})

test('ten thousand backups on many branches: little is said, and nothing twice', { timeout: 60_000 }, () => {
  const branches: readonly LogBranch[] = Array.from({ length: 20 }, (_, index) => ({
    id: String(index + 1),
    origin: index === 0 ? ('root' as const) : { branch: String(index), at: BigInt(index * 25_000) },
    runs: [{ from: BigInt(index * 25_000), to: BigInt(index * 25_000 + 25_000), bytes: 5, lastAt: new Date(0) }],
  }))
  const backups = Array.from({ length: 10_000 }, (_, index) => ({
    id: `b${index}`,
    startedAt: new Date(index * 60_000),
    ...(index % 5 > 0 && { parent: `b${index - 1}` }),
    log: { branch: String(Math.floor(index / 500) + 1), from: BigInt(index * 50), to: BigInt(index * 50 + 3) },
  }))
  const plan = planRetention(backups, [keepLast(5000), ...archive([keepAll()])], { now, log: { branches } })
  expect(plan.keep).toHaveLength(10_000)
  expect(plan.log.reduce((sum, { requirements }) => sum + requirements.length, 0)).toBeLessThan(10_000 + 2 * branches.length)
  // A point for each archived one, and what follows the others on each of ten branches.
  expect(plan.windowsAfter).toHaveLength(5000 + 10)
})
