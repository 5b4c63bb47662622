import { afterAll, describe, expect, it } from 'vitest'
import { conformanceCases } from '@waltz/storage/conformance'
import { sourceOf } from '@waltz/bytes'
import type { Leftover } from '@waltz/storage'
import { startPlainServer } from './support/plain-server.ts'
import { plainStore } from './support/plain-store.ts'

/** Without a rename that replaces, there is a moment without the object. */
const NEEDS_ATOMIC_REPLACE = 'readers during a replace see the old or the new object, never a mixture'

describe('a server without the extensions of OpenSSH', async () => {
  const server = await startPlainServer()
  const store = plainStore(server)
  afterAll(async () => {
    await store[Symbol.asyncDispose]()
    await server.close()
  })

  it.each(conformanceCases.map((item) => [item.name, item] as const))('%s', { timeout: 60_000 }, async (name, item) => {
    const claimed = item.needs?.(store) ?? true
    expect(claimed).toBe(!/^(of many racing )?ifMatch /.test(name))
    if (claimed && name !== NEEDS_ATOMIC_REPLACE) await item.run(store)
  })

  it('tells what it lacks', async () => {
    expect(await store.describeServer()).toMatchObject({ durable: false, atomicCreate: false, atomicReplace: false, hostKeyChecked: false })
  })

  it('keeps nothing under temporary names', async () => {
    await store.put('a/replaced', sourceOf('one'))
    await store.put('a/replaced', sourceOf('two'))
    await store.put('a/created', sourceOf('three'), { onlyIfAbsent: true })
    const left: unknown[] = []
    for await (const upload of store.maintenance.unfinishedUploads('')) left.push(upload)
    expect(left).toEqual([])
  })
})

describe('a server whose rename replaces what is there', async () => {
  const server = await startPlainServer({ renameReplaces: true })
  const store = plainStore(server)
  afterAll(async () => {
    await store[Symbol.asyncDispose]()
    await server.close()
  })

  it('is found out before it does harm', async () => {
    await store.put('taken', sourceOf('first'))
    await expect(store.put('free', sourceOf('x'), { onlyIfAbsent: true })).rejects.toMatchObject({
      kind: 'unsupported',
      code: 'STORAGE_CONDITIONAL_PUT_UNSUPPORTED',
    })
    await store.put('taken', sourceOf('second'))
    expect((await store.head('taken')).size).toBe(6)
    await expect(store.head('free')).rejects.toMatchObject({ kind: 'not-found' })
  })
})

describe('a server on which an upload cannot be cleaned up', () => {
  it('is told with the key when it refuses, and what went wrong first is thrown', async () => {
    await using server = await startPlainServer({
      refuse: (request) => {
        if (request === 'WRITE') return { status: 3, message: 'Permission denied' }
        return request === 'REMOVE' ? { status: 4, message: 'Failure' } : undefined
      },
    })
    const left: Leftover[] = []
    await using store = plainStore(server, { onLeftover: (leftover) => left.push(leftover) })
    await expect(store.put('a/object', sourceOf('x'))).rejects.toMatchObject({ code: 'STORAGE_ACCESS_DENIED' })
    expect(left).toMatchObject([{ key: 'a/object', error: { code: 'STORAGE_SERVER_FAILED' } }])
  })

  it('does not hold up an aborted put when it is silent; the end of the store tells what may be left', async () => {
    const controller = new AbortController()
    const events: string[] = []
    await using server = await startPlainServer({
      refuse(request) {
        if (request === 'WRITE') controller.abort()
        return request === 'WRITE' || request === 'REMOVE' ? 'silence' : undefined
      },
    })
    const store = plainStore(server, { onLeftover: ({ key }) => events.push(`left ${key}`) })
    await expect(store.put('a/object', sourceOf('x'), { signal: controller.signal })).rejects.toMatchObject({ code: 'ABORTED' })
    events.push('rejected')
    await store[Symbol.asyncDispose]()
    expect(events).toEqual(['rejected', 'left a/object'])
  })
})
