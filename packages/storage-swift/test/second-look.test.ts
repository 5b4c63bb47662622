import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { readAll } from '@waltz/bytes'
import type { MaintainedStore } from '@waltz/storage'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createSwiftStore } from '../src/index.ts'
import { commonOptions } from './support/store.ts'

/** Answers of a Swift whose object is replaced: how often it is missed, and whether its container is there. */
const swift = { missed: 0, container: true }
const asked: string[] = []
const server = createServer((request, answer) => {
  const { method = '', url = '' } = request
  if (url === '/auth/v1.0') {
    answer
      .writeHead(200, { 'x-auth-token': 'token', 'x-storage-url': `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/a` })
      .end()
    return
  }
  asked.push(`${method} ${url}`)
  if (url === '/v1/a/c') {
    answer.writeHead(swift.container ? 204 : 404).end()
    return
  }
  if (swift.missed > 0) {
    swift.missed -= 1
    answer.writeHead(404).end()
    return
  }
  answer.writeHead(200, {
    'content-length': '5',
    etag: '5d41402abc4b2a76b9719d911017c592',
    'x-timestamp': '1795255496.43170',
    'x-trans-id': 'tx1',
  })
  answer.end(method === 'HEAD' ? undefined : 'hello')
})
beforeAll(async () => await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready)))
afterAll(() => server.close())
beforeEach(() => {
  asked.length = 0
  swift.container = true
})
const open = (): MaintainedStore =>
  createSwiftStore({
    ...commonOptions(),
    container: 'c',
    auth: { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/auth/v1.0`, user: 'u', password: 'p' },
  })

describe('an object that the server misses', () => {
  it('once, because it is being replaced, is read and looked at all the same', async () => {
    const store = open()
    swift.missed = 1
    expect(Buffer.from(await readAll(await store.get('o'), 100)).toString()).toBe('hello')
    expect(asked).toEqual(['GET /v1/a/c/o', 'HEAD /v1/a/c', 'HEAD /v1/a/c/o', 'GET /v1/a/c/o'])
    swift.missed = 1
    expect((await store.head('o')).size).toBe(5)
  })

  it('twice is not found', async () => {
    const store = open()
    for (const look of [() => store.get('o'), () => store.head('o')]) {
      swift.missed = 2
      await expect(look()).rejects.toMatchObject({ kind: 'not-found', code: 'STORAGE_NOT_FOUND' })
      expect(swift.missed).toBe(0)
    }
  })

  it('is not looked for in a container that is missing', async () => {
    swift.missed = 2
    swift.container = false
    await expect(open().get('o')).rejects.toMatchObject({ code: 'STORAGE_BUCKET_MISSING' })
    swift.missed = 0
  })
})
