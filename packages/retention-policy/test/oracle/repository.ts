import { seededRandom } from '@waltz/testkit'
import type { LogBranch, LogRun, RetainableBackup } from '../../src/index.ts'

/** One piece of the log: position `at` of a branch. */
export interface Piece {
  readonly branch: string
  readonly at: number
  readonly bytes: number
  readonly writtenAt: number
}

/** A made-up repository, piece by piece. */
export interface Repository {
  readonly now: Date
  readonly backups: readonly RetainableBackup[]
  readonly branches: readonly { readonly id: string; readonly origin: LogBranch['origin'] }[]
  readonly pieces: readonly Piece[]
  /** Clocks told the truth and nothing about time is unknown. */
  readonly isHonest: boolean
}

export interface Dice {
  integer(limit: number): number
  /** True in so many of a hundred throws. */
  chance(percent: number): boolean
  pick<Item>(items: readonly Item[]): Item
}

export function createDice(seed: number): Dice {
  const random = seededRandom(seed)
  return {
    integer: (limit) => random.integer(limit),
    chance: (percent) => random.integer(100) < percent,
    pick: (items) => items[random.integer(items.length)] as never,
  }
}

const HOUR_MS = 3_600_000
const DAY_ONE = Date.UTC(2026, 0, 1)

/** The true moment of a position: an hour each. */
export const momentOf = (at: number): number => DAY_ONE + at * 5 * HOUR_MS

export function makeRepository(dice: Dice): Repository {
  const isHonest = dice.chance(50)
  const { branches, begins, ends } = makeBranches(dice, isHonest)
  const now = new Date(momentOf(Math.max(...ends.values())) + HOUR_MS)
  // The last piece before a fork is often missing: the branch that forked off has a copy, and the parent never ended it.
  const isForkOf = (id: string, at: number): boolean =>
    branches.some(({ origin }) => typeof origin === 'object' && origin.branch === id && Number(origin.at) === at)
  const pieces = branches.flatMap(({ id }) => {
    const begin = begins.get(id) ?? 0
    const start = Math.max(0, begin - dice.integer(2))
    const gaps = dice.pick([0, 0, 10])
    return Array.from({ length: Math.max(0, (ends.get(id) ?? 0) - start) }, (_, index) => ({
      branch: id,
      at: start + index,
      bytes: 1 + dice.integer(50),
      writtenAt: momentOf(start + index + 1),
    })).filter(({ at }) => !dice.chance(gaps + (isForkOf(id, at + 1) ? 30 : 0)))
  })
  const backups: RetainableBackup[] = []
  for (let count = dice.integer(12); count > 0; count--) backups.push(makeBackup(dice, { backups, branches, begins, ends, isHonest, now }))
  return { now, backups, branches, pieces, isHonest }
}

/** Branches with what nobody outside knows: where each begins and ends. In repositories without honesty a branch may begin before its parent. */
function makeBranches(
  dice: Dice,
  isHonest: boolean,
): { branches: Repository['branches']; begins: Map<string, number>; ends: Map<string, number> } {
  const branches: { id: string; origin: LogBranch['origin'] }[] = [{ id: '1', origin: 'root' }]
  const begins = new Map([['1', 0]])
  const ends = new Map([['1', 6 + dice.integer(14)]])
  for (let id = 2; dice.chance(45) && id < 6; id++) {
    const parent = dice.pick(branches).id
    const begin = isHonest ? (begins.get(parent) ?? 0) : 0
    const at = begin + dice.integer(Math.max(1, (ends.get(parent) ?? 1) - begin + 1))
    const origin = dice.chance(15) ? ('unknown' as const) : { branch: dice.chance(5) ? 'lost' : parent, at: BigInt(at) }
    branches.push({ id: String(id), origin })
    begins.set(String(id), at)
    ends.set(String(id), at + dice.integer(12))
  }
  return { branches, begins, ends }
}

interface Soil {
  readonly backups: readonly RetainableBackup[]
  readonly branches: Repository['branches']
  readonly begins: ReadonlyMap<string, number>
  readonly ends: ReadonlyMap<string, number>
  readonly isHonest: boolean
  readonly now: Date
}

function makeBackup(dice: Dice, { backups, branches, begins, ends, isHonest, now }: Soil): RetainableBackup {
  const id = `b${backups.length}`
  const earlier = backups.length > 0 ? dice.pick(backups) : undefined
  if (earlier !== undefined && dice.chance(6)) {
    return { ...earlier, id, name: earlier.name ?? earlier.id, permanent: dice.chance(20), bytes: dice.integer(1000) }
  }
  const branch = dice.pick(branches).id
  const begin = isHonest ? Math.max(0, (begins.get(branch) ?? 0) - dice.integer(2)) : 0
  const forks = branches.flatMap(({ origin }) => (typeof origin === 'object' && origin.branch === branch ? Number(origin.at) : []))
  const isAtFork = forks.length > 0 && dice.chance(20)
  const length = dice.integer(3)
  const from = isAtFork
    ? Math.max(begin, dice.pick(forks) - length)
    : begin + dice.integer(Math.max(1, (ends.get(branch) ?? 0) + 1 - begin))
  const to = from + length
  const skew = isHonest ? 0 : dice.pick([0, 0, 0, 40, -40]) * HOUR_MS
  const isDated = isHonest || !dice.chance(10)
  const state = dice.pick([
    'complete',
    'complete',
    'complete',
    'complete',
    'complete',
    'complete',
    'unfinished',
    'being-written',
    'unreadable',
  ] as const)
  const parent =
    earlier && dice.chance(40) ? dice.pick([earlier.id, earlier.id, earlier.id, earlier.name ?? earlier.id, 'nobody']) : undefined
  const isOpen = state !== 'complete' && dice.chance(50)
  const isLogless = dice.chance(5)
  return {
    id,
    state,
    bytes: dice.integer(1000),
    permanent: dice.chance(12),
    ...(parent !== undefined && { parent }),
    ...(isDated && dice.chance(85) && { series: dice.chance(85) ? 'A' : 'B' }),
    ...(isDated && { startedAt: new Date(Math.min(momentOf(from) + skew, isHonest ? now.getTime() : Infinity)) }),
    ...(isHonest || dice.chance(80) ? { finishedAt: new Date(momentOf(to) + skew) } : {}),
    ...(dice.chance(isLogless ? 30 : 70) && { storedAt: new Date(momentOf(to + dice.integer(3))) }),
    ...(!isLogless && { log: { branch, from: BigInt(from), ...(!isOpen && { to: BigInt(to) }) } }),
  }
}

/** The pieces as runs, cut where anything begins or ends, and here and there besides. */
export function runsOf({ backups, branches, pieces }: Repository, cuts: ReadonlySet<number>): readonly LogBranch[] {
  const limits = new Set(cuts)
  for (const { log } of backups) for (const at of [log?.from, log?.to]) if (at !== undefined) limits.add(Number(at))
  for (const { origin } of branches) if (typeof origin === 'object') limits.add(Number(origin.at))
  return branches.map(({ id, origin }) => {
    const runs: { from: bigint; to: bigint; bytes: number; lastAt: Date }[] = []
    for (const { at, bytes, writtenAt } of pieces.filter(({ branch }) => branch === id)) {
      const last = runs.at(-1)
      const lastAt = new Date(writtenAt)
      if (last?.to === BigInt(at) && !limits.has(at)) Object.assign(last, { to: last.to + 1n, bytes: last.bytes + bytes, lastAt })
      else runs.push({ from: BigInt(at), to: BigInt(at + 1), bytes, lastAt })
    }
    return { id, origin, runs: runs as readonly LogRun[] }
  })
}
