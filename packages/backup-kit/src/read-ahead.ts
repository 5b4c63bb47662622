/** Items that are being fetched while others are looked at. */
export interface ReadAhead<Item> extends AsyncIterable<Item>, AsyncDisposable {}

/**
 * Begins to fetch at once and goes on while nobody asks, until items of `most` weight wait: what is there when they are asked for has cost
 * no time. A failure is told where it happened. To be gone through once; disposing of it stops fetching and closes the source.
 */
export function readAhead<Item>(source: AsyncIterable<Item>, most: number, weigh: (item: Item) => number): ReadAhead<Item> {
  const iterator = source[Symbol.asyncIterator]()
  const waiting: Item[] = []
  let weight = 0
  let end: { readonly error?: unknown } | undefined
  const stop = new AbortController()
  let wake: () => void = () => undefined
  let changed = new Promise<void>((resolve) => (wake = resolve))
  const tell = (): void => {
    wake()
    changed = new Promise((resolve) => (wake = resolve))
  }
  const fetch = async (): Promise<void> => {
    try {
      while (!stop.signal.aborted) {
        if (weight >= most) {
          await changed
          continue
        }
        const step = await iterator.next()
        if (step.done === true) break
        waiting.push(step.value)
        weight += weigh(step.value)
        tell()
      }
      end = {}
    } catch (error) {
      end = { error }
    }
    tell()
  }
  const fetching = fetch()
  return {
    async *[Symbol.asyncIterator]() {
      for (;;) {
        const item = waiting.shift()
        if (item !== undefined) {
          weight -= weigh(item)
          tell()
          yield item
        } else if (end === undefined) await changed
        else if ('error' in end) throw end.error
        else return
      }
    },
    async [Symbol.asyncDispose]() {
      stop.abort()
      tell()
      await fetching
      await iterator.return?.()
    },
  }
}
