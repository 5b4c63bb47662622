import type { RetainableBackup, RetentionChoice, RetentionPlan } from '../../src/index.ts'
import { isRestorable, isWhole, leadsTo, nameOf, parentsOf, restorablePoints, type Point, type State } from './judge.ts'
import { momentOf, type Repository } from './repository.ts'

/** One promise of a policy, in numbers. */
export type Pledge =
  | { readonly kind: 'last' | 'fulls' | 'minimum'; readonly count: number }
  | { readonly kind: 'within' | 'window'; readonly hours: number }
  | { readonly kind: 'daily' | 'monthly'; readonly count: number }
  | { readonly kind: 'all' }

/** What was asked of the planner. */
export interface Asked {
  readonly repository: Repository
  readonly promises: readonly { readonly promise: Pledge; readonly archived: boolean }[] | undefined
  readonly choice: RetentionChoice | undefined
  readonly series: string | undefined
  /** Whether a piece may go at all. */
  readonly mayGo: (branch: string, at: number) => boolean
}

/** The repository when the plan was carried out, object by object. */
export function carryOut({ backups, pieces }: State, plan: RetentionPlan): State {
  const gone = new Set(plan.remove.map(({ backup }) => backup.id))
  const isRemovable = (branch: string, at: number): boolean =>
    plan.log.some((one) => one.branch === branch && one.removable.some(({ from, to }) => from <= BigInt(at) && BigInt(at + 1) <= to))
  return { backups: backups.filter(({ id }) => !gone.has(id)), pieces: pieces.filter(({ branch, at }) => !isRemovable(branch, at)) }
}

/** Everything that is wrong with a plan; nothing when all is well. */
export function problemsOf(plan: RetentionPlan, asked: Asked): readonly string[] {
  const { repository } = asked
  const { branches } = repository
  const after = carryOut(repository, plan)
  const kept = new Set(after.backups.map(({ id }) => id))
  const before = restorablePoints(repository, branches)
  const later = restorablePoints(after, branches)
  return [
    ...formProblems(plan, repository, after),
    ...chainProblems(after, repository),
    ...pointProblems(plan, asked, { before, later: keysOf(later), after }),
    ...windowProblems(plan.windowsBefore, before, asked, 'before'),
    ...windowProblems(plan.windowsAfter, later, asked, 'after'),
    ...repository.pieces
      .filter((piece) => !after.pieces.includes(piece) && !asked.mayGo(piece.branch, piece.at))
      .map(({ branch, at }) => `log ${branch}:${at} was not to go`),
    ...protectionProblems(asked, kept),
    ...(asked.promises === undefined ? choiceProblems(plan, asked) : promiseProblems(asked, { before, later, after, kept })),
  ]
}

const keysOf = (points: readonly Point[]): ReadonlySet<string> =>
  new Set(points.map(({ backup, branch, at }) => `${backup} ${branch}:${at}`))

/** Every backup and every branch once, and sums that are those of the objects. */
function formProblems(plan: RetentionPlan, { backups, branches, pieces }: Repository, after: State): readonly string[] {
  const problems: string[] = []
  const expect = (is: boolean, problem: string): void => void (is || problems.push(problem))
  const ids = plan.decisions.map(({ backup }) => backup.id)
  expect(
    [...ids].sort().join() ===
      backups
        .map(({ id }) => id)
        .sort()
        .join(),
    'decisions are not the backups',
  )
  expect(plan.keep.length + plan.remove.length === ids.length, 'keep and remove are not the decisions')
  expect(plan.log.map(({ branch }) => branch).join() === branches.map(({ id }) => id).join(), 'branches are not the branches')
  expect(
    plan.decisions.every(({ reasons }) => reasons.length > 0),
    'a decision without reason',
  )
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)
  const gone = backups.filter((backup) => !after.backups.includes(backup))
  expect(plan.bytesFreed.backups === sum(gone.map(({ bytes = 0 }) => bytes)), 'bytes of backups')
  const freed = sum(pieces.filter((piece) => !after.pieces.includes(piece)).map(({ bytes }) => bytes))
  expect(plan.bytesFreed.log === freed, `bytes of log: ${plan.bytesFreed.log}, not ${freed}`)
  return problems
}

/** What a kept backup depends on was there before and is not there after. */
function chainProblems(after: State, { backups }: Repository): readonly string[] {
  return after.backups.flatMap((backup) =>
    parentsOf(backup, backups)
      .filter((parent) => !after.backups.includes(parent))
      .map((parent) => `${parent.id}, on which ${backup.id} depends, goes`),
  )
}

interface Points {
  readonly before: readonly Point[]
  readonly later: ReadonlySet<string>
  readonly after: State
}

