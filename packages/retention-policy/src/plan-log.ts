import type { LogBranch, LogRun, LogSpan, RetainableLog } from './log.ts'
import { FAR, type LogMap } from './log-map.ts'
import { byFrom } from './order.ts'
import type { BranchPlan, LogRequirement, RetentionDecision } from './plan.ts'
import { mergeRanges, subtractRanges, type Range } from './ranges.ts'

/** What happens to every branch, when these stay. With `held` all of the log stays. */
export function planLog(
  { branches, removable }: RetainableLog,
  map: LogMap,
  keep: readonly RetentionDecision[],
  held: boolean,
): readonly BranchPlan[] {
  const required = new Map<string, LogRequirement[]>(branches.map(({ id }) => [id, []]))
  const inherited = new Map<string, bigint>()
  // The oldest first: what that leads to is needed as a whole, and need not be said again for those after it.
  for (const { backup, log } of keep.toReversed())
    if (backup.log && log !== 'none')
      requireFor(backup.id, backup.log, log === 'onward' ? undefined : backup.log.to, { required, inherited, map, branches })
  return branches.map(({ id, runs }) => {
    const low = runs[0]?.from ?? 0n
    const all = mergeRanges([{ from: low, to: runs.at(-1)?.to ?? low }])
    const requirements = (required.get(id) as LogRequirement[]).concat(held ? { from: low, backup: undefined } : []).sort(byFrom)
    const needed = mergeRanges(requirements)
    const areas = removable?.filter(({ branch }) => branch === id).map(({ from, to }) => ({ from: from ?? low, to })) ?? all
    const staying = mergeRanges([...needed, ...subtractRanges(all, mergeRanges(areas))])
    const share = ({ from, to, of }: Range & { readonly of: LogRun }): number => of.bytes * (Number(to - from) / Number(of.to - of.from))
    const bytesFreed = Math.round(sumOf(subtractRanges(runs, staying).map(share)))
    return {
      branch: id,
      requirements,
      needed,
      removable: subtractRanges(all, staying).map(({ from, to }) => ({ from, to })),
      bytesFreed,
    }
  })
}

interface Ledger {
  readonly required: ReadonlyMap<string, LogRequirement[]>
  /** Branches that are needed because another one leads to them, and from where on. */
  readonly inherited: Map<string, bigint>
  readonly map: LogMap
  readonly branches: readonly LogBranch[]
}

/** Writes down what a backup needs of its own branch, of the branches before it, and of those that can be come to from it. */
function requireFor(id: string, span: LogSpan, to: bigint | undefined, { required, inherited, map, branches }: Ledger): void {
  const { branch, from } = span
  const add = (branch: string, from: bigint, to?: bigint): unknown => required.get(branch)?.push({ from, to, backup: id })
  add(branch, from, to)
  // A span that begins before its branch does begins on another one.
  for (const [parent = '', sharedTo] of map.ancestorsOf(branch)) if (from < sharedTo) add(parent, from, sharedTo)
  for (const { id: other, runs } of branches.filter(({ id }) => id !== branch)) {
    const wanted = map.neededFrom(span, other)
    if (to === undefined) {
      if (wanted >= (inherited.get(other) ?? FAR)) continue
      inherited.set(other, wanted)
      add(other, wanted)
      // The first piece of another branch may be a copy of what this one lacks.
    } else if (!wanted && runs.some((run) => run.from < to)) add(other, from, to)
  }
}

export const sumOf = (numbers: readonly number[]): number => numbers.reduce((sum, number) => sum + number, 0)
