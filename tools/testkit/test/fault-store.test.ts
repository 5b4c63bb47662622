import { readAll, sourceOf } from '@waltz/bytes'
import { createMemoryStore } from '@waltz/storage/memory'
import { describe, expect, test } from 'vitest'
import { faultStore, fixedClock, seededRandom, type FaultPlan, type FaultStore } from '../src/index.ts'

async function withObject(plan: FaultPlan): Promise<FaultStore> {
  const store = createMemoryStore({ now: fixedClock().now })
  await store.put('a', sourceOf(Buffer.from('0123456789')))
  return faultStore(store, plan)
}

const text = async (store: FaultStore, key: string): Promise<string> => Buffer.from(await readAll(await store.get(key), 1000)).toString()

describe('faultStore', () => {
  test('without a plan it does as the store does and keeps a log', async () => {
    const store = await withObject({})
    await store.put('b', sourceOf(Buffer.from('b')))
    await store.delete(['a', 'c'])
    expect(await text(store, 'b')).toBe('b')
    expect(store.mutations).toEqual([
      { operation: 'put', key: 'b', done: true },
      { operation: 'delete', key: 'a', done: true },
      { operation: 'delete', key: 'c', done: true },
    ])
    expect(store.calls).toMatchObject({ put: 1, delete: 1, get: 1, head: 0 })
  })

  test('the second get fails, the others do not', async () => {
    const store = await withObject({ rules: [{ operation: 'get', key: /^a$/, nth: 2, action: { kind: 'fail' } }] })
    expect(await text(store, 'a')).toBe('0123456789')
    await expect(store.get('a')).rejects.toMatchObject({ kind: 'unavailable', code: 'TEST_FAULT' })
    expect(await text(store, 'a')).toBe('0123456789')
  })

  test('bodies are cut, ended silently, and corrupted', async () => {
    const cut = await withObject({ rules: [{ operation: 'get', action: { kind: 'cut', afterBytes: 4 } }] })
    await expect(text(cut, 'a')).rejects.toMatchObject({ code: 'TEST_FAULT' })
    const short = await withObject({ rules: [{ operation: 'get', action: { kind: 'cut', afterBytes: 4, silently: true } }] })
    expect(await text(short, 'a')).toBe('0123')
    const flipped = await withObject({ rules: [{ operation: 'get', times: 1, action: { kind: 'corrupt', atByte: 2 } }] })
    expect((await readAll(await flipped.get('a'), 100))[2]).toBe(0x32 ^ 0xff)
    expect(await text(flipped, 'a')).toBe('0123456789')
  })

  test('a put that is cut stores nothing', async () => {
    const store = await withObject({ rules: [{ operation: 'put', action: { kind: 'cut', afterBytes: 1 } }] })
    await expect(store.put('b', sourceOf(Buffer.from('bb')))).rejects.toMatchObject({ code: 'TEST_FAULT' })
    await expect(store.head('b')).rejects.toMatchObject({ kind: 'not-found' })
  })

  test.each(['before', 'after'] as const)('a crash %s the second mutation ends everything', async (crashMoment) => {
    const inner = createMemoryStore({ now: fixedClock().now })
    const store = faultStore(inner, { crashAtMutation: 2, crashMoment })
    await store.put('a', sourceOf(Buffer.from('a')))
    await expect(store.put('b', sourceOf(Buffer.from('b')))).rejects.toMatchObject({ code: 'TEST_CRASHED' })
    await expect(store.get('a')).rejects.toMatchObject({ code: 'TEST_CRASHED' })
    await expect(store.list('')[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'TEST_CRASHED' })
    const stored = await inner.head('b').then(
      () => true,
      () => false,
    )
    expect(stored).toBe(crashMoment === 'after')
  })
})

test('the fixed clock moves only when told', async () => {
  const clock = fixedClock('2026-03-01T00:00:00Z')
  await clock.sleep(1500)
  clock.advance(500)
  expect(clock.now().toISOString()).toBe('2026-03-01T00:00:02.000Z')
  expect(clock.elapsedMs()).toBe(2000)
})

test('seeded random values are the same in every run', () => {
  const [one, two] = [seededRandom(7), seededRandom(7)]
  expect(one.hex(9)).toBe(two.hex(9))
  expect(one.hex(9)).toHaveLength(18)
  expect(one.integer(10)).toBeLessThan(10)
  expect(seededRandom(8).hex(8)).not.toBe(seededRandom(7).hex(8))
})