/** Points of kept backups that could be restored and cannot be any more. */
function pointProblems(plan: RetentionPlan, { repository }: Asked, { before, later, after }: Points): readonly string[] {
  const needs = new Map(plan.keep.map(({ backup, log }) => [backup.id, log]))
  const lost = before.filter((point) => {
    const need = needs.get(point.backup)
    return need === 'onward' && !later.has(`${point.backup} ${point.branch}:${point.at}`)
  })
  const broken = after.backups.filter(
    (backup) => isRestorable(backup, repository, repository.branches) && !isRestorable(backup, after, repository.branches),
  )
  const written = repository.backups.flatMap(({ id, state, log }) => {
    if (log === undefined || (state !== 'being-written' && state !== 'unreadable') || needs.get(id) !== 'onward') return []
    return repository.pieces.filter((piece) => piece.branch === log.branch && piece.at >= Number(log.from) && !after.pieces.includes(piece))
  })
  const blind = repository.backups.some(({ id, log }) => log === undefined && (needs.get(id) ?? 'none') !== 'none')
  return [
    ...broken.map(({ id }) => `${id} cannot be restored any more`),
    ...lost.map(({ backup, branch, at }) => `point ${branch}:${at} of ${backup} is lost`),
    ...written.map(({ branch, at }) => `log ${branch}:${at} goes, which something unfinished needs`),
    ...(blind && after.pieces.length < repository.pieces.length ? ['log goes, though nobody knows what a kept backup needs'] : []),
  ]
}

/** Windows say which positions can be restored, neither more nor less. */
function windowProblems(
  windows: RetentionPlan['windowsBefore'],
  points: readonly Point[],
  { repository }: Asked,
  when: string,
): readonly string[] {
  const forks = new Set(repository.branches.map(({ id, origin }) => (typeof origin === 'object' ? `${id}:${origin.at}` : '')))
  const said = new Set<string>()
  for (const { branch, from, to } of windows) {
    if (branch === undefined || from === undefined || to === undefined) continue
    for (let at = from; at <= to; at++) said.add(`${branch}:${at}`)
  }
  const found = new Set(points.map(({ branch, at }) => `${branch}:${at}`))
  // The fork itself is the same on both branches.
  return [...said.symmetricDifference(found).difference(forks)].map(
    (key) => `window ${when}: ${key} is ${said.has(key) ? 'not' : 'well'} restorable`,
  )
}

/** Backups that are protected, whatever is asked. */
function protectionProblems({ repository, choice, promises, series }: Asked, kept: ReadonlySet<string>): readonly string[] {
  const { backups, now, branches } = repository
  const problems: string[] = []
  const mustStay = (backup: RetainableBackup | undefined, why: string): void => {
    if (backup !== undefined && !kept.has(backup.id)) problems.push(`${backup.id} goes: ${why}`)
  }
  const isFuture = ({ startedAt }: RetainableBackup): boolean => startedAt !== undefined && startedAt > now
  const judged = backups.filter((backup) => isWhole(backup, backups) && !isFuture(backup))
  const dated = judged.filter(({ startedAt }) => startedAt !== undefined)
  const newestOf = (some: readonly RetainableBackup[]): RetainableBackup | undefined => some.toSorted(byStart)[0]
  const ours = series ?? newestOf(dated.filter((backup) => backup.series !== undefined))?.series
  const isOurs = (backup: RetainableBackup): boolean => backup.series === undefined || backup.series === ours
  for (const backup of backups) {
    const { state = 'complete', permanent } = backup
    if (state === 'being-written') mustStay(backup, 'it is being written')
    if (permanent === true && choice?.evenPermanent !== true) mustStay(backup, 'it is permanent')
    if (promises === undefined) continue
    if (state !== 'complete') mustStay(backup, `it is ${state}`)
    if (isFuture(backup)) mustStay(backup, 'it is from the future')
    if (!isWhole(backup, backups)) mustStay(backup, 'its chain is broken')
    if (backup.series !== undefined && backup.series !== ours) mustStay(backup, 'it is of another series')
    if (!backup.startedAt && !backup.storedAt && !backup.log) mustStay(backup, 'it has no date')
  }
  if (choice?.evenNewest === true) return problems
  const candidates = dated.filter((backup) => (promises === undefined || isOurs(backup)) && isRestorable(backup, repository, branches))
  const newest = newestOf(candidates)
  // Where one without a start could be newer, it is not for this test to say which is the newest.
  if (judged.some(({ startedAt }) => startedAt === undefined)) return problems
  mustStay(newest, 'it is the newest restorable one')
  const since = newest?.finishedAt ?? newest?.startedAt
  for (const { id } of branches) {
    const end = repository.pieces.filter(({ branch }) => branch === id).at(-1)
    if (newest === undefined || end === undefined || (since !== undefined && end.writtenAt <= since.getTime())) continue
    mustStay(
      newestOf(candidates.filter((backup) => leadsTo(backup, id, branches))),
      `it is the newest that leads to the living branch ${id}`,
    )
  }
  return problems
}

