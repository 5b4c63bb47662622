import { parsePolicies } from '@waltz/retention-policy'
import { beforeEach, expect, it } from 'vitest'
import type { RemovalPlan } from '../src/removal/removal-plan.ts'
import type { RemovalWish } from '../src/removal/removal-request.ts'
import { createWorld, nameOf, planOf, segment, type World } from './removal-world.ts'

const DAY_MS = 86_400_000
const FULL = nameOf({ at: 10 })
const INCREMENT = nameOf({ at: 12, parent: FULL })
const PERMANENT = nameOf({ at: 20 })
const MARK = nameOf({ at: 30 })
const NEWEST = nameOf({ at: 40 })
const ATTEMPT = nameOf({ at: 5 })
const RUNNING = nameOf({ at: 45 })

let world: World
beforeEach(async () => {
  world = createWorld()
  await world.backup({ at: 5, unfinished: true })
  world.clock.advance(2 * DAY_MS)
  await world.backup({ at: 10 })
  await world.backup({ at: 12, parent: FULL })
  await world.backup({ at: 20, permanent: true })
  await world.backup({ at: 30 })
  await world.backup({ at: 40 })
  await world.backup({ at: 45, unfinished: true })
  await world.wal(8, 46)
})

function reasonsOf({ decisions }: RemovalPlan): Record<string, string> {
  return Object.fromEntries(decisions.map(({ entry, reasons }) => [entry.name, reasons.map(({ text }) => text).join('; ')]))
}

const modes: readonly (readonly [RemovalWish, Record<string, string>])[] = [
  [
    { mode: 'before', what: MARK },
    {
      [FULL]: `older than ${MARK}`,
      [INCREMENT]: `older than ${MARK}`,
      [PERMANENT]: 'marked as permanent',
      [MARK]: 'the oldest backup that was to stay',
      [NEWEST]: `newer than ${MARK}, the oldest that was to stay`,
      [ATTEMPT]: `what is left of an attempt before ${MARK}`,
      [RUNNING]: 'it is being written',
    },
  ],
  [
    { mode: 'retain', count: 9 },
    {
      [FULL]: 'no backup is too much',
      [ATTEMPT]: 'it was never finished, and this command leaves it alone',
      [RUNNING]: 'it is being written',
    },
  ],
  [
    { mode: 'target', name: FULL },
    { [FULL]: 'it was asked for', [INCREMENT]: `it depends on ${FULL}`, [MARK]: 'it was not asked for', [RUNNING]: 'it is being written' },
  ],
  [
    { mode: 'garbage' },
    {
      [MARK]: 'a finished backup is no garbage',
      [ATTEMPT]: 'what is left of an attempt that was not finished',
      [RUNNING]: 'it is being written',
    },
  ],
  [
    { mode: 'policies', policies: parsePolicies('last=1') },
    {
      [FULL]: 'kept by no rule',
      [INCREMENT]: 'kept by no rule',
      [PERMANENT]: 'marked as permanent',
      [MARK]: 'kept by no rule',
      [NEWEST]: 'the newest backup that can be restored; kept by last=1',
      [ATTEMPT]: 'it was never finished: `delete garbage` removes what is left of it',
      [RUNNING]: 'it is being written',
    },
  ],
]

it.each(modes)('each row says why, without a manual: %j', async (wish, expected) => {
  expect(reasonsOf(await planOf(world, wish))).toMatchObject(expected)
})

it('what rules cannot judge says why, in the table and in the notes', async () => {
  const [foreign, future] = [nameOf({ at: 31 }), nameOf({ at: 33 })]
  await world.backup({ at: 31, system: 9n })
  await world.backup({ at: 33, startedAt: new Date(world.clock.now().getTime() + DAY_MS).toISOString() })
  const lost = nameOf({ at: 35, parent: nameOf({ at: 34 }) })
  await world.backup({ at: 35, parent: nameOf({ at: 34 }) })
  await world.backup({ at: 41 })
  const broken = nameOf({ at: 36 })
  await world.put(`basebackups_005/${broken}_backup_stop_sentinel.json`, '{"LSN":')
  const plan = await planOf(world, { mode: 'policies', policies: parsePolicies('last=1') })
  const expected = {
    [foreign]: 'it is of another cluster (system identifier 9), see --series',
    [future]: expect.stringMatching(/^it begins at 2026-03-0\dT.*, which has not come yet$/),
    [lost]: 'a backup that it depends on is missing or unfinished, so no rule can judge it',
    [broken]: 'what it is cannot be read, so no rule can judge it',
  }
  expect(reasonsOf(plan)).toMatchObject(expected)
  const notes = plan.notes.map(({ text }) => text)
  for (const [name, text] of Object.entries(expected)) if (typeof text === 'string') expect(notes).toContain(`default/${name}: ${text}`)
})

it('the WAL that stays says for what', async () => {
  const before = async (wish: RemovalWish): Promise<readonly string[]> => (await planOf(world, wish)).wal.map(({ reason }) => reason)
  expect(await before({ mode: 'before', what: MARK })).toEqual([
    `from ${segment(30)} on needed to go on from ${MARK}; needed to restore ${PERMANENT}`,
  ])
  expect(await before({ mode: 'policies', policies: parsePolicies('last=1') })).toEqual([
    `from ${segment(40)} on needed to go on from ${NEWEST}; needed to restore ${PERMANENT}`,
  ])
})
