import { describe, expect, it } from 'vitest'
import { conformanceCases, largeCases, largeCasesWithin, partCases, raceCases, type ConformanceCase } from '../src/conformance.ts'
import { createMemoryStore } from '../src/memory.ts'
import type { ObjectStore, StoreCapabilities } from '../src/index.ts'
import { openHttpFixture } from './support/network-fixture.ts'

const memory = (): ObjectStore => createMemoryStore({ now: () => new Date() })
const PART = 40_000
const more = [...partCases(PART), ...raceCases(1000)]

describe('cases for parts and races', () => {
  it.each(more.map((item) => [item.name, item] as const))('memory: %s', async (_name, item) => {
    await item.run(memory())
  })
  it.each([...partCases(PART), ...raceCases(200)].map((item) => [item.name, item] as const))('over HTTP: %s', async (_name, item) => {
    const fixture = await openHttpFixture(PART)
    await item.run(fixture.direct)
    await fixture.close()
  })
  it.each(largeCases.map((item) => [item.name, item] as const))('memory: %s', async (_name, item) => {
    await item.run(memory())
  })
  it('have names of their own', () => {
    const all = [...conformanceCases, ...more, ...largeCases]
    expect(new Set(all.map((item) => item.name)).size).toBe(all.length)
  })
})

/** A memory store with a mistake. */
function broken(mistake: Partial<ObjectStore>, capabilities: Partial<StoreCapabilities> = {}): ObjectStore {
  const store = memory()
  return { ...store, capabilities: { ...store.capabilities, ...capabilities }, ...mistake }
}

async function failures(store: ObjectStore, cases: readonly ConformanceCase[]): Promise<string[]> {
  const failed: string[] = []
  for (const { name, needs, run } of cases) {
    if (needs?.(store) === false) continue
    await run(store).catch(() => failed.push(name))
  }
  return failed
}

describe('the cases find stores that', { timeout: 30_000 }, () => {
  it('look before they create', async () => {
    const inner = memory()
    const store = broken({
      ...inner,
      async put(key, body, { onlyIfAbsent = false, ...options } = {}) {
        if (onlyIfAbsent && (await inner.head(key).catch(() => undefined)) !== undefined)
          return inner.put(key, body, { onlyIfAbsent: true })
        await new Promise((resolve) => setImmediate(resolve))
        return inner.put(key, body, options)
      },
    })
    expect(await failures(store, raceCases(5))).toHaveLength(1)
    expect(await failures(store, partCases(PART))).toEqual(['of racing onlyIfAbsent puts in parts exactly one wins, whole'])
  })

  it('drop a condition that they do not know', async () => {
    const inner = memory()
    const forgetful: Partial<ObjectStore> = { ...inner, put: (key, body) => inner.put(key, body) }
    const cases = conformanceCases.filter(({ name }) => /ifMatch|condition/.test(name))
    const failed = await failures(broken(forgetful), cases)
    expect(failed).toContain('ifMatch refuses another object, and none, and changes nothing')
    expect(failed).toContain('of many racing ifMatch puts exactly one wins, and its bytes are stored')
    expect(failed).toContain('onlyIfAbsent and ifMatch together are invalid')
    const cannot = { conditionalPut: false, ifMatch: false, conditionalMultipart: 'none' } as const
    const silent = await failures({ ...broken(forgetful), capabilities: { ...inner.capabilities, ...cannot } }, cases)
    expect(silent).toContain('a condition that the store cannot keep is refused, never dropped')
  })

  it('lose the last byte of a part, or keep everything in memory', async () => {
    const inner = memory()
    const cutting = broken({
      ...inner,
      get: (key, options) => inner.get(key, { ...options, range: { start: 0, end: PART } }),
    })
    expect(await failures(cutting, partCases(PART))).toContain('an object of one part and 1 is stored byte for byte, size known or not')
    const bound = { usedBytes: () => process.memoryUsage.rss(), maxBytes: 30_000_000 }
    expect(await failures(memory(), largeCasesWithin(bound))).toContain('200 MiB of unknown length pass as a stream, up and down')
  })
})
