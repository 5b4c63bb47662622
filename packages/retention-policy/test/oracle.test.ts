import { soaking } from '@waltz/testkit'
import { expect, test } from 'vitest'
import {
  archive,
  formatPolicies,
  keepAll,
  keepCalendar,
  keepFulls,
  keepLast,
  keepMinimum,
  keepWindow,
  keepWithin,
  parsePolicies,
  planRetention,
  type LogArea,
  type RetentionPolicy,
} from '../src/index.ts'
import { carryOut, problemsOf, type Asked, type Pledge } from './oracle/check-plan.ts'
import { createDice, makeRepository, runsOf, type Dice, type Repository } from './oracle/repository.ts'

const COUNT = Number(process.env['WALTZ_ORACLE_COUNT'] ?? (soaking ? 1_000_000 : 10_000))
const SEED = Number(process.env['WALTZ_ORACLE_SEED'] ?? 1)

test(`${COUNT} random repositories: no plan removes what a kept point needs`, { timeout: 7_200_000 }, () => {
  const counts = { policies: 0, choices: 0, backups: 0, removed: 0 }
  for (let seed = SEED; seed < SEED + COUNT; seed++) {
    const dice = createDice(seed)
    const repository = makeRepository(dice)
    const problems = dice.chance(60) ? tryPolicies(dice, repository, counts) : tryChoice(dice, repository, counts)
    if (problems.length > 0) expect.fail(`seed ${seed}: ${problems.join('; ')}\n${show(repository)}`)
  }
  expect(counts.removed).toBeGreaterThan(counts.backups / 10)
  console.log(`${COUNT} repositories from seed ${SEED}: ${JSON.stringify(counts)}`)
})

interface Counts {
  policies: number
  choices: number
  backups: number
  removed: number
}

function tryPolicies(dice: Dice, repository: Repository, counts: Counts): readonly string[] {
  const promises = Array.from({ length: 1 + dice.integer(3) }, () => {
    const promise = makePromise(dice)
    // A window without later moments is none.
    return { promise, archived: promise.kind !== 'window' && dice.chance(25) }
  })
  const policies = promises.flatMap(({ promise, archived }) => (archived ? archive([policyOf(promise)]) : [policyOf(promise)]))
  const series = dice.chance(30) ? 'A' : undefined
  const log = { branches: runsOf(repository, new Set()) }
  const options = { now: repository.now, log, ...(series !== undefined && { series }) }
  const plan = planRetention(dice.chance(20) ? repository.backups.toReversed() : repository.backups, policies, options)
  counts.policies++
  counts.backups += repository.backups.length
  counts.removed += plan.remove.length
  const asked: Asked = { repository, promises, choice: undefined, series, mayGo: () => true }
  const problems = problemsOf(plan, asked)
  // One without a start may change its place when its neighbours are gone.
  if (repository.backups.some(({ startedAt }) => startedAt === undefined)) return problems
  // Which series is meant may change when backups of none are the newest.
  if (series === undefined && repository.backups.some((backup) => backup.series === undefined)) return problems
  // What was planned once leaves nothing to plan, and text says the same as the policies.
  const left = { ...repository, ...carryOut(repository, plan) }
  // A branch whose newest piece is gone is no longer one that somebody lives on.
  const ends = ({ branches, pieces }: Repository): string =>
    branches.map(({ id }) => pieces.findLast(({ branch }) => branch === id)?.at).join()
  if (ends(left) !== ends(repository)) return problems
  const again = planRetention(left.backups, parsePolicies(formatPolicies(policies)), {
    ...options,
    log: { branches: runsOf(left, new Set()) },
  })
  return again.remove.length === 0
    ? problems
    : [...problems, `again with ${formatPolicies(policies)}: ${again.remove.map(({ backup }) => backup.id).join()} would go`]
}

function tryChoice(dice: Dice, repository: Repository, counts: Counts): readonly string[] {
  const percent = dice.pick([20, 50, 100])
  const remove = new Map(repository.backups.filter(() => dice.chance(percent)).map(({ id }) => [id, 'chosen']))
  const choice = { remove, evenPermanent: dice.chance(30), evenNewest: dice.chance(40) }
  const limits = new Map(repository.branches.map(({ id }) => [id, dice.integer(20)]))
  const removable: readonly LogArea[] | undefined = dice.pick([
    undefined,
    [],
    [...limits].filter(() => dice.chance(80)).map(([branch, to]) => ({ branch, to: BigInt(to) })),
    [...limits].map(([branch, from]) => ({ branch, from: BigInt(from) })),
  ])
  const mayGo = (branch: string, at: number): boolean =>
    removable === undefined ||
    removable.some((area) => area.branch === branch && (area.from ?? 0n) <= BigInt(at) && (area.to === undefined || BigInt(at) < area.to))
  const branches = runsOf(repository, new Set(limits.values()))
  const plan = planRetention(repository.backups, choice, { now: repository.now, log: { branches, removable } })
  counts.choices++
  counts.backups += repository.backups.length
  counts.removed += plan.remove.length
  return problemsOf(plan, { repository, promises: undefined, choice, series: undefined, mayGo })
}

function makePromise(dice: Dice): Pledge {
  const kind = dice.pick(['last', 'fulls', 'minimum', 'within', 'window', 'daily', 'monthly', 'all', 'last', 'window'] as const)
  if (kind === 'all') return dice.chance(20) ? { kind } : { kind: 'last', count: 1 }
  if (kind === 'within' || kind === 'window') return { kind, hours: 1 + dice.integer(100) }
  return { kind, count: 1 + dice.integer(4) }
}

function policyOf(promise: Pledge): RetentionPolicy {
  if (promise.kind === 'last') return keepLast(promise.count)
  if (promise.kind === 'fulls') return keepFulls(promise.count)
  if (promise.kind === 'minimum') return keepMinimum(promise.count)
  if ('hours' in promise) return promise.kind === 'within' ? keepWithin(`${promise.hours}h`) : keepWindow(`${promise.hours}h`)
  return promise.kind === 'all' ? keepAll() : keepCalendar(promise.kind, promise.count)
}

function show({ pieces, ...repository }: Repository): string {
  const text = (value: unknown): string => JSON.stringify(value, (_, item: unknown) => (typeof item === 'bigint' ? `${item}` : item))
  return `${text(repository)}\n${pieces.map(({ branch, at }) => `${branch}:${at}`).join(' ')}`
}