/** Newest first, as the package orders: by start, then position, then id. */
function byStart(a: RetainableBackup, b: RetainableBackup): number {
  return Number(b.startedAt) - Number(a.startedAt) || Number(b.log?.from ?? -1n) - Number(a.log?.from ?? -1n) || (a.id < b.id ? 1 : -1)
}

/** A choice removes nothing that was not chosen. */
function choiceProblems(plan: RetentionPlan, { choice }: Asked): readonly string[] {
  return plan.remove.filter(({ backup }) => choice?.remove.has(backup.id) !== true).map(({ backup }) => `${backup.id} goes unasked`)
}

interface Outcome {
  readonly before: readonly Point[]
  readonly later: readonly Point[]
  readonly after: State
  readonly kept: ReadonlySet<string>
}

/** What policies promised, counted by hand. */
function promiseProblems(asked: Asked, outcome: Outcome): readonly string[] {
  const { repository, series } = asked
  const { backups, now, branches } = repository
  const judged = backups.filter(
    (backup) => isWhole(backup, backups) && backup.startedAt !== undefined && backup.startedAt <= now && backup.storedAt !== null,
  )
  const inOrder = judged.toSorted(byStart)
  const ours = series ?? inOrder.find((backup) => backup.series !== undefined)?.series
  const mine = inOrder.filter((backup) => backup.series === undefined || backup.series === ours)
  const able = mine.filter((backup) => isRestorable(backup, repository, branches))
  return (asked.promises ?? []).flatMap(({ promise, archived }) => brokenPromise(promise, archived, { mine, able, asked, outcome }))
}

interface Judged {
  readonly mine: readonly RetainableBackup[]
  readonly able: readonly RetainableBackup[]
  readonly asked: Asked
  readonly outcome: Outcome
}

function brokenPromise(promise: Pledge, archived: boolean, { mine, able, asked, outcome }: Judged): readonly string[] {
  const { repository } = asked
  const { kept, before, later, after } = outcome
  const hasUndated = repository.backups.some(({ startedAt }) => startedAt === undefined)
  const expect = (names: ReadonlySet<string>): readonly string[] =>
    mine
      .filter((backup) => names.has(nameOf(backup)) && !kept.has(backup.id))
      .map(({ id }) => `${id} goes against ${JSON.stringify(promise)}`)
  const firstNames = (some: readonly RetainableBackup[], count: number): ReadonlySet<string> =>
    new Set([...new Set(some.map(nameOf))].slice(0, count))
  if (promise.kind === 'all') return expect(new Set(mine.map(nameOf)))
  if ('hours' in promise && promise.kind === 'within') {
    const start = repository.now.getTime() - promise.hours * 3_600_000
    return expect(new Set(mine.filter(({ startedAt }) => Number(startedAt) >= start).map(nameOf)))
  }
  if ('hours' in promise) {
    if (!repository.isHonest || archived) return []
    const start = repository.now.getTime() - promise.hours * 3_600_000
    const ids = new Set(mine.map(({ id }) => id))
    const has = new Set(later.map(({ branch, at }) => `${branch}:${at}`))
    return before
      .filter(({ backup, branch, at }) => ids.has(backup) && momentOf(at) > start && !has.has(`${branch}:${at}`))
      .map(({ branch, at }) => `the moment ${branch}:${at} in the window is lost`)
  }
  if (hasUndated) return []
  if (promise.kind === 'minimum') {
    const left = new Set(after.backups.filter((backup) => able.includes(backup)).map(nameOf)).size
    const most = new Set(able.map(nameOf)).size
    return left >= Math.min(promise.count, most) ? [] : [`${left} restorable backups are left, not ${promise.count}`]
  }
  if (promise.kind === 'last') return expect(firstNames(able, promise.count))
  if (promise.kind === 'fulls')
    return expect(
      firstNames(
        able.filter(({ parent }) => parent === undefined),
        promise.count,
      ),
    )
  const length = promise.kind === 'daily' ? 10 : 7
  const periods = [...new Set(mine.map(({ startedAt }) => startedAt?.toISOString().slice(0, length)))].slice(0, promise.count)
  return periods.flatMap((period) => {
    const some = (list: readonly RetainableBackup[]): readonly RetainableBackup[] =>
      list.filter(({ startedAt }) => startedAt?.toISOString().startsWith(period ?? '-'))
    return expect(firstNames(some(able).length > 0 ? some(able) : some(mine), 1))
  })
}
