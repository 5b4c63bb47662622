import { Fault } from '@waltz/errors'
import { createObjectBody, type ObjectStore } from '../../src/index.ts'

export type Failures = {
  /** How many of the next calls fail before they do anything. */
  head: number
  get: number
  put: number
  delete: number
  copy: number
  list: number
  /** How many of the next bodies break off after so many bytes. */
  bodies: number
  bodyBytes: number
  /** How many of the next listings break off after so many items. */
  listings: number
  listItems: number
  /** Fail puts after pulling this many chunks. */
  putAfterChunks: number
}

export const outage = (): Fault => new Fault('unavailable', 'TEST_OUTAGE', 'no answer', { hint: 'wait', context: { host: 'store-1' } })

/** A real store with outages on demand, and a log of the calls that reached it. */
export function failingStore(inner: ObjectStore): { store: ObjectStore; failures: Failures; calls: string[] } {
  const failures: Failures = {
    head: 0,
    get: 0,
    put: 0,
    delete: 0,
    copy: 0,
    list: 0,
    bodies: 0,
    bodyBytes: 0,
    listings: 0,
    listItems: 0,
    putAfterChunks: 0,
  }
  const calls: string[] = []
  const mayFail = (operation: 'head' | 'get' | 'put' | 'delete' | 'copy' | 'list', detail: string): void => {
    calls.push(`${operation} ${detail}`)
    if (failures[operation] === 0) return
    failures[operation] -= 1
    throw outage()
  }
  async function* breaking<T>(items: AsyncIterable<T>): AsyncGenerator<T> {
    let left = failures.listings > 0 ? failures.listItems : Infinity
    if (failures.listings > 0) failures.listings -= 1
    for await (const item of items) {
      if (left === 0) throw outage()
      left -= 1
      yield item
    }
  }
  const store: ObjectStore = {
    capabilities: inner.capabilities,
    location: inner.location,
    async head(key, options) {
      mayFail('head', key)
      return inner.head(key, options)
    },
    async get(key, options) {
      mayFail('get', `${key} ${options?.range?.start ?? 0}-${options?.range?.end ?? ''}`)
      const body = await inner.get(key, options)
      if (failures.bodies === 0) return body
      failures.bodies -= 1
      const read = async function* (): AsyncGenerator<Uint8Array> {
        let left = failures.bodyBytes
        for await (const chunk of body) {
          if (left > 0) yield chunk.slice(0, left)
          left -= chunk.length
          if (left <= 0) throw outage()
        }
      }
      return createObjectBody({ info: body.info, read, close: async () => body[Symbol.asyncDispose]() })
    },
    async put(key, body, options) {
      const iterator = body[Symbol.asyncIterator]()
      try {
        mayFail('put', key)
        if (failures.putAfterChunks > 0) {
          for (let chunk = 0; chunk < failures.putAfterChunks; chunk += 1) await iterator.next()
          throw outage()
        }
      } catch (error) {
        await iterator.return?.()
        throw error
      }
      return inner.put(key, { [Symbol.asyncIterator]: () => iterator }, options)
    },
    async delete(keys, options) {
      const all = [...keys]
      mayFail('delete', `${all.length}`)
      return inner.delete(all, options)
    },
    async *list(prefix, options) {
      mayFail('list', `${prefix} after ${options?.after ?? ''}`)
      yield* breaking(inner.list(prefix, options))
    },
    async *listGroups(prefix, options) {
      mayFail('list', prefix)
      yield* breaking(inner.listGroups(prefix, options))
    },
    async copy(from, to, options) {
      mayFail('copy', to)
      return inner.copy(from, to, options)
    },
    [Symbol.asyncDispose]: async () => inner[Symbol.asyncDispose](),
  }
  return { store, failures, calls }
}
