import { Fault } from '@waltz/errors'
import { compareKeys } from '@waltz/storage'

/** From here on, the order of UTF-16 units (surrogates first) differs from that of bytes. */
const FIRST_UNIT = 0xd800

/** Where a name has its first unit from U+D800 on; -1 without one. */
export function firstHighUnit(name: string): number {
  for (let index = 0; index < name.length; index += 1) if (name.charCodeAt(index) >= FIRST_UNIT) return index
  return -1
}

/**
 * Names that come in the order of UTF-16 units or of bytes (Azure promises "alphabetical" only; Azurite sorts by units), in the order of
 * bytes. Names that agree up to their first such unit stand side by side in both orders: they are gathered and sorted, all others pass.
 * @throws Fault `unsupported` `AZURE_LISTING_UNORDERED` for any other order, as accounts with a hierarchical namespace have it.
 */
export async function* inByteOrder<T>(items: AsyncIterable<T>, nameOf: (item: T) => string, location: string): AsyncGenerator<T> {
  let last: string | undefined
  let shared = ''
  let run: T[] = []
  const ordered = (batch: readonly T[]): readonly T[] => {
    for (const item of batch) {
      const name = nameOf(item)
      if (last !== undefined && compareKeys(name, last) < 0) throw unorderedFault(last, name, location)
      last = name
    }
    return batch
  }
  for await (const item of items) {
    const name = nameOf(item)
    const high = firstHighUnit(name)
    const beginning = high < 0 ? undefined : name.slice(0, high)
    if (run.length > 0 && beginning !== shared) {
      yield* ordered(sorted(run, nameOf))
      run = []
    }
    if (beginning === undefined) yield* ordered([item])
    else {
      shared = beginning
      run.push(item)
    }
  }
  yield* ordered(sorted(run, nameOf))
}

function sorted<T>(items: readonly T[], nameOf: (item: T) => string): readonly T[] {
  return items.toSorted((left, right) => compareKeys(nameOf(left), nameOf(right)))
}

function unorderedFault(before: string, after: string, location: string): Fault {
  return new Fault(
    'unsupported',
    'AZURE_LISTING_UNORDERED',
    `${location} lists ${after} after ${before}, which is no order that can be relied upon`,
    {
      hint: 'accounts with a hierarchical namespace do this; use one without',
      context: { location },
    },
  )
}
