import { createRequire } from 'node:module'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { concatBytes, giveBack } from '@waltz/bytes'
import { isFault, type Fault } from '@waltz/errors'
import { createByteBudget, type MaintainedStore } from '@waltz/storage'
import { sharedServer, soaking } from '@waltz/testkit'
import { createAzureStore } from '@waltz/storage-azure'
import { azureOptions, azuriteStore, sleep } from '../support/store.ts'

const azurite = await sharedServer('azurite')
const require = createRequire(import.meta.url)
const BLOCK = 65_536

function pattern(length: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 31 + seed * 7 + (index >> 8)) & 255)
}

async function* source(bytes: Uint8Array, chunkBytes = 50_000): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.length; offset += chunkBytes) yield bytes.slice(offset, offset + chunkBytes)
}

async function read(store: MaintainedStore, key: string, range?: { readonly start: number; readonly end?: number }): Promise<Uint8Array> {
  return concatBytes(await Array.fromAsync<Uint8Array>(await store.get(key, range === undefined ? {} : { range })))
}

async function faultOf(run: () => Promise<unknown>): Promise<Fault> {
  const error: unknown = await run().then(
    () => undefined,
    (error: unknown) => error,
  )
  if (isFault(error)) return error
  throw new Error(`expected a fault, got ${String(error)}`, { cause: error })
}

/** Everything that could be printed of an error. */
function everythingOf(error: unknown): string {
  const parts: string[] = []
  for (let at: unknown = error, depth = 0; typeof at === 'object' && at !== null && depth < 8; at = (at as Error).cause, depth += 1) {
    parts.push(
      (at as Error).message,
      JSON.stringify(Object.getOwnPropertyNames(at).map((name) => [name, String((at as any)[name])])),
      JSON.stringify(at),
    )
  }
  return parts.join('\n')
}

