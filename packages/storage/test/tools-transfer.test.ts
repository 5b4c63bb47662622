import { beforeEach, describe, expect, it } from 'vitest'
import { readAll, sourceOf } from '@waltz/bytes'
import { Fault } from '@waltz/errors'
import type { ObjectInfo, ObjectStore } from '../src/index.ts'
import { createMemoryStore } from '../src/memory.ts'
import { copyObject, objectsToTransfer, transferObjects, type TransferGroup, type TransferOptions } from '../src/tools.ts'

let source: ObjectStore
let target: ObjectStore
let log: string[]

const memory = (): ObjectStore => createMemoryStore({ now: () => new Date(0) })
const keysOf = async (store: ObjectStore, prefix = ''): Promise<string[]> => {
  const keys: string[] = []
  for await (const { key } of store.list(prefix)) keys.push(key)
  return keys
}
const textOf = async (store: ObjectStore, key: string): Promise<string> =>
  new TextDecoder().decode(await readAll(await store.get(key), 100))
const options = (parts: Partial<TransferOptions> = {}): TransferOptions => ({
  source: logged('source', source),
  target: logged('target', target),
  preserve: false,
  overwrite: false,
  failFast: false,
  concurrency: 3,
  appearanceChecks: 2,
  appearanceIntervalMs: 1,
  sleep: async () => undefined,
  ...parts,
})

function logged(name: string, store: ObjectStore): ObjectStore {
  return {
    ...store,
    async put(key, body, given) {
      const info = await store.put(key, body, given)
      log.push(`${name} put ${key}`)
      return info
    },
    async delete(keys, given) {
      const all = [...keys]
      log.push(...all.map((key) => `${name} delete ${key}`))
      await store.delete(all, given)
    },
  }
}

async function groupOf(name: string): Promise<TransferGroup> {
  const data: ObjectInfo[] = []
  for await (const info of source.list(`${name}/`)) data.push(info)
  return { name, data, last: await source.head(`${name}.done`) }
}

beforeEach(async () => {
  source = memory()
  target = memory()
  log = []
  for (const key of ['a/1', 'a/2', 'a/3', 'a/4', 'a.done', 'b/1', 'b.done']) await source.put(key, sourceOf(`content of ${key}`))
})

