import { sourceOf } from '@waltz/bytes'
import { Fault } from '@waltz/errors'
import type { ObjectStore } from '@waltz/storage'
import { createMemoryStore } from '@waltz/storage/memory'
import { describe, expect, it } from 'vitest'
import { createLease, leaseKey, readLease, type Lease } from '../src/index.ts'
import { faultOf } from './fault-of.ts'

const KEY = leaseKey('base_000000010000000000000002')
const TTL = 60_000

/** A world with two clocks: the store's, and the one of the processes, which may be anything. */
function world(options: { readonly conditionalPut?: boolean } = {}): {
  store: ObjectStore
  lease: (id: string, over?: { store?: ObjectStore; onSleep?: (ms: number) => Promise<void> | void; now?: () => Date }) => Lease
  passTime: (ms: number) => void
  keys: () => Promise<string[]>
} {
  let storeMs = Date.UTC(2026, 0, 1)
  const memory = createMemoryStore({ now: () => new Date(storeMs) })
  const store: ObjectStore = { ...memory, capabilities: { ...memory.capabilities, conditionalPut: options.conditionalPut ?? true } }
  return {
    store,
    lease: (id, over = {}) =>
      createLease({
        store: over.store ?? store,
        key: KEY,
        id,
        holder: { host: `host-${id}`, pid: id.length },
        // Years away from the store's clock: nothing may depend on it.
        now: over.now ?? (() => new Date(Date.UTC(1999, 0, 1))),
        sleep: async (ms) => {
          storeMs += ms
          await over.onSleep?.(ms)
        },
        ttlMs: TTL,
      }),
    passTime: (ms) => void (storeMs += ms),
    keys: async () => {
      const keys: string[] = []
      for await (const { key } of memory.list('')) keys.push(key)
      return keys
    },
  }
}

describe.each([{ conditionalPut: true }, { conditionalPut: false }])(
  'createLease in a store with $conditionalPut conditional writes',
  (store) => {
    it('is held by one', async () => {
      const { lease, keys } = world(store)
      expect(await lease('a').acquire()).toEqual({ takenOver: false })
      const fault = await faultOf(() => lease('bb').acquire())
      expect(fault).toMatchObject({
        kind: 'conflict',
        code: 'LEASE_HELD',
        context: { host: 'host-a', pid: 1, since: '1999-01-01T00:00:00.000Z' },
      })
      expect(fault.message).toContain('process 1 on host-a since 1999-01-01T00:00:00.000Z')
      expect(fault.hint).toMatch(/\d+ s for its lease to run out/)
      expect(await keys()).toEqual([KEY])
    })

    it('is free again after release', async () => {
      const { lease, keys } = world(store)
      const first = lease('a')
      await first.acquire()
      await first.release()
      expect(await keys()).toEqual([])
      expect(await lease('b').acquire()).toEqual({ takenOver: false })
    })

    it('is taken over once the store’s clock says that it expired, not before', async () => {
      const { lease, passTime } = world(store)
      const first = lease('a')
      await first.acquire()
      passTime(TTL - 10_000)
      await first.renew()
      passTime(TTL - 10_000)
      expect(await faultOf(() => lease('b').acquire())).toMatchObject({ code: 'LEASE_HELD' })
      passTime(10_001)
      expect(await lease('b').acquire()).toEqual({ takenOver: true })
      expect(await faultOf(() => first.renew())).toMatchObject({ kind: 'conflict', code: 'LEASE_LOST' })
      await first.release()
      expect(await faultOf(() => lease('c').acquire())).toMatchObject({ context: { host: 'host-b' } })
    })

    it('goes to exactly one of two that take over at once', async () => {
      const { lease, passTime } = world(store)
      await lease('dead').acquire()
      passTime(TTL + 1)
      const results = await Promise.allSettled([lease('a').acquire(), lease('b').acquire()])
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      const [lost] = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as Fault] : []))
      expect(lost).toMatchObject({ kind: 'conflict', code: 'LEASE_HELD' })
    })
  },
)

describe('a lease', () => {
  it('that cannot be read holds for as long as one’s own would', async () => {
    const { store, lease, passTime } = world()
    await store.put(KEY, sourceOf('not a lease'))
    const fault = await faultOf(() => lease('a').acquire())
    expect(fault.message).toContain('an unknown process')
    passTime(TTL + 1)
    expect(await lease('a').acquire()).toEqual({ takenOver: true })
  })

  it('that is gone cannot be renewed', async () => {
    const { store, lease } = world()
    const one = lease('a')
    await one.acquire()
    await store.delete([KEY])
    const fault = await faultOf(() => one.renew())
    expect(fault.code).toBe('LEASE_LOST')
    expect(fault.message).toContain('it is gone')
    expect(await readLease(store, KEY)).toBeUndefined()
  })

  it('is renewed in the background until stopped', async () => {
    const { store, lease } = world()
    let slept = 0
    let stop: (() => void) | undefined
    const done = new Promise<void>((resolve) => (stop = resolve))
    const one = lease('a', {
      onSleep: async (ms) => {
        expect(ms).toBe(TTL / 3)
        if (++slept === 3) stop?.()
        await new Promise((resolve) => setImmediate(resolve))
      },
    })
    await one.acquire()
    const before = (await readLease(store, KEY))?.modifiedAt.getTime() ?? 0
    const keeping = one.keep()
    await done
    await keeping.stop()
    expect(((await readLease(store, KEY))?.modifiedAt.getTime() ?? 0) - before).toBeGreaterThanOrEqual((2 * TTL) / 3)
    expect(keeping.lost.aborted).toBe(false)
  })

  it('tells its holder when someone took it', async () => {
    const { store, lease } = world()
    const one = lease('a', { onSleep: async () => await store.delete([KEY]) })
    await one.acquire()
    const keeping = one.keep()
    await new Promise((resolve) => keeping.lost.addEventListener('abort', resolve))
    expect(keeping.lost.reason).toMatchObject({ kind: 'conflict', code: 'LEASE_LOST' })
    await keeping.stop()
  })

  it('survives a store that is away for a moment, and is given up before others may take it', async () => {
    const { store, lease } = world()
    let failures = 0
    let localMs = 0
    const flaky: ObjectStore = {
      ...store,
      get: async (key, options) => {
        if (failures > 0) {
          failures--
          throw new Fault('unavailable', 'TEST', 'away')
        }
        return await store.get(key, options)
      },
    }
    const rounds: number[] = []
    const one = lease('a', {
      store: flaky,
      now: () => new Date(localMs),
      onSleep: async (ms) => {
        localMs += ms
        rounds.push(localMs)
        if (rounds.length === 1) failures = 1
        if (rounds.length === 4) failures = 100
        await new Promise((resolve) => setImmediate(resolve))
      },
    })
    await one.acquire()
    const keeping = one.keep()
    await new Promise((resolve) => keeping.lost.addEventListener('abort', resolve))
    expect(keeping.lost.reason).toMatchObject({ code: 'LEASE_LOST' })
    // One failure is survived; after the third round's success the fourth and fifth fail.
    expect(rounds).toHaveLength(5)
    await keeping.stop()
  })
})