describe.skipIf(azurite.missing !== undefined)(`an Azure store on ${azurite.title}`, () => {
  let container: string
  let store: MaintainedStore
  let sdk: any
  beforeAll(async () => {
    container = await azurite.server.createContainer()
    store = azuriteStore(azurite.server, { container, bufferBytes: BLOCK, maxBuffers: 3 })
    const { BlobServiceClient, StorageSharedKeyCredential } = require('@azure/storage-blob')
    const credential = new StorageSharedKeyCredential(azurite.server.account, azurite.server.accountKey)
    sdk = new BlobServiceClient(azurite.server.endpoint, credential).getContainerClient(container)
  })
  afterAll(async () => {
    await store[Symbol.asyncDispose]()
  })

  it.each([0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK - 1, 2 * BLOCK, 2 * BLOCK + 1, 7 * BLOCK + 17])(
    'stores %i bytes around borders of blocks',
    async (size) => {
      const bytes = pattern(size, size)
      const info = await store.put(`sizes/${size}`, source(bytes))
      expect(info).toEqual(await store.head(`sizes/${size}`))
      expect(Buffer.compare(await read(store, `sizes/${size}`), bytes)).toBe(0)
      for (const [start, end] of [
        [0, 1],
        [BLOCK - 1, BLOCK + 1],
        [1, size],
      ] as const) {
        if (end < start) continue
        expect(Buffer.compare(await read(store, `sizes/${size}`, { start, end }), bytes.subarray(start, end))).toBe(0)
      }
      expect(await sdk.getBlobClient(`sizes/${size}`).downloadToBuffer()).toEqual(Buffer.from(bytes))
    },
  )

  // A thousand races of one store are among the cases that every store goes through; here are two stores.
  it.each([
    ['whole', 10, soaking ? 1000 : 150],
    ['in blocks', 3 * BLOCK, 150],
  ])('lets exactly one of two create a name, %s', { timeout: 120_000 }, async (_name, size, rounds) => {
    const other = azuriteStore(azurite.server, { container, bufferBytes: BLOCK })
    const bodies = [pattern(size, 1), pattern(size, 2)] as const
    for (let round = 0; round < rounds; round += 1) {
      const key = `race/${size}/${round}`
      const outcomes = await Promise.allSettled(
        [store, other].map((writer, index) => writer.put(key, source(bodies[index as 0 | 1]), { onlyIfAbsent: true })),
      )
      const winner = outcomes.findIndex(({ status }) => status === 'fulfilled')
      const losers = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as Fault] : []))
      expect(losers.map(({ kind, message }) => (kind === 'already-exists' ? kind : `${kind} ${message}`))).toEqual(['already-exists'])
      expect(Buffer.compare(await read(store, key), bodies[winner as 0 | 1])).toBe(0)
    }
    await other[Symbol.asyncDispose]()
  })

  it.each([10, 3 * BLOCK])('replaces only the version that is named, of %i bytes', async (size) => {
    const key = `match/${size}`
    const first = await store.put(key, source(pattern(size, 1)))
    const second = await store.put(key, source(pattern(size, 2)), { ifMatch: first.etag as string })
    expect((await faultOf(() => store.put(key, source(pattern(size, 3)), { ifMatch: first.etag as string }))).code).toBe(
      'STORAGE_OBJECT_REPLACED',
    )
    expect(await store.head(key)).toEqual(second)
    expect((await faultOf(() => store.put(`${key}/none`, source(pattern(size, 3)), { ifMatch: first.etag as string }))).code).toBe(
      'STORAGE_OBJECT_REPLACED',
    )
    expect((await faultOf(() => store.put(key, source(pattern(1)), { ifMatch: 'x', onlyIfAbsent: true }))).kind).toBe('invalid')
  })

  it('copies a large object on the service, blocks and checksums included', async () => {
    const bytes = pattern(5 * BLOCK + 3)
    await store.put('copy/from', source(bytes))
    await store.copy('copy/from', 'copy/to')
    expect(Buffer.compare(await read(store, 'copy/to'), bytes)).toBe(0)
    expect((await faultOf(() => store.copy('copy/missing', 'copy/to'))).kind).toBe('not-found')
  })

  it('holds odd names exactly', async () => {
    const names = [
      'with space',
      ' lead and trail ',
      'plus+plus',
      '100%',
      '%41',
      'hash#1',
      'question?x=1&y=2',
      'e\u0301',
      '\u00e9',
      'co:lon',
      '~',
      '.hidden',
      'a..b',
      '<&>',
      'tést/ünï/код.json',
      '😀',
      '\ufffd',
    ]
    for (const name of names) await store.put(`names/${name}`, source(Buffer.from(name)))
    for (const name of names) expect(Buffer.from(await read(store, `names/${name}`)).toString()).toBe(name)
    const listed = (await Array.fromAsync(store.list('names/'))).map(({ key }) => key)
    expect(listed).toEqual(
      names.map((name) => `names/${name}`).sort((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right))),
    )
    for (const name of ['back\\slash', '...', 'a./b', 'trailing.', 'new\nline', 'x'.repeat(1100)]) {
      expect((await faultOf(() => store.put(`names/${name}`, source(pattern(1))))).code).toBe('STORAGE_KEY_INVALID')
    }
  })

  it('lists an aborted upload as unfinished, and abandons it without touching objects', async () => {
    const failing = async function* (): AsyncGenerator<Uint8Array> {
      yield pattern(3 * BLOCK)
      await sleep(300) // so that blocks have arrived
      throw new Error('on purpose')
    }
    await expect(store.put('left/new', failing())).rejects.toThrow('on purpose')
    await store.put('left/old', source(pattern(10)))
    await expect(store.put('left/old', failing())).rejects.toThrow('on purpose')
    await store.put('left/empty', source(pattern(0)))
    const [upload, ...others] = await Array.fromAsync(store.maintenance.unfinishedUploads('left/'))
    expect(others).toEqual([])
    expect(upload?.key).toBe('left/new')
    expect(upload?.bytes).toBeGreaterThanOrEqual(2 * BLOCK)
    expect(Math.abs((upload?.startedAt?.getTime() ?? 0) - Date.now())).toBeLessThan(60_000)
    // A newer upload changes what is meant.
    await expect(store.put('left/new', failing())).rejects.toThrow('on purpose')
    expect((await faultOf(() => store.maintenance.abandonUpload(upload as any))).code).toBe('AZURE_UPLOAD_ACTIVE')
    for await (const again of store.maintenance.unfinishedUploads('left/')) await store.maintenance.abandonUpload(again)
    expect(await Array.fromAsync(store.maintenance.unfinishedUploads('left/'))).toEqual([])
    expect((await Array.fromAsync(store.list('left/'))).map(({ key, size }) => [key, size])).toEqual([
      ['left/empty', 0],
      ['left/old', 10],
    ])
    await store.maintenance.abandonUpload(upload as any) // one that is gone
    const before = await store.head('left/old')
    await store.maintenance.abandonUpload({ ...(upload as any), key: 'left/old' })
    expect(await store.head('left/old')).toEqual(before)
  })

  it('goes together with blocks that another program left, if their names have 64 bytes', async () => {
    await sdk.getBlockBlobClient('foreign/64').stageBlock(Buffer.alloc(64, 1).toString('base64'), 'hello', 5)
    const bytes = pattern(3 * BLOCK)
    await store.put('foreign/64', source(bytes), { onlyIfAbsent: true })
    expect(Buffer.compare(await read(store, 'foreign/64'), bytes)).toBe(0)
    await sdk.getBlockBlobClient('foreign/48').stageBlock(Buffer.alloc(48, 1).toString('base64'), 'hello', 5)
    expect((await faultOf(() => store.put('foreign/48', source(bytes)))).code).toBe('AZURE_FOREIGN_BLOCKS')
  })

  it('reads what another program stored in blocks without checksums', async () => {
    const blob = sdk.getBlockBlobClient('foreign/whole')
    await blob.stageBlock(Buffer.alloc(48, 1).toString('base64'), 'hello', 5)
    await blob.commitBlockList([Buffer.alloc(48, 1).toString('base64')])
    expect(Buffer.from(await read(store, 'foreign/whole')).toString()).toBe('hello')
  })

  it('deletes an object with its snapshots', async () => {
    await store.put('snapped', source(pattern(10)))
    await sdk.getBlobClient('snapped').createSnapshot()
    await store.delete(['snapped'])
    expect((await faultOf(() => store.head('snapped'))).kind).toBe('not-found')
  })

  it('says which containers and versions are not there', async () => {
    const lost = azuriteStore(azurite.server, { container: 'no-such-container', bufferBytes: BLOCK })
    for (const call of [
      () => lost.head('x'),
      () => lost.get('x'),
      () => lost.put('x', source(pattern(1))),
      () => lost.put('x', source(pattern(3 * BLOCK)), { onlyIfAbsent: true }),
      () => lost.delete(['x']),
      () => Array.fromAsync(lost.list('')),
      () => Array.fromAsync(lost.listGroups('')),
      () => lost.copy('x', 'y'),
    ]) {
      const fault = await faultOf(call)
      expect([fault.kind, fault.code, fault.retryable]).toEqual(['unavailable', 'STORAGE_BUCKET_MISSING', false])
    }
    await lost[Symbol.asyncDispose]()
    expect((await faultOf(() => Array.fromAsync(store.maintenance.versions('')))).code).toBe('STORAGE_VERSIONS_UNSUPPORTED')
  })

  it('is denied with a wrong key, and tells no key', async () => {
    const accountKey = Buffer.alloc(64, 7).toString('base64')
    const wrong = azuriteStore({ ...azurite.server, accountKey }, { container })
    for (const call of [
      () => wrong.head('x'),
      () => wrong.get('x'),
      () => wrong.put('x', source(pattern(1))),
      () => Array.fromAsync(wrong.list('')),
    ]) {
      const fault = await faultOf(call)
      expect(fault.kind).toBe('denied')
      expect(everythingOf(fault)).not.toMatch(/BwcHBwc|SharedKey |sig=/)
    }
    await wrong[Symbol.asyncDispose]()
  })

  it('works with a SAS token, and tells when it has expired or lacks a right, without its signature', async () => {
    const {
      BlobSASPermissions,
      ContainerSASPermissions,
      StorageSharedKeyCredential,
      generateBlobSASQueryParameters,
    } = require('@azure/storage-blob')
    expect(BlobSASPermissions).toBeDefined()
    const token = (permissions: string, expiresInMs: number): string =>
      generateBlobSASQueryParameters(
        {
          containerName: container,
          permissions: ContainerSASPermissions.parse(permissions),
          startsOn: new Date(Date.now() - 7_200_000),
          expiresOn: new Date(Date.now() + expiresInMs),
        },
        new StorageSharedKeyCredential(azurite.server.account, azurite.server.accountKey),
      ).toString()
    const withToken = (sasToken: string): MaintainedStore =>
      createAzureStore(
        azureOptions({
          container,
          endpoint: azurite.server.endpoint,
          account: azurite.server.account,
          credentials: { kind: 'sas', sasToken },
          bufferBytes: BLOCK,
        }),
      )
    const full = withToken(`?${token('racwdl', 3_600_000)}`)
    const bytes = pattern(3 * BLOCK)
    await full.put('sas/object', source(bytes), { onlyIfAbsent: true })
    await full.copy('sas/object', 'sas/copy')
    expect(Buffer.compare(await read(full, 'sas/copy'), bytes)).toBe(0)
    expect((await Array.fromAsync(full.list('sas/'))).length).toBe(2)
    await full.delete(['sas/copy'])

    const readOnly = withToken(token('rl', 3_600_000))
    expect((await readOnly.head('sas/object')).size).toBe(bytes.length)
    const refused = await faultOf(() => readOnly.put('sas/new', source(pattern(1))))
    const expired = withToken(token('racwdl', -3_600_000))
    const late = await faultOf(() => expired.head('sas/object'))
    expect([refused.kind, late.kind]).toEqual(['denied', 'denied'])
    expect(late.hint).toContain('expired')
    for (const fault of [refused, late]) expect(everythingOf(fault)).not.toMatch(/sig=|se=/)
    for (const used of [full, readOnly, expired]) await used[Symbol.asyncDispose]()
  })

  it('speaks the version of the API that it is told to', async () => {
    const old = azuriteStore(azurite.server, { container, apiVersion: '2021-12-02' })
    await old.put('old/version', source(pattern(100)))
    expect((await old.head('old/version')).size).toBe(100)
    await old[Symbol.asyncDispose]()
  })

  it('holds no more of a large upload than its budget', { timeout: 120_000 }, async () => {
    const size = 200 * 2 ** 20
    const budget = 24 * 2 ** 20
    const large = azuriteStore(azurite.server, { container, bufferBytes: 8 * 2 ** 20, maxBuffers: 8, budget: createByteBudget(budget) })
    const chunk = pattern(2 ** 20)
    global.gc?.()
    const before = process.memoryUsage().arrayBuffers
    let peak = 0
    let peakOfDownload = 0
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (let sent = 0; sent < size; sent += chunk.length) {
        peak = Math.max(peak, process.memoryUsage().arrayBuffers - before)
        yield chunk.subarray()
      }
    }
    expect((await large.put('large', endless(), { size })).size).toBe(size)
    let bytes = 0
    for await (const part of await large.get('large')) {
      bytes += part.length
      giveBack(part)
      peakOfDownload = Math.max(peakOfDownload, process.memoryUsage().arrayBuffers - before)
    }
    expect(bytes).toBe(size)
    expect(peak).toBeLessThan(2.5 * budget)
    // Most of it is what the sockets gave and the collector has not taken back yet.
    expect(peakOfDownload).toBeLessThan(160 * 2 ** 20)
    await large.delete(['large'])
    await large[Symbol.asyncDispose]()
  })
})