describe('moving groups', () => {
  it('stores the last object after the others, and deletes it before them', async () => {
    const outcome = await transferObjects([await groupOf('a'), await groupOf('b')], options())
    expect(outcome).toMatchObject({ groups: 2, objects: 7, failed: 0 })
    expect(await keysOf(source)).toEqual([])
    expect(await keysOf(target)).toEqual(['a.done', 'a/1', 'a/2', 'a/3', 'a/4', 'b.done', 'b/1'])
    expect(await textOf(target, 'a/3')).toBe('content of a/3')
    const order = (entry: string): number => log.indexOf(entry)
    for (const part of ['a/1', 'a/2', 'a/3', 'a/4']) {
      expect(order(`target put ${part}`)).toBeLessThan(order('target put a.done'))
      expect(order('source delete a.done')).toBeLessThan(order(`source delete ${part}`))
    }
    expect(order('target put a.done')).toBeLessThan(order('source delete a.done'))
  })

  it('deletes nothing when it copies', async () => {
    await transferObjects([await groupOf('a')], options({ preserve: true }))
    expect(await keysOf(source)).toHaveLength(7)
    expect(await keysOf(target)).toHaveLength(5)
    expect(log.filter((entry) => entry.includes('delete'))).toEqual([])
  })

  it('leaves a group whole in the source when one of its objects cannot be stored, and moves the others', async () => {
    const failing: ObjectStore = {
      ...target,
      put: async (key, body, given) =>
        key === 'a/3' ? Promise.reject(new Fault('denied', 'TEST', 'not this one')) : target.put(key, body, given),
    }
    const outcome = await transferObjects([await groupOf('a'), await groupOf('b')], options({ target: failing }))
    expect(outcome).toMatchObject({ groups: 1, failed: 1, failures: [{ group: 'a', key: 'a/3' }] })
    expect(await keysOf(source)).toEqual(['a.done', 'a/1', 'a/2', 'a/3', 'a/4'])
    expect(await keysOf(target)).not.toContain('a.done')
    // The next attempt finishes it.
    const again = await transferObjects([await groupOf('a')], options({ skipPresent: true }))
    expect(again).toMatchObject({ groups: 1, failed: 0 })
    expect(await keysOf(source)).toEqual([])
    expect(await keysOf(target)).toHaveLength(7)
  })

  it('stops at the first failure when told to', async () => {
    const failing: ObjectStore = { ...target, put: async () => Promise.reject(new Fault('denied', 'TEST', 'no')) }
    await expect(
      transferObjects([await groupOf('a'), await groupOf('b')], options({ target: failing, failFast: true, concurrency: 1 })),
    ).rejects.toMatchObject({ code: 'TEST' })
    expect(await keysOf(source)).toHaveLength(7)
  })

  it('does not replace what the target has, unless told to', async () => {
    await target.put('a/2', sourceOf('something else that is longer'))
    const refused = await transferObjects([await groupOf('a')], options())
    expect(refused).toMatchObject({ groups: 0, failed: 1 })
    expect(refused.failures[0]?.error).toMatchObject({ kind: 'already-exists' })
    const looked = await transferObjects([await groupOf('a')], options({ skipPresent: true }))
    expect(looked.failures[0]?.error).toMatchObject({ code: 'STORAGE_OBJECT_CHANGED' })
    expect(await keysOf(source)).toHaveLength(7)
    await transferObjects([await groupOf('a')], options({ overwrite: true }))
    expect(await textOf(target, 'a/2')).toBe('content of a/2')
    expect(await keysOf(source)).toEqual(['b.done', 'b/1'])
  })

  it('asks a target that cannot refuse by itself, right before', async () => {
    await target.put('a/2', sourceOf('its own'))
    const plain: ObjectStore = { ...target, capabilities: { ...target.capabilities, conditionalPut: false } }
    const outcome = await transferObjects([await groupOf('a')], options({ target: plain }))
    expect(outcome.failures).toMatchObject([{ key: 'a/2', error: { kind: 'already-exists' } }])
    expect(await textOf(target, 'a/2')).toBe('its own')
  })

  it('deletes nothing that does not appear in the target', async () => {
    const forgetful: ObjectStore = { ...target, head: (key) => memory().head(key) }
    const outcome = await transferObjects([await groupOf('b')], options({ target: forgetful }))
    expect(outcome.failures[0]?.error).toMatchObject({ code: 'STORAGE_TRANSFER_NOT_SEEN' })
    expect(await keysOf(source, 'b')).toEqual(['b.done', 'b/1'])
  })

  it('stores last objects in the order of the groups and within them, and deletes them backwards', async () => {
    await source.put('a.more', sourceOf('content of a.more'))
    const { name, data } = await groupOf('a')
    const last = [await source.head('a.done'), await source.head('a.more')]
    // The first group takes longest.
    const put = async (...[key, body, given]: Parameters<ObjectStore['put']>): ReturnType<ObjectStore['put']> => {
      if (key.startsWith('a/')) await new Promise((wake) => setTimeout(wake, 5))
      return await logged('target', target).put(key, body, given)
    }
    const outcome = await transferObjects(
      [{ name, data, last }, await groupOf('b')],
      options({ target: { ...target, put }, concurrency: 2 }),
    )
    expect(outcome).toMatchObject({ groups: 2, objects: 8, failed: 0 })
    const places = ['target put a.done', 'target put a.more', 'target put b.done'].map((entry) => log.indexOf(entry))
    expect(places).toEqual(places.toSorted((one, other) => one - other))
    expect(places).not.toContain(-1)
    expect(log.indexOf('source delete a.more')).toBeLessThan(log.indexOf('source delete a.done'))
  })

  it('does not wait for ever for a group that failed', async () => {
    await target.put('a/2', sourceOf('something else that is longer'))
    const outcome = await transferObjects([await groupOf('a'), await groupOf('b')], options({ concurrency: 2 }))
    expect(outcome).toMatchObject({ groups: 1, failed: 1 })
    expect(await keysOf(source, 'b')).toEqual([])
  })

  it('deletes nothing whose bytes are others in the target, though as many', async () => {
    await target.put('a/2', sourceOf('content of b/2'))
    const moved = await transferObjects([await groupOf('a')], options({ skipPresent: true }))
    expect(moved.failures).toMatchObject([{ key: 'a/2', error: { kind: 'conflict', code: 'STORAGE_OBJECT_CHANGED' } }])
    expect(await keysOf(source)).toHaveLength(7)
    // A copy deletes nothing, so that equal sizes are enough.
    expect(await transferObjects([await groupOf('a')], options({ skipPresent: true, preserve: true }))).toMatchObject({ failed: 0 })
  })

  it('serves a target that has no condition for large objects', async () => {
    const put = async (...[key, body, given]: Parameters<ObjectStore['put']>): ReturnType<ObjectStore['put']> => {
      if (given?.onlyIfAbsent === true) throw new Fault('unsupported', 'STORAGE_CONDITIONAL_PUT_UNSUPPORTED', 'not in parts')
      return await target.put(key, body, given)
    }
    await target.put('b/1', sourceOf('its own'))
    const outcome = await transferObjects([await groupOf('a'), await groupOf('b')], options({ target: { ...target, put } }))
    expect(outcome).toMatchObject({ groups: 1, failures: [{ key: 'b/1', error: { kind: 'already-exists' } }] })
    expect(await textOf(target, 'a/3')).toBe('content of a/3')
    expect(await textOf(target, 'b/1')).toBe('its own')
  })

  it('obeys the signal', async () => {
    const controller = new AbortController()
    controller.abort()
    await expect(transferObjects([await groupOf('a')], options({ signal: controller.signal }))).rejects.toMatchObject({ kind: 'aborted' })
    expect(await keysOf(source)).toHaveLength(7)
  })
})

describe('what is to be transferred', () => {
  const listed = async (overwrite: boolean, prefix = ''): Promise<string[]> => {
    const keys: string[] = []
    for await (const { key } of objectsToTransfer({ source, target, overwrite }, prefix)) keys.push(key)
    return keys
  }
  it('is what the target lacks', async () => {
    for (const key of ['0', 'a/2', 'a/22', 'b.done', 'z']) await target.put(key, sourceOf('x'))
    expect(await listed(false)).toEqual(['a.done', 'a/1', 'a/3', 'a/4', 'b/1'])
    expect(await listed(false, 'b')).toEqual(['b/1'])
    expect(await listed(true, 'b')).toEqual(['b.done', 'b/1'])
  })
})

describe('copying one object', () => {
  it('changes its bytes on the way where asked', async () => {
    const info = await copyObject(
      { store: source, key: 'b/1' },
      { store: target, key: 'c' },
      { transform: async (body) => sourceOf((await readAll(body, 100)).map((byte) => (byte === 0x31 ? 0x32 : byte))) },
    )
    expect([info.size, await textOf(target, 'c')]).toEqual([14, 'content of b/2'])
  })
})
