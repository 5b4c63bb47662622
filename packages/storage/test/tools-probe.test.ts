import { describe, expect, it } from 'vitest'
import { isFault } from '@waltz/errors'
import type { ObjectStore, PutOptions } from '../src/index.ts'
import { createMemoryStore } from '../src/memory.ts'
import { probeStore, type ProbeReport } from '../src/tools.ts'

const now = (): Date => new Date(1_700_000_000_000)
const memory = (): ObjectStore => createMemoryStore({ now })

async function probe(store: ObjectStore): Promise<ProbeReport> {
  let ticks = 0
  return await probeStore(store, {
    now,
    clock: () => (ticks += 1),
    randomHex: (digits) => 'a'.repeat(digits),
    largeBytes: 300_000,
    concurrencies: [1, 2],
  })
}

const outcomeOf = (report: ProbeReport, id: string): string | undefined => report.results.find((result) => result.id === id)?.outcome

async function keysOf(store: ObjectStore): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.list('')) keys.push(key)
  return keys
}

describe('the probe', () => {
  it('finds nothing wrong with a store that keeps its promises, and leaves nothing behind', async () => {
    const store = memory()
    const report = await probe(store)
    expect(report.results.filter(({ outcome }) => outcome === 'failed' || outcome === 'limited')).toEqual([])
    expect(report.results.length).toBeGreaterThan(30)
    expect(report.recommends.map(({ setting }) => setting)).toEqual(['WALG_UPLOAD_DISK_CONCURRENCY', 'WALG_DOWNLOAD_CONCURRENCY'])
    expect(report.leftovers).toEqual([])
    expect(await keysOf(store)).toEqual([])
  })

  const broken: readonly (readonly [id: string, make: (store: ObjectStore) => Partial<ObjectStore>])[] = [
    ['create-only', (store) => ({ put: (key, body, options) => store.put(key, body, without(options, 'onlyIfAbsent')) })],
    ['create-race', (store) => ({ put: (key, body, options) => store.put(key, body, without(options, 'onlyIfAbsent')) })],
    ['replace-same', (store) => ({ put: (key, body, options) => store.put(key, body, without(options, 'ifMatch')) })],
    ['ranged-get', (store) => ({ get: (key, options) => store.get(key, { ...options, range: { start: 0 } }) })],
    ['etag', (store) => ({ put: async (key, body, options) => ({ ...(await store.put(key, body, options)), etag: '"same"' }) })],
    ['delete', (store) => ({ delete: async (keys) => void (await Promise.reject(await denied(store, keys))) })],
    [
      'list-after-put',
      (store) => ({
        async *list(prefix, options) {
          for await (const info of store.list(prefix, options)) if (!info.key.endsWith('/small')) yield info
        },
      }),
    ],
    [
      'listing-order',
      (store) => ({
        async *list(prefix, options) {
          const all = []
          for await (const info of store.list(prefix, options)) all.unshift(info)
          yield* all
        },
      }),
    ],
    ['get-missing', (store) => ({ get: async (key, options) => await store.get(await existing(store, key), options) })],
  ]
  it.each(broken)('notices what is wrong: %s', async (id, make) => {
    const store = memory()
    const report = await probe({ ...store, ...make(store) })
    expect(['failed', 'limited']).toContain(outcomeOf(report, id))
  })

  it('says what could not be removed', async () => {
    const store = memory()
    const report = await probe({ ...store, delete: async (keys) => void (await Promise.reject(await denied(store, keys))) })
    expect(report.leftovers.join()).toContain('waltz-probe-aaaaaaaaaaaa/')
  })

  it('cleans up when it is interrupted', async () => {
    const store = memory()
    const controller = new AbortController()
    let results = 0
    const running = probeStore(store, {
      now,
      clock: () => 0,
      randomHex: () => 'b',
      largeBytes: 1000,
      signal: controller.signal,
      onResult: () => {
        results += 1
        if (results === 12) controller.abort()
      },
    })
    await expect(running).rejects.toSatisfy((error: unknown) => isFault(error, 'aborted'))
    expect(await keysOf(store)).toEqual([])
  })
})

function without(options: PutOptions | undefined, name: keyof PutOptions): PutOptions {
  const { [name]: _left, ...rest } = options ?? {}
  return rest
}

async function denied(store: ObjectStore, keys: Iterable<string>): Promise<unknown> {
  const { accessDeniedFault } = await import('../src/index.ts')
  return accessDeniedFault({ doing: `delete ${[...keys].length} objects`, location: store.location })
}

async function existing(store: ObjectStore, key: string): Promise<string> {
  return await store.head(key).then(
    () => key,
    () => key.replace(/[^/]*$/, 'small'),
  )
}
