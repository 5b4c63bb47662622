import { isFault, type Fault } from '@waltz/errors'
import { readAll, sourceOf } from '@waltz/bytes'
import { beforeEach, describe, expect, it } from 'vitest'
import { withRetry, type ObjectStore, type RetryEvent } from '../src/index.ts'
import { createMemoryStore } from '../src/memory.ts'
import { failingStore, type Failures } from './support/failing-store.ts'
import { fakeTime, retryPolicy } from './support/wrapped-stores.ts'

const BIG = Uint8Array.from({ length: 1_000_000 }, (_, index) => (index * 7) % 253)

describe('withRetry', () => {
  let inner: ObjectStore
  let failures: Failures
  let calls: string[]
  let store: ObjectStore
  let time: ReturnType<typeof fakeTime>
  let events: RetryEvent[]

  beforeEach(async () => {
    inner = createMemoryStore({ now: () => new Date(0) })
    const failing = failingStore(inner)
    ;({ failures, calls } = failing)
    time = fakeTime()
    events = []
    store = withRetry(failing.store, retryPolicy({ maxAttempts: 3, sleep: time.sleep, onRetry: (event) => events.push(event) }))
    await inner.put('object', sourceOf('bytes'))
    await inner.put('big', sourceOf(BIG))
  })

  it('makes calls again until they succeed, waiting longer each time', async () => {
    failures.head = 2
    expect((await store.head('object')).size).toBe(5)
    expect(calls).toEqual(['head object', 'head object', 'head object'])
    expect(time.slept).toEqual([50, 100]) // by the injected random, half of the longest wait
    expect(events.map(({ operation, key, attempt, delayMs, fault }) => [operation, key, attempt, delayMs, fault.code])).toEqual([
      ['head', 'object', 1, 50, 'TEST_OUTAGE'],
      ['head', 'object', 2, 100, 'TEST_OUTAGE'],
    ])
  })

  it('never waits longer than the policy says', async () => {
    const failing = failingStore(inner)
    failing.failures.head = 9
    const slept: number[] = []
    const random = [0, 1, 0, 1, 0, 1, 0, 1, 0]
    const policy = retryPolicy({
      maxAttempts: 10,
      baseDelayMs: 100,
      maxDelayMs: 700,
      random: () => random.shift() ?? 0,
      sleep: async (ms) => void slept.push(ms),
    })
    await withRetry(failing.store, policy).head('object')
    expect(slept).toEqual([0, 200, 0, 700, 0, 700, 0, 700, 0])
  })

  it('gives up with a fault that says it is persistent and how often was tried', async () => {
    failures.head = 99
    const fault = await store.head('object').catch((error: unknown) => error as Fault)
    expect(fault).toMatchObject({
      kind: 'unavailable',
      code: 'TEST_OUTAGE',
      retryable: false,
      hint: 'wait',
      context: { host: 'store-1', attempts: 3 },
    })
    expect((fault as Fault).cause).toMatchObject({ code: 'TEST_OUTAGE', retryable: true })
    expect(calls).toHaveLength(3)
  })

  it('does not repeat what cannot help', async () => {
    await expect(store.head('missing')).rejects.toMatchObject({ kind: 'not-found', code: 'STORAGE_NOT_FOUND' })
    await expect(store.get('')).rejects.toMatchObject({ kind: 'invalid' })
    expect(calls).toEqual(['head missing', 'get  0-'])
    expect(time.slept).toEqual([])
  })

  it('stops waiting when the signal fires', async () => {
    failures.head = 99
    const controller = new AbortController()
    const waiting = withRetry(
      failingStore(inner).store,
      retryPolicy({
        sleep: async (_ms, signal) =>
          new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(new Error('woken')))),
      }),
    )
    expect((await waiting.head('object')).size).toBe(5)
    const broken = failingStore(inner)
    broken.failures.head = 99
    const slow = withRetry(
      broken.store,
      retryPolicy({
        sleep: (_ms, signal) =>
          new Promise((_resolve, reject) => {
            signal?.addEventListener('abort', () => reject(new Error('woken')))
            controller.abort()
          }),
      }),
    )
    await expect(slow.head('object', { signal: controller.signal })).rejects.toMatchObject({ kind: 'aborted' })
    expect(broken.calls).toHaveLength(1)
  })

  it('continues a broken body where it stopped', async () => {
    Object.assign(failures, { bodies: 2, bodyBytes: 300_000 })
    const body = await store.get('big')
    expect(await readAll(body, 2_000_000)).toEqual(BIG)
    expect(calls).toEqual(['get big 0-', 'get big 300000-', 'get big 600000-'])
    expect(body.info.size).toBe(BIG.length)
  })

  it('continues a broken ranged body within its range', async () => {
    Object.assign(failures, { bodies: 1, bodyBytes: 1000 })
    const body = await store.get('big', { range: { start: 500_000, end: 900_000 } })
    expect(await readAll(body, 2_000_000)).toEqual(BIG.slice(500_000, 900_000))
    expect(calls).toEqual(['get big 500000-900000', 'get big 501000-900000'])
  })

  it('counts a body anew after progress, and gives up without progress', async () => {
    Object.assign(failures, { bodies: 10, bodyBytes: 100_000 })
    expect(await readAll(await store.get('big'), 2_000_000)).toEqual(BIG)
    Object.assign(failures, { bodies: 10, bodyBytes: 0 })
    const body = await store.get('big')
    await expect(readAll(body, 2_000_000)).rejects.toMatchObject({
      code: 'TEST_OUTAGE',
      retryable: false,
      context: { attempts: 3, operation: 'get' },
    })
  })

  it.each([
    ['replaced', () => inner.put('big', sourceOf(BIG))],
    ['deleted', () => inner.delete(['big'])],
  ])('does not continue an object that was %s meanwhile', async (what, change) => {
    Object.assign(failures, { bodies: 1, bodyBytes: 300_000 })
    const body = await store.get('big')
    await change()
    const failure = await readAll(body, 2_000_000).catch((error: unknown) => error)
    expect(failure).toMatchObject({ kind: 'conflict', code: 'STORAGE_OBJECT_CHANGED', message: `big was ${what} while it was read` })
  })

  it('does not continue where the store reads no ranges', async () => {
    const failing = failingStore(inner)
    const whole = withRetry({ ...failing.store, capabilities: { ...inner.capabilities, rangedGet: false } }, retryPolicy())
    Object.assign(failing.failures, { bodies: 1, bodyBytes: 300_000 })
    await expect(readAll(await whole.get('big'), 2_000_000)).rejects.toMatchObject({ code: 'TEST_OUTAGE', retryable: true })
    expect(failing.calls).toHaveLength(1)
  })

  it('makes a put again while its body is untouched, even though the store closed it', async () => {
    failures.put = 2
    await store.put('new', sourceOf('precious'))
    expect(new TextDecoder().decode(await readAll(await inner.get('new'), 100))).toBe('precious')
    expect(calls).toEqual(['put new', 'put new', 'put new'])
  })

  it('does not make a put again once bytes were pulled', async () => {
    failures.putAfterChunks = 1
    let closed = false
    const source = (async function* () {
      try {
        yield new Uint8Array(10)
        yield new Uint8Array(10)
      } finally {
        closed = true
      }
    })()
    const failure = await store.put('new', source).catch((error: unknown) => error)
    expect(isFault(failure) && failure.retryable).toBe(true)
    expect(calls).toEqual(['put new'])
    expect(closed).toBe(true)
    await expect(inner.head('new')).rejects.toMatchObject({ kind: 'not-found' })
  })

  it('closes an untouched body when it gives up', async () => {
    failures.put = 99
    let closed = false
    const source = {
      [Symbol.asyncIterator]: () => ({
        next: async () => ({ done: true as const, value: undefined }),
        return: async () => ((closed = true), { done: true as const, value: undefined }),
      }),
    }
    await expect(store.put('new', source)).rejects.toMatchObject({ retryable: false, context: { attempts: 3 } })
    expect(closed).toBe(true)
  })

  it('continues listings after the last key, and groups too', async () => {
    for (let index = 0; index < 30; index += 1) await inner.put(`l/${String(index).padStart(2, '0')}/x`, sourceOf('x'))
    Object.assign(failures, { listings: 3, listItems: 7 })
    const keys: string[] = []
    for await (const info of store.list('l/')) keys.push(info.key)
    expect(keys).toEqual(Array.from({ length: 30 }, (_, index) => `l/${String(index).padStart(2, '0')}/x`))
    expect(calls).toEqual(['list l/ after ', 'list l/ after l/06/x', 'list l/ after l/13/x', 'list l/ after l/20/x'])
    Object.assign(failures, { listings: 1, listItems: 12 })
    const groups: string[] = []
    for await (const group of store.listGroups('l/')) groups.push(group)
    expect(groups).toEqual(Array.from({ length: 30 }, (_, index) => `l/${String(index).padStart(2, '0')}/`))
    failures.list = 99
    const listing = store.list('l/')[Symbol.asyncIterator]()
    await expect(listing.next()).rejects.toMatchObject({ retryable: false, context: { attempts: 3, key: 'l/' } })
  })

  it('deletes in batches, each made again on its own, from keys that can be read once', async () => {
    const keys = Array.from({ length: 2500 }, (_, index) => `d/${index}`)
    for (const key of keys) await inner.put(key, sourceOf('x'))
    failures.delete = 1
    await store.delete(keys.values())
    expect(calls).toEqual(['delete 1000', 'delete 1000', 'delete 1000', 'delete 500'])
    const left: string[] = []
    for await (const info of inner.list('d/')) left.push(info.key)
    expect(left).toEqual([])
  })

  it('copies again', async () => {
    failures.copy = 2
    await store.copy('object', 'copied')
    expect((await inner.head('copied')).size).toBe(5)
  })

  it.each([{ maxAttempts: 0 }, { maxAttempts: 1.5 }, { baseDelayMs: -1 }, { maxDelayMs: Number.NaN }])('refuses a policy of %o', (over) => {
    expect(() => withRetry(inner, retryPolicy(over))).toThrow(expect.objectContaining({ code: 'STORAGE_WRAPPER_INVALID' }) as Error)
  })
})
