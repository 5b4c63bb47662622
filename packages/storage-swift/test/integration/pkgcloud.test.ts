import { createRequire } from 'node:module'
import { buffer } from 'node:stream/consumers'
import type { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readAll, sourceOf } from '@waltz/bytes'
import { conformanceCases, partCases, type ConformanceCase } from '@waltz/storage/conformance'
import type { MaintainedStore } from '@waltz/storage'
import { createKeystoneFake, sharedServer, soaking, type KeystoneFake } from '@waltz/testkit'
import type { SwiftStoreOptions } from '../../src/index.ts'
import { createPkgcloudStore, type PkgcloudClient } from '../../src/pkgcloud.ts'
import { storageFacts } from '../support/facts.ts'
import { commonOptions, swiftServers, swiftStore } from '../support/store.ts'

const require = createRequire(import.meta.url)
const pkgcloud = require('pkgcloud') as { storage: { createClient(settings: object): PkgcloudClient } }
const MIB = storageFacts.partBytes

/** A client that logs in by itself, at the fake of Keystone. */
function clientOf(keystone: KeystoneFake, version: 'v2.0' | 'v3'): PkgcloudClient {
  const { user, password, project } = keystone.people
  return pkgcloud.storage.createClient({
    provider: 'openstack',
    authUrl: keystone.url,
    username: user,
    password,
    tenantName: project,
    domainId: 'default',
    projectDomainId: 'default',
    region: 'south',
    keystoneAuthVersion: version,
  })
}

const kinds: readonly (readonly [name: string, cases: readonly ConformanceCase[], options: Partial<SwiftStoreOptions>])[] = [
  ['whole', [...conformanceCases, ...partCases(MIB)], { partBytes: MIB }],
  ['streamed', conformanceCases, { partBytes: 65_536 }],
  ['in segments', [...conformanceCases, ...partCases(MIB)], { partBytes: MIB, largeObjects: 'segments' }],
  ['with pages of ten and single deletes', conformanceCases, { listPageKeys: 10, bulkDelete: false }],
]

// Each server has its own conformance run with the store's own requests; this engine, which few choose, goes through it in the soak.
for (const server of soaking ? await swiftServers() : []) {
  describe.skipIf(server.missing !== undefined).each(kinds)(`a Swift store by pkgcloud on ${server.title}, %s`, (_name, cases, options) => {
    let store: MaintainedStore
    beforeAll(async () => {
      const { authUrl: url, user, key: password } = server.account()
      const container = await server.container()
      store = createPkgcloudStore({ ...commonOptions(), container, auth: { url, user, password }, ...options })
    })
    afterAll(async () => store[Symbol.asyncDispose]())
    it('claims what the reference of storages says', () => {
      expect(store.capabilities).toMatchObject(storageFacts.capabilities)
    })
    it.each(cases.map((item) => [item.name, item] as const))('%s', { timeout: 60_000 }, async (_case, item) => {
      if (item.needs?.(store) ?? true) await item.run(store)
    })
  })
}

const swift = await sharedServer('swift')
const NAMES = ['plain', 'with space', 'a+b', '100%', '%41', 'q?x=1&y=2', 'hash#1', "it's", 'tést/код', 'co:lon', 'trailing.', '😀', 'a/b/c']

describe.skipIf(swift.missing !== undefined)(`pkgcloud and the own client on ${swift.title}`, () => {
  let keystone: KeystoneFake
  let container: string
  let own: MaintainedStore
  beforeAll(async () => {
    keystone = await createKeystoneFake({ swift: swift.server })
    container = await swift.server.createContainer()
    own = swiftStore(swift.server, { container, partBytes: MIB, largeObjects: 'segments' })
  })
  afterAll(async () => {
    await own[Symbol.asyncDispose]()
    await keystone.close()
  })

  it.each(['v2.0', 'v3'] as const)('agree about every object, whoever stored it, with a client that logs in by %s', async (version) => {
    keystone.giveEndedTokens(1)
    const client = clientOf(keystone, version)
    await using store = createPkgcloudStore({ ...commonOptions(), container, client, partBytes: MIB, largeObjects: 'segments' })
    const large = Buffer.alloc(2.5 * MIB, version)
    for (const [index, name] of NAMES.entries())
      await (index % 2 === 0 ? own : store).put(`${version}/${name}`, sourceOf(index === 3 ? '' : `bytes of ${name}`))
    await own.put(`${version}/large/own`, sourceOf(large))
    await store.put(`${version}/large/pkgcloud`, sourceOf(large))
    const listed = await Array.fromAsync(store.list(`${version}/`))
    expect(listed.length).toBe(NAMES.length + 2)
    expect(listed).toEqual(await Array.fromAsync(own.list(`${version}/`)))
    for (const { key } of listed) {
      expect(await store.head(key)).toEqual(await own.head(key))
      expect(await readAll(await store.get(key), 3 * MIB)).toEqual(await readAll(await own.get(key), 3 * MIB))
    }
    for (const name of NAMES) await store.copy(`${version}/${name}`, `${version}/copies/${name}`)
    expect((await Array.fromAsync(own.list(`${version}/copies/`))).map(({ etag }) => etag).toSorted()).toEqual(
      listed
        .filter(({ key }) => !key.includes('/large/'))
        .map(({ etag }) => etag)
        .toSorted(),
    )
    await store.delete(listed.map(({ key }) => key))
    expect((await Array.fromAsync(own.list(`${version}/`))).length).toBe(NAMES.length)
  })

  it('leave objects that a program with pkgcloud alone reads, and read its objects', async () => {
    const client = clientOf(keystone, 'v3') as any
    await own.put('oracle/100% own', sourceOf('by Waltz'))
    expect(String(await buffer(client.download({ container, remote: 'oracle/100% own' }) as Readable))).toBe('by Waltz')
    await new Promise((resolve, reject) => {
      const upload = client.upload({ container, remote: 'oracle/100% theirs' })
      upload.on('success', resolve).on('error', reject)
      upload.end('by pkgcloud')
    })
    expect(new TextDecoder().decode(await readAll(await own.get('oracle/100% theirs'), 100))).toBe('by pkgcloud')
  })

  it('differ in what sends the requests', async () => {
    const seen: string[] = []
    const client = clientOf(keystone, 'v3') as any
    client.on('log::trace', (said: string, request?: { readonly method: string }) => {
      if (/^Sending (?:\(non-callback\) )?client request$/.test(said)) seen.push(request?.method ?? '')
    })
    await using store = createPkgcloudStore({ ...commonOptions(), container, client })
    await store.put('seen/object', sourceOf('x'))
    await readAll(await store.get('seen/object'), 10)
    await Array.fromAsync(store.list('seen/'))
    await store.copy('seen/object', 'seen/copy')
    await store.delete(['seen/object'])
    expect(seen).toEqual(['PUT', 'HEAD', 'GET', 'GET', 'GET', 'HEAD', 'COPY', 'HEAD', 'DELETE'])
  })
})
