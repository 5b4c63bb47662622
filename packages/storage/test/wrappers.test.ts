import { concatBytes, readAll, sourceOf } from '@waltz/bytes'
import { describe, expect, it } from 'vitest'
import { observeStore, readOnly, withPrefix, type ObjectStore, type StoreEvent } from '../src/index.ts'
import { createMemoryStore } from '../src/memory.ts'
import { failingStore } from './support/failing-store.ts'

const memory = (): ObjectStore => createMemoryStore({ now: () => new Date(0) })
const keysOf = async (store: ObjectStore, prefix = ''): Promise<string[]> => {
  const keys: string[] = []
  for await (const info of store.list(prefix)) keys.push(info.key)
  return keys
}
/** Says whether it was closed before anything was pulled. */
function unstarted(): { source: AsyncIterable<Uint8Array>; closed: () => boolean } {
  let closed = false
  const iterator = {
    next: async () => ({ done: true as const, value: undefined }),
    return: async () => ((closed = true), { done: true as const, value: undefined }),
  }
  return { source: { [Symbol.asyncIterator]: () => iterator }, closed: () => closed }
}

describe('withPrefix', () => {
  it('puts a folder before every key and takes it off again', async () => {
    const inner = memory()
    const view = withPrefix(inner, 'one/two')
    expect(view.location).toBe('memory:/one/two')
    expect((await view.put('a/b', sourceOf('x'))).key).toBe('a/b')
    await inner.put('one/two-and-a-half', sourceOf('not ours'))
    await inner.put('other', sourceOf('not ours'))
    expect(await keysOf(inner)).toEqual(['one/two-and-a-half', 'one/two/a/b', 'other'])
    expect(await keysOf(view)).toEqual(['a/b'])
    expect((await view.get('a/b')).info.key).toBe('a/b')
    await view.copy('a/b', 'c')
    await view.delete(['a/b', 'other'])
    expect(await keysOf(inner)).toEqual(['one/two-and-a-half', 'one/two/c', 'other'])
  })

  it('nests, keeps out of the folders above, and refuses a prefix that is none', async () => {
    const inner = memory()
    await withPrefix(withPrefix(inner, 'a/'), 'b/').put('c', sourceOf('x'))
    expect(await keysOf(inner)).toEqual(['a/b/c'])
    await expect(withPrefix(inner, 'a').head('../a/b/c')).rejects.toMatchObject({ code: 'STORAGE_KEY_INVALID' })
    for (const prefix of ['/', '/a', 'a//b', '..', 'a/../b', '.']) {
      expect(() => withPrefix(inner, prefix)).toThrow(expect.objectContaining({ code: 'STORAGE_KEY_INVALID' }) as Error)
    }
    expect(withPrefix(inner, '')).toBe(inner)
  })
})

describe('readOnly', () => {
  it('refuses every change and closes what it was given', async () => {
    const inner = memory()
    await inner.put('object', sourceOf('bytes'))
    const store = readOnly(inner)
    const { source, closed } = unstarted()
    const denied = { kind: 'denied', code: 'STORAGE_READ_ONLY' }
    await expect(store.put('new', source)).rejects.toMatchObject(denied)
    await expect(store.delete(['object'])).rejects.toMatchObject(denied)
    await expect(store.copy('object', 'new')).rejects.toMatchObject(denied)
    expect(closed()).toBe(true)
    expect(await keysOf(inner)).toEqual(['object'])
    expect((await readAll(await store.get('object'), 10)).length).toBe(5)
  })
})

