/**
 * The name that someone most likely meant by `wanted`, if any is near: the fewest letters added, left out, changed or
 * swapped with their neighbour, with about one such mistake allowed in five letters and never more than four. A name
 * that merely continues `wanted` counts as two mistakes.
 */
export function nearestName(wanted: string, names: Iterable<string>): string | undefined {
  const limit = Math.min(4, Math.max(1, Math.floor(wanted.length / 5) + 1))
  let best: string | undefined
  let bestDistance = limit + 1
  for (const name of names) {
    const distance = Math.min(editDistance(wanted, name, bestDistance), continues(wanted, name) ? 2 : Infinity)
    if (distance < bestDistance) [best, bestDistance] = [name, distance]
  }
  return best
}

function continues(wanted: string, name: string): boolean {
  return wanted.length >= 3 && name.startsWith(wanted)
}

/** Edit distance with swapped neighbours as one mistake; `Infinity` as soon as it must reach `enough`. */
export function editDistance(a: string, b: string, enough: number = Infinity): number {
  if (Math.abs(a.length - b.length) >= enough) return Infinity
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1]
      let cost = Math.min(at(last, column) + 1, at(current, column - 1) + 1, at(last, column - 1) + (same ? 0 : 1))
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      if (swapped) cost = Math.min(cost, at(beforeLast, column - 2) + 1)
      current.push(cost)
    }
    ;[beforeLast, last] = [last, current]
  }
  return at(last, b.length)
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Infinity
}
