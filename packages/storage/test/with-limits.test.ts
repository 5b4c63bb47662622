import { readAll, sourceOf } from '@waltz/bytes'
import { describe, expect, it } from 'vitest'
import { createRateLimit, withLimits, type ObjectStore } from '../src/index.ts'
import { createMemoryStore } from '../src/memory.ts'
import { fakeTime, limits } from './support/wrapped-stores.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** A store whose heads stay open until they are let go, in order. */
function heldStore(): { store: ObjectStore; waiting: (() => void)[]; peak: () => number } {
  const inner = createMemoryStore({ now: () => new Date(0) })
  const waiting: (() => void)[] = []
  let live = 0
  let peak = 0
  const store: ObjectStore = {
    ...inner,
    async head(key) {
      live += 1
      peak = Math.max(peak, live)
      await new Promise<void>((resolve) => waiting.push(resolve))
      live -= 1
      return { key, size: 0, modifiedAt: new Date(0) }
    },
  }
  return { store, waiting, peak: () => peak }
}

describe('createRateLimit', () => {
  it('lets a burst pass, then holds the rate', async () => {
    const time = fakeTime()
    const limit = createRateLimit({ bytesPerSecond: 100_000, ...time })
    await limit(165_536)
    expect(time.slept).toEqual([])
    await limit(50_000)
    expect(time.slept).toEqual([500])
    await limit(100_000)
    expect(time.slept).toEqual([500, 1000])
  })

  it('holds the rate over a long time, for requests larger than the burst too', async () => {
    const time = fakeTime()
    const start = time.now().getTime()
    const limit = createRateLimit({ bytesPerSecond: 1000, ...time })
    for (let round = 0; round < 20; round += 1) await limit(round % 2 === 0 ? 200_000 : 10)
    const seconds = (time.now().getTime() - start) / 1000
    expect(seconds).toBeCloseTo((10 * 200_010 - 66_536) / 1000, 0)
  })

  it('serves callers in their order, small ones not before large ones', async () => {
    const time = fakeTime()
    const limit = createRateLimit({ bytesPerSecond: 1000, ...time })
    await limit(66_536)
    const served: number[] = []
    await Promise.all([5000, 1, 3000, 2].map((bytes) => limit(bytes).then(() => served.push(bytes))))
    expect(served).toEqual([5000, 1, 3000, 2])
  })

  it('takes nothing from whoever gives up, and lets the next one go on', async () => {
    const time = fakeTime()
    const pending: { resolve: () => void; ms: number }[] = []
    const sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
      new Promise((resolve, reject) => {
        pending.push({ resolve: () => void time.sleep(ms).then(resolve), ms })
        signal?.addEventListener('abort', () => reject(new Error('woken')))
      })
    const limit = createRateLimit({ bytesPerSecond: 1000, now: time.now, sleep })
    await limit(66_536)
    const controller = new AbortController()
    const queued = new AbortController()
    const first = limit(1_000_000, controller.signal)
    const second = limit(1_000_000, queued.signal)
    const third = limit(2000)
    while (pending.length < 1) await turn()
    queued.abort()
    controller.abort()
    await expect(first).rejects.toMatchObject({ kind: 'aborted' })
    await expect(second).rejects.toMatchObject({ kind: 'aborted' })
    while (pending.length < 2) await turn()
    expect(pending.map(({ ms }) => ms)).toEqual([1_000_000, 2000])
    pending[1]?.resolve()
    await third
    await expect(limit(5, AbortSignal.abort())).rejects.toMatchObject({ kind: 'aborted' })
  })

  it('survives a clock that is set back', async () => {
    let ms = 1e9
    const slept: number[] = []
    const sleep = async (wait: number): Promise<void> => {
      slept.push(wait)
      ms -= 3_600_000
    }
    const limit = createRateLimit({ bytesPerSecond: 1000, now: () => new Date(ms), sleep })
    await limit(66_536)
    await limit(1000)
    await limit(1000)
    expect(slept).toEqual([1000, 1000])
  })

  it('refuses a rate that lets nothing pass', () => {
    for (const bytesPerSecond of [0, -1, Number.NaN]) {
      expect(() => createRateLimit({ bytesPerSecond, ...fakeTime() })).toThrow(
        expect.objectContaining({ code: 'STORAGE_WRAPPER_INVALID' }) as Error,
      )
    }
  })
})

