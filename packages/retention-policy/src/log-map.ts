import type { RetainableBackup } from './backup.ts'
import type { LogBranch, LogSpan } from './log.ts'
import type { Range } from './ranges.ts'

/** Behind every position. */
export const FAR: bigint = 2n ** 99n

/** The branches another one descends from, the nearest first, with the end of what both share; undefined is one that nobody knows. */
export type Ancestors = ReadonlyMap<string | undefined, bigint>

/** The tree of branches, and what is stored of them. */
export interface LogMap {
  readonly branches: readonly LogBranch[]
  ancestorsOf(branch: string | undefined): Ancestors
  /** The first position, from `from` on, that is not stored on the way to the end of `branch`. */
  covered(branch: string | undefined, from: bigint): bigint
  /** Whether a recovery from this span can come to the end of `branch`, gaps aside. */
  reaches(span: LogSpan | undefined, branch: string): boolean
  /**
   * From where on a later moment of this span needs `branch`: all of it when it leads there, from the span on when it might, because nobody
   * knows where the branch, or one it descends from, comes from; otherwise from `FAR` on, which is nothing.
   */
  neededFrom(span: LogSpan, branch: string): bigint
}

type Origin = LogBranch['origin']

/** Where a backup with this span is consistent, as far as is known. */
export const consistentAt = ({ from, to }: LogSpan): bigint => to ?? from

/** Reads the tree of branches, with what is stored of each. */
export function createLogMap(branches: readonly LogBranch[], stored: ReadonlyMap<string | undefined, readonly Range[]>): LogMap {
  const origins = new Map(branches.map(({ id, origin }) => [id, origin]))
  const trees = new Map<string | undefined, Ancestors>(branches.map(({ id, origin }) => [id, climb(id, origin, origins)]))
  const ancestorsOf = (id: string | undefined): Ancestors => trees.get(id) ?? new Map<string, bigint>()
  const covered = (id: string | undefined, from: bigint): bigint => {
    const [parent, sharedTo] = ancestorsOf(id).entries().next().value ?? [undefined, 0n]
    const run = stored.get(id)?.find(({ to }) => to > from)
    if (run && run.from <= from) return covered(id, run.to)
    const end = from < sharedTo ? covered(parent, from) : from
    return end > from ? covered(id, end < sharedTo ? end : sharedTo) : from
  }
  const leads = (branch: string | undefined, span: LogSpan, id: string): boolean =>
    (ancestorsOf(id).get(branch) ?? -1n) >= consistentAt(span)
  const reaches = (span: LogSpan | undefined, id: string): boolean => !!span && (span.branch === id || leads(span.branch, span, id))
  const mayReach = (span: LogSpan, id: string): boolean => leads(undefined, span, id) && !ancestorsOf(id).has(span.branch)
  return {
    branches,
    ancestorsOf,
    covered,
    reaches,
    neededFrom: (span, id) => (reaches(span, id) ? 0n : mayReach(span, id) ? span.from : FAR),
  }
}

function climb(id: string, begin: Origin, origins: ReadonlyMap<string, Origin>): Ancestors {
  const ancestors = new Map<string | undefined, bigint>()
  const seen = new Set([id])
  let sharedTo = FAR
  let origin = begin
  while (typeof origin === 'object' && !seen.has(origin.branch)) {
    const { branch, at }: { readonly branch: string; readonly at: bigint } = origin
    if (at < sharedTo) sharedTo = at
    seen.add(branch)
    ancestors.set(branch, sharedTo)
    origin = origins.get(branch) ?? 'unknown'
  }
  return origin === 'root' ? ancestors : ancestors.set(undefined, sharedTo)
}

/** Whether all that a backup needs of the log to be consistent is stored, on its branch or on one it leads to, as far as is known what that is. */
export const hasItsLog = ({ log }: RetainableBackup, map: LogMap | undefined): boolean =>
  !log || !map || map.branches.some(({ id }) => map.reaches(log, id) && map.covered(id, log.from) >= consistentAt(log))