describe('observeStore', () => {
  const observed = (inner: ObjectStore): { store: ObjectStore; events: StoreEvent[] } => {
    const events: StoreEvent[] = []
    return { store: observeStore(inner, (event) => events.push(event)), events }
  }

  it('tells of every call with its bytes', async () => {
    const { store, events } = observed(memory())
    await store.put('a/object', sourceOf('12345', '678'))
    await store.head('a/object')
    await readAll(await store.get('a/object', { range: { start: 1, end: 4 } }), 10)
    await store.copy('a/object', 'b/object')
    expect(await keysOf(store)).toHaveLength(2)
    for await (const group of store.listGroups('')) expect(group).toMatch(/^[ab]\/$/)
    await store.delete(['a/object', 'b/object'].values())
    expect(events).toEqual([
      { operation: 'put', key: 'a/object', bytes: 8, count: 1, ok: true },
      { operation: 'head', key: 'a/object', bytes: 0, count: 1, ok: true },
      { operation: 'get', key: 'a/object', bytes: 3, count: 1, ok: true },
      { operation: 'copy', key: 'b/object', bytes: 0, count: 1, ok: true },
      { operation: 'list', key: '', bytes: 0, count: 2, ok: true },
      { operation: 'listGroups', key: '', bytes: 0, count: 2, ok: true },
      { operation: 'delete', key: 'a/object', bytes: 0, count: 2, ok: true },
    ])
  })

  it('tells of failures, in the middle of a body too, and of bodies that were dropped', async () => {
    const failing = failingStore(memory())
    const { store, events } = observed(failing.store)
    await store.put('big', sourceOf(new Uint8Array(600_000)))
    events.length = 0
    await expect(store.head('missing')).rejects.toMatchObject({ kind: 'not-found' })
    await expect(store.get('missing')).rejects.toMatchObject({ kind: 'not-found' })
    const broken = async function* (): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(7)
      throw new Error('boom')
    }
    await expect(store.put('x', broken())).rejects.toThrow('boom')
    Object.assign(failing.failures, { bodies: 1, bodyBytes: 100_000 })
    await expect(readAll(await store.get('big'), 1_000_000)).rejects.toMatchObject({ code: 'TEST_OUTAGE' })
    await (await store.get('big'))[Symbol.asyncDispose]()
    for await (const chunk of await store.get('big')) if (chunk.length > 0) break
    Object.assign(failing.failures, { listings: 1, listItems: 0 })
    await expect(keysOf(store)).rejects.toMatchObject({ code: 'TEST_OUTAGE' })
    expect(events.map(({ operation, bytes, ok, code }) => [operation, bytes, ok, code])).toEqual([
      ['head', 0, false, 'STORAGE_NOT_FOUND'],
      ['get', 0, false, 'STORAGE_NOT_FOUND'],
      ['put', 7, false, 'UNKNOWN'],
      ['get', 100_000, false, 'TEST_OUTAGE'],
      ['get', 0, true, undefined],
      ['get', 262_144, true, undefined],
      ['list', 0, false, 'TEST_OUTAGE'],
    ])
  })
})

describe('every wrapper', () => {
  it('disposes of the store below', async () => {
    let disposed = 0
    const inner: ObjectStore = { ...memory(), [Symbol.asyncDispose]: async () => void (disposed += 1) }
    for (const wrap of [
      (store: ObjectStore) => withPrefix(store, 'p'),
      readOnly,
      (store: ObjectStore) => observeStore(store, () => undefined),
    ]) {
      await wrap(inner)[Symbol.asyncDispose]()
    }
    expect(disposed).toBe(3)
  })
})

describe('the memory store', () => {
  it('orders objects of one millisecond by modifiedAtNs and refuses what is too large', async () => {
    const store = createMemoryStore({ now: () => new Date(1234), maxObjectBytes: 10 })
    const infos = [await store.put('a', sourceOf('1')), await store.put('b', sourceOf('2')), await store.put('a', sourceOf('3'))]
    expect(infos.map((info) => info.modifiedAtNs)).toEqual([1_234_000_000n, 1_234_000_001n, 1_234_000_002n])
    await expect(store.put('big', sourceOf(concatBytes([new Uint8Array(6), new Uint8Array(5)])))).rejects.toMatchObject({
      code: 'STORAGE_OBJECT_TOO_LARGE',
    })
    expect(await keysOf(store)).toEqual(['a', 'b'])
  })
})