describe('withLimits', () => {
  it('keeps requests in flight below the limit and serves them in order', async () => {
    const { store, waiting, peak } = heldStore()
    const limited = withLimits(store, limits({ maxRequests: 3 }))
    const served: string[] = []
    const all = Promise.all(Array.from({ length: 10 }, (_, index) => limited.head(`k${index}`).then((info) => served.push(info.key))))
    while (served.length < 10) {
      await turn()
      waiting.shift()?.()
    }
    await all
    expect(peak()).toBe(3)
    expect(served).toEqual(Array.from({ length: 10 }, (_, index) => `k${index}`))
  })

  it('drops a waiting request at once when its signal fires', async () => {
    const { store, waiting } = heldStore()
    const limited = withLimits(store, limits({ maxRequests: 1 }))
    const controller = new AbortController()
    const first = limited.head('first')
    const second = limited.head('second', { signal: controller.signal })
    const third = limited.head('third')
    controller.abort()
    await expect(second).rejects.toMatchObject({ kind: 'aborted' })
    for (let round = 0; round < 10; round += 1) {
      await turn()
      waiting.shift()?.()
    }
    expect((await Promise.all([first, third])).map(({ key }) => key)).toEqual(['first', 'third'])
  })

  it('gives the place back after a failure', async () => {
    const limited = withLimits(createMemoryStore({ now: () => new Date(0) }), limits({ maxRequests: 1 }))
    for (let round = 0; round < 3; round += 1) {
      await expect(limited.head('missing')).rejects.toMatchObject({ kind: 'not-found' })
      await expect(limited.get('missing')).rejects.toMatchObject({ kind: 'not-found' })
      await expect(limited.put('', sourceOf('x'))).rejects.toMatchObject({ kind: 'invalid' })
      const listing = limited.list('/')[Symbol.asyncIterator]()
      await expect(listing.next()).rejects.toMatchObject({ kind: 'invalid' })
    }
    expect((await limited.put('x', sourceOf('x'))).size).toBe(1)
  })

  it('lets puts read from the same store, however few places there are', async () => {
    const limited = withLimits(createMemoryStore({ now: () => new Date(0) }), limits({ maxRequests: 2 }))
    await limited.put('from', sourceOf('bytes'))
    const lazily = async function* (): AsyncGenerator<Uint8Array> {
      for await (const info of limited.list('from')) yield* await limited.get(info.key)
    }
    await Promise.all(['a', 'b', 'c', 'd'].map((to) => limited.put(to, lazily())))
    expect(new TextDecoder().decode(await readAll(await limited.get('d'), 10))).toBe('bytes')
  })

  it('counts bytes in both directions against one rate', async () => {
    const time = fakeTime()
    const limited = withLimits(createMemoryStore({ now: () => new Date(0) }), { bytesPerSecond: 100_000, ...time })
    const start = time.now().getTime()
    await limited.put('object', sourceOf(new Uint8Array(265_536)))
    expect(time.now().getTime() - start).toBe(1000)
    await readAll(await limited.get('object'), 1_000_000)
    expect(time.now().getTime() - start).toBe(3656)
  })

  it('gives up a put that waits for the rate', async () => {
    const controller = new AbortController()
    const sleep = (): Promise<void> => {
      controller.abort()
      return Promise.reject(new Error('woken'))
    }
    const inner = createMemoryStore({ now: () => new Date(0) })
    const limited = withLimits(inner, { bytesPerSecond: 10, now: () => new Date(0), sleep })
    await expect(limited.put('object', sourceOf(new Uint8Array(100_000)), { signal: controller.signal })).rejects.toMatchObject({
      kind: 'aborted',
    })
    await expect(inner.head('object')).rejects.toMatchObject({ kind: 'not-found' })
  })

  it('refuses limits that let nothing pass', () => {
    const inner = createMemoryStore({ now: () => new Date(0) })
    for (const over of [{ maxRequests: 0 }, { bytesPerSecond: 0 }]) {
      expect(() => withLimits(inner, limits(over))).toThrow(expect.objectContaining({ code: 'STORAGE_WRAPPER_INVALID' }) as Error)
    }
  })
})
