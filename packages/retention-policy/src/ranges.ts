import { byFrom } from './order.ts'

/** Half-open; without `to` there is no end. */
export interface OpenRange {
  readonly from: bigint
  readonly to?: bigint | undefined
}

/** Half-open. */
export interface Range {
  readonly from: bigint
  readonly to: bigint
}

/** The same positions as ascending ranges with space between them; empty ones vanish. */
export function mergeRanges(ranges: readonly Range[]): readonly Range[]
export function mergeRanges(ranges: readonly OpenRange[]): readonly OpenRange[]
export function mergeRanges(ranges: readonly OpenRange[]): readonly OpenRange[] {
  const merged: OpenRange[] = []
  let end: bigint | number = -1
  for (const { from, to } of ranges.toSorted(byFrom)) {
    if ((to ?? Infinity) <= from) continue
    if (from > end) merged.push({ from, to })
    else if ((to ?? Infinity) > end) merged.push({ from: (merged.pop() as OpenRange).from, to })
    else continue
    end = to ?? Infinity
  }
  return merged
}

/** What of each range, ascending, is not in `taken`, which `mergeRanges` made; with the range it is of. */
export function subtractRanges<Of extends Range>(
  ranges: readonly Of[],
  taken: readonly OpenRange[],
): readonly (Range & { readonly of: Of })[] {
  const left: (Range & { of: Of })[] = []
  let next = 0
  for (const of of ranges) {
    let { from } = of
    while ((taken[next]?.to ?? Infinity) <= from) next++
    for (let index = next; from < of.to; index++) {
      const hole = taken[index]
      const to = hole && hole.from < of.to ? hole.from : of.to
      if (from < to) left.push({ from, to, of })
      from = (to === of.to ? undefined : hole?.to) ?? of.to
    }
  }
  return left
}
