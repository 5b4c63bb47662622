import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateKeyPairSync } from 'node:crypto'
import { inspect } from 'node:util'
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { isFault, type Fault } from '@waltz/errors'
import { sourceOf, type ByteSource } from '@waltz/bytes'
import { createByteBudget, lockOf, type ByteBudget, type MaintainedStore, type PutOptions } from '@waltz/storage'
import { createGcsStore, type GcsCredentials, type GcsEngine, type GcsStoreOptions } from '@waltz/storage-gcs'
import { createFaultProxy, FAKE_SUBJECT_TOKEN, fakeFederatedCredentials, startGcsFake, type GcsFake } from '@waltz/testkit'
import { gcsOptions, gcsStore, sleep } from './support/store.ts'

const STEP = 262_144
let fake: GcsFake
let store: MaintainedStore
let engine: GcsEngine = 'requests'
const opened: MaintainedStore[] = []

beforeEach(async () => {
  fake = await startGcsFake({ buckets: ['bucket', 'other'] })
  store = open()
})
afterEach(async () => {
  for (const item of opened.splice(0)) await item[Symbol.asyncDispose]()
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
  await fake.stop()
})

function open(options: Partial<GcsStoreOptions> = {}, at: GcsFake = fake): MaintainedStore {
  const made = gcsStore(at, { engine, ...options })
  opened.push(made)
  return made
}

async function faultOf(work: Promise<unknown>): Promise<Fault> {
  const error = await work.then(
    () => new Error('it succeeded'),
    (reason: unknown) => reason,
  )
  if (!isFault(error)) throw error
  return error
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  const { kind, code } = await faultOf(work)
  return `${kind} ${code}`
}

/** Bytes that differ from place to place, made as they are read. */
async function* bytesOf(size: number, seed = 1): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < size; offset += 100_000) {
    const chunk = new Uint8Array(Math.min(100_000, size - offset))
    for (let index = 0; index < chunk.length; index += 97) chunk[index] = (offset + index * seed) % 251
    yield chunk
  }
}

async function collect(source: ByteSource): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(source))
}

async function put(into: MaintainedStore, key: string, text: string): Promise<void> {
  await into.put(key, sourceOf(text))
}

describe.each(['requests', 'google-cloud'] as const)('engine %s', (chosen) => {
  beforeAll(() => {
    engine = chosen
  })

  describe('uploads', () => {
    const sizes = [0, 1, STEP - 1, STEP, STEP + 1, 2 * STEP - 1, 2 * STEP, 2 * STEP + 1, 7 * STEP + 5]
    it.each([
      ['resumable', {}],
      ['resumable on a condition', {}, { onlyIfAbsent: true }],
      ['composed', { pieceConcurrency: 3 }],
    ] as const)(
      '%s: sizes around the borders of pieces, known and unknown',
      { timeout: 60_000 },
      async (name, options, call: PutOptions = {}) => {
        if (name === 'composed' && engine !== 'requests') return
        const small = open({ ...options, chunkBytes: STEP })
        for (const size of sizes) {
          for (const known of [{}, { size }]) {
            const key = `${size}-${'size' in known}`
            const info = await small.put(key, bytesOf(size), { ...known, ...call })
            expect(info).toEqual(await small.head(key))
            expect((await collect(await small.get(key))).equals(await collect(bytesOf(size)))).toBe(true)
          }
        }
        expect(fake.uploads.open()).toBe(0)
        expect(fake.bucket().all()).toHaveLength(2 * sizes.length)
      },
    )
    it('go in one request up to a piece, and through a session above it', async () => {
      const small = open({ chunkBytes: STEP })
      await small.put('one', bytesOf(STEP))
      expect(fake.requests).toEqual([expect.stringMatching(/^POST .*uploadType=multipart&name=one/)])
      fake.requests.length = 0
      await small.put('two', bytesOf(2 * STEP + 1))
      expect(fake.requests.map((line) => line.split(' ')[0])).toEqual(['POST', 'PUT', 'PUT', 'PUT'])
      await small.put('whole pieces', bytesOf(2 * STEP))
      expect(fake.requests.slice(4).map((line) => line.split(' ')[0])).toEqual(['POST', 'PUT', 'PUT', 'PUT'])
    })
    it('go on where the server has kept less than it was given', async () => {
      fake.uploads.keepAtMost = STEP
      await open({ chunkBytes: 3 * STEP }).put('kept', bytesOf(7 * STEP + 100))
      expect((await collect(await store.get('kept'))).equals(await collect(bytesOf(7 * STEP + 100)))).toBe(true)
    })
    it('need no right to delete', async () => {
      fake.lacking.add('storage.objects.delete').add('storage.objects.list').add('storage.objects.get')
      await open({ chunkBytes: STEP }).put('large', bytesOf(3 * STEP), { onlyIfAbsent: true })
      await put(store, 'small', 'x')
      expect(fake.bucket().all()).toHaveLength(2)
    })
    it('send the content type and the storage class', async () => {
      const cold = open({ storageClass: 'COLDLINE', chunkBytes: STEP })
      await cold.put('small', sourceOf('x'), { contentType: 'text/plain' })
      await cold.put('large', bytesOf(2 * STEP), { contentType: 'text/plain' })
      const shown = fake
        .bucket()
        .all()
        .map(({ description }) => [description.contentType, description.storageClass])
      expect(shown).toEqual([
        ['text/plain', 'COLDLINE'],
        ['text/plain', 'COLDLINE'],
      ])
    })
  })

  describe('conditions', () => {
    it.each([
      ['in one request', 1000],
      ['through sessions', 2 * STEP + 5],
    ])(
      'of two writers that race for one name %s, exactly one wins, each time',
      async (_name, size) => {
        const [left, right] = [open({ chunkBytes: STEP }), open({ chunkBytes: STEP })]
        const rounds = size > STEP ? 100 : 1000
        for (let round = 0; round < rounds; round += 1) {
          const outcomes = await Promise.allSettled(
            [left, right].map((writer, index) => writer.put(`race/${round}`, bytesOf(size, index + 1), { onlyIfAbsent: true })),
          )
          expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
          const lost = outcomes.find((outcome) => outcome.status === 'rejected')?.reason as Fault
          expect([lost.kind, lost.code]).toEqual(['already-exists', 'STORAGE_ALREADY_EXISTS'])
        }
      },
      60_000,
    )
    it('ifMatch replaces only what it names', async () => {
      const small = open({ chunkBytes: STEP })
      const first = await small.put('object', sourceOf('1'))
      const second = await small.put('object', sourceOf('2'), { ifMatch: first.etag as string })
      for (const size of [10, 2 * STEP + 1]) {
        for (const etag of [first.etag as string, '0', 'other', '"x"']) {
          expect(await codeOf(small.put('object', bytesOf(size), { ifMatch: etag }))).toBe('conflict STORAGE_OBJECT_REPLACED')
        }
        expect(await codeOf(small.put('gone', bytesOf(size), { ifMatch: second.etag as string }))).toBe('conflict STORAGE_OBJECT_REPLACED')
      }
      expect((await collect(await small.get('object'))).toString()).toBe('2')
      await small.put('object', bytesOf(3 * STEP), { ifMatch: second.etag as string })
      expect(await codeOf(small.put('object', sourceOf('x'), { onlyIfAbsent: true, ifMatch: '1' }))).toBe('invalid STORAGE_OPTIONS_INVALID')
    })
  })

  describe('an answer that is lost', () => {
    it('at the last piece of a session, with and without a condition: the put ends well', async () => {
      const proxy = await createFaultProxy({ target: { host: '127.0.0.1', port: fake.port } })
      const through = gcsStore({ endpoint: `http://127.0.0.1:${proxy.port}` }, { engine, chunkBytes: STEP, idleTimeoutMs: 300 })
      opened.push(through)
      for (const [key, options] of [
        ['plain', {}],
        ['once', { onlyIfAbsent: true }],
      ] as const) {
        // The source loses the answer to what follows the last bytes that it gives.
        const source = (async function* (): AsyncGenerator<Uint8Array> {
          for await (const chunk of bytesOf(2 * STEP + 100)) yield chunk
          while (!fake.requests.some((line) => line.startsWith('PUT') && fake.bucket().find(key) === undefined)) await sleep(5)
          await sleep(30)
          proxy.set({ kind: 'lose-answer', matching: /^PUT /, times: 1 })
        })()
        const info = await through.put(key, source, options)
        expect([info.size, proxy.struck()]).toEqual([2 * STEP + 100, 1])
        proxy.set(undefined)
        fake.requests.length = 0
        expect(await through.head(key)).toEqual(info)
      }
      expect(fake.uploads.open()).toBe(0)
      await proxy.close()
    })
  })

  describe('credentials', () => {
    async function withAuth(
      work: (fake: GcsFake, openAs: (credentials: GcsCredentials) => MaintainedStore) => Promise<void>,
    ): Promise<void> {
      await using guarded = await startGcsFake({ auth: true })
      await work(guarded, (credentials) => open({ credentials }, guarded))
    }
    it('of a service account: object, file, default; one token for all requests', async () => {
      await withAuth(async (guarded, openAs) => {
        const key = { ...guarded.serviceAccountKey }
        const folder = await mkdtemp(join(tmpdir(), 'gcs-key-'))
        const path = join(folder, 'key.json')
        await writeFile(path, JSON.stringify(key))
        const stores = [openAs({ kind: 'key', key }), openAs({ kind: 'key-file', path })]
        for (const [index, authorised] of stores.entries()) {
          await Promise.all(Array.from({ length: 10 }, (_, item) => put(authorised, `${index}/${item}`, 'x')))
        }
        expect(guarded.tokens.issued()).toBe(2)
        await rm(folder, { recursive: true })
      })
    })
    it('of other kinds go through the client of Google: named, and found by themselves', async () => {
      await withAuth(async (guarded, openAs) => {
        const folder = await mkdtemp(join(tmpdir(), 'gcs-federated-'))
        const [subject, path] = [join(folder, 'subject'), join(folder, 'federated.json')]
        await writeFile(subject, FAKE_SUBJECT_TOKEN)
        await writeFile(path, JSON.stringify(fakeFederatedCredentials(`${guarded.endpoint}/token`, subject)))
        const warned = vi.spyOn(console, 'warn').mockReturnValue()
        await put(openAs({ kind: 'key-file', path }), 'named', 'x')
        expect(warned.mock.calls.flat().join()).toContain('does not validate the credential configuration') // and nothing else
        expect(warned).toHaveBeenCalledTimes(1)
        vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', path)
        await put(openAs({ kind: 'default' }), 'found', 'x')
        expect(warned).toHaveBeenCalledTimes(1)
        expect(guarded.tokens.issued()).toBe(2)
        await writeFile(subject, 'hush-subject')
        for (const credentials of [{ kind: 'default' }, { kind: 'key-file', path }] as const) {
          const fault = await faultOf(openAs(credentials).head('x'))
          expect([fault.kind, fault.code]).toEqual(['denied', 'STORAGE_ACCESS_DENIED'])
          expect(inspect(fault, { depth: 20, showHidden: true })).not.toMatch(/hush|subject_token/)
        }
        vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', join(folder, 'none.json'))
        expect(await codeOf(openAs({ kind: 'default' }).head('x'))).toBe('denied GCS_CREDENTIALS_MISSING')
        await rm(folder, { recursive: true })
      })
    })
    it('that are wrong are denied, with a hint, and nothing secret is told', async () => {
      await withAuth(async (guarded, openAs) => {
        const { privateKey } = generateKeyPairSync('rsa', {
          modulusLength: 2048,
          publicKeyEncoding: { type: 'spki', format: 'pem' },
          privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
        })
        const key = { ...guarded.serviceAccountKey }
        const wrong: readonly (readonly [GcsCredentials, string])[] = [
          [{ kind: 'none' }, 'STORAGE_ACCESS_DENIED'],
          [{ kind: 'key', key: { ...key, private_key: privateKey } }, 'STORAGE_ACCESS_DENIED'],
          [{ kind: 'key', key: { ...key, private_key: 'hush-nonsense' } }, 'GCS_CREDENTIALS_MISSING'],
          [{ kind: 'key', key: { ...key, token_uri: 'hush' } }, 'GCS_CREDENTIALS_MISSING'],
          [{ kind: 'key-file', path: '/nowhere/key.json' }, 'GCS_CREDENTIALS_MISSING'],
        ]
        for (const [credentials, code] of wrong) {
          const fault = await faultOf(openAs(credentials).head('x'))
          expect([fault.kind, fault.code, fault.hint === undefined]).toEqual(['denied', code, false])
          const told = inspect(fault, { depth: 20, showHidden: true })
          for (const secret of ['hush', 'BEGIN PRIVATE', key.private_key.slice(40, 80), 'assertion']) expect(told).not.toContain(secret)
        }
      })
    })
    it('that a clock makes invalid are called that', async () => {
      await withAuth(async (guarded) => {
        const late = open(
          { credentials: { kind: 'key', key: { ...guarded.serviceAccountKey } }, now: () => new Date('2020-01-01') },
          guarded,
        )
        expect(await codeOf(late.head('x'))).toBe('denied STORAGE_CLOCK_SKEWED')
      })
    })
    it('that end in the middle of a run are renewed once', async () => {
      await withAuth(async (guarded, openAs) => {
        const authorised = openAs({ kind: 'key', key: { ...guarded.serviceAccountKey } })
        await put(authorised, 'a', 'x')
        guarded.tokens.revoke()
        await put(authorised, 'b', 'x')
        expect(guarded.tokens.issued()).toBe(2)
        expect(await Array.fromAsync(authorised.list(''), ({ key }) => key)).toEqual(['a', 'b'])
      })
    })
    it('reach only the endpoint, and no fault of an upload tells its session', async () => {
      fake.uploads.keepAtMost = 0
      const fault = await faultOf(open({ chunkBytes: STEP }).put('x', bytesOf(3 * STEP)))
      expect(fault.code).toBe('STORAGE_SERVER_FAILED')
      expect(inspect(fault, { depth: 20, showHidden: true })).not.toMatch(/upload_id/)
      expect(fake.uploads.open()).toBe(0)
    })
  })

  describe('what is missing or refused', () => {
    it('is told apart', async () => {
      await put(store, 'object', 'x')
      const lost = open({ bucket: 'nobucket' })
      for (const work of [
        () => lost.head('x'),
        () => lost.get('x'),
        () => put(lost, 'x', 'y'),
        () => lost.delete(['x']),
        () => Array.fromAsync(lost.list('')),
      ]) {
        const fault = await faultOf(work())
        expect([fault.kind, fault.code, fault.retryable]).toEqual(['unavailable', 'STORAGE_BUCKET_MISSING', false])
      }
      fake.lacking.add('storage.objects.get')
      const fault = await faultOf(store.head('object'))
      expect([fault.kind, fault.code, fault.hint]).toEqual([
        'denied',
        'STORAGE_ACCESS_DENIED',
        expect.stringContaining('storage.objects.get'),
      ])
      expect(await codeOf(store.get('missing'))).toBe('denied STORAGE_ACCESS_DENIED')
    })
    it('a locked object is neither deleted nor replaced', async () => {
      await put(store, 'locked', 'x')
      fake.bucket().retention.set('locked', new Date('2090-01-01T00:00:00Z'))
      for (const work of [() => store.delete(['locked']), () => put(store, 'locked', 'y')]) {
        const fault = await faultOf(work())
        expect([fault.kind, fault.code]).toEqual(['denied', 'STORAGE_RETENTION_LOCKED'])
        expect(lockOf(fault)).toEqual({ until: new Date('2090-01-01T00:00:00Z') })
      }
    })
    it('an answer that is none is not taken for one', async () => {
      await put(store, 'object', '0123456789')
      const proxy = await createFaultProxy({ target: { host: '127.0.0.1', port: fake.port } })
      const through = open({ apiEndpoint: `http://127.0.0.1:${proxy.port}` })
      for (const body of ['[]', 'null', '7', '{"items": 1}', '<html>']) {
        proxy.set({ kind: 'answer', status: 200, body, matching: /^GET .*\/o\?/ })
        expect(await codeOf(Array.fromAsync(through.list('')))).toBe('unavailable STORAGE_SERVER_FAILED')
      }
      // The whole object instead of a range of it.
      proxy.set({ kind: 'answer', status: 200, body: '0123456789', matching: /alt=media/ })
      expect(await codeOf(through.get('object', { range: { start: 2, end: 4 } }))).toBe('unavailable STORAGE_SERVER_FAILED')
      await proxy.close()
    })
    it('a closed store says so', async () => {
      await store[Symbol.asyncDispose]()
      expect(await codeOf(store.head('x'))).toBe('invalid GCS_STORE_CLOSED')
    })
  })

  describe('customer-supplied keys', () => {
    it('are needed for reading, and never told', async () => {
      const key = new Uint8Array(32).fill(65)
      const secret = open({ encryptionKey: key, chunkBytes: STEP })
      await put(secret, 'small', 'text')
      await secret.put('large', bytesOf(3 * STEP))
      await secret.copy('large', 'copy')
      expect((await collect(await secret.get('copy'))).equals(await collect(bytesOf(3 * STEP)))).toBe(true)
      for (const other of [store, open({ encryptionKey: new Uint8Array(32).fill(66) })]) {
        const fault = await faultOf(other.get('small'))
        expect([fault.kind, fault.code, fault.hint]).toEqual([
          'denied',
          'STORAGE_ACCESS_DENIED',
          expect.stringContaining('GCS_ENCRYPTION_KEY'),
        ])
        expect(inspect(fault, { depth: 20, showHidden: true })).not.toContain(Buffer.from(key).toString('base64').slice(0, 20))
      }
    })
  })

  describe('versions', () => {
    it('are all deleted, unless they are to be kept; maintenance shows and removes them', async () => {
      fake.bucket().versioning = true
      const keeping = open({ keepVersions: true })
      for (const text of ['1', '22', '333']) await put(store, 'a/object', text)
      await put(store, 'a/other', 'x')
      await keeping.delete(['a/object'])
      const versions = await Array.fromAsync(store.maintenance.versions('a/'))
      expect(versions.map(({ key, size, latest }) => [key, size, latest])).toEqual([
        ['a/object', 3, false],
        ['a/object', 2, false],
        ['a/object', 1, false],
        ['a/other', 1, true],
      ])
      await store.maintenance.deleteVersions(versions.slice(0, 1))
      expect((await Array.fromAsync(store.maintenance.versions('a/'))).map(({ size }) => size)).toEqual([2, 1, 1])
      await store.delete(['a/object', 'a/other', 'a/never'])
      expect(fake.bucket().all()).toEqual([])
    })
    it('are looked for once in a bucket that keeps none', async () => {
      for (let index = 0; index < 50; index += 1) await put(store, `k/${index}`, 'x')
      fake.requests.length = 0
      await store.delete(Array.from({ length: 50 }, (_, index) => `k/${index}`))
      expect(fake.requests.filter((line) => line.startsWith('DELETE'))).toHaveLength(50)
      expect(fake.requests.filter((line) => line.startsWith('GET'))).toHaveLength(1)
    })
  })

  describe('pieces that WAL-G left', () => {
    it('are objects like any other, and unfinished uploads as well', async () => {
      const names = ['wal_005/1.lz4', 'wal_005/1.lz4_chunks/chunk0', 'wal_005/1.lz4_chunks/chunk1', 'wal_005/1.lz4_chunks/composite0']
      for (const name of [...names, 'wal_005/1.lz4_chunks/other']) await put(store, name, '12345')
      expect(await Array.fromAsync(store.list('wal_005/'), ({ key }) => key)).toEqual([...names, 'wal_005/1.lz4_chunks/other'])
      const [found, ...more] = await Array.fromAsync(store.maintenance.unfinishedUploads('wal_005/'))
      expect([found, more]).toMatchObject([{ key: 'wal_005/1.lz4', id: 'wal_005/1.lz4_chunks/', bytes: 15 }, []])
      if (found !== undefined) await store.maintenance.abandonUpload(found)
      expect(
        fake
          .bucket()
          .all()
          .map(({ name }) => name),
      ).toEqual(['wal_005/1.lz4', 'wal_005/1.lz4_chunks/other'])
      expect(await codeOf(store.maintenance.abandonUpload({ key: 'a', id: 'wal_005/', startedAt: undefined, bytes: undefined }))).toMatch(
        /^invalid/,
      )
    })
  })

  describe('options', () => {
    it.each([
      [{ bucket: 'No_Bucket/x' }],
      [{ encryptionKey: new Uint8Array(31) }],
      [{ apiEndpoint: 'ftp://x' }],
      [{ chunkBytes: 0 }],
      [{ contextTimeoutMs: -1 }],
      [{ piecesPrefix: 'no-slash' }],
    ])('that cannot work are refused: %o', (options) => {
      expect(() => createGcsStore(gcsOptions(fake, options))).toThrow(expect.objectContaining({ code: 'STORAGE_OPTIONS_INVALID' }) as Error)
    })
    it('names the project that pays', async () => {
      await put(open({ userProject: 'payer' }), 'x', 'y')
      expect(fake.requests.every((line) => line.includes('userProject=payer'))).toBe(true)
    })
    it('bounds the time of an operation as a whole, but not of reads', async () => {
      await put(store, 'object', 'text')
      const hasty = open({ contextTimeoutMs: 50 })
      const hang = (async function* (): AsyncGenerator<Uint8Array> {
        yield new Uint8Array(10)
        await new Promise(() => undefined)
      })()
      const fault = await faultOf(hasty.put('late', hang))
      expect([fault.kind, fault.code, fault.retryable]).toEqual(['unavailable', 'GCS_TIMED_OUT', false])
      const body = await hasty.get('object')
      await new Promise((resolve) => setTimeout(resolve, 100))
      expect((await collect(body)).toString()).toBe('text')
    })
  })

  describe('memory and loading', () => {
    it('a large upload holds two pieces at most', async () => {
      const budget = createByteBudget(64 * STEP)
      let [held, most] = [0, 0]
      const counted: ByteBudget = {
        maxBytes: budget.maxBytes,
        async acquire(bytes, signal) {
          const grant = await budget.acquire(bytes, signal)
          held += bytes
          most = Math.max(most, held)
          return {
            bytes,
            release() {
              held -= bytes
              grant.release()
            },
          }
        },
      }
      const bounded = open({ budget: counted, chunkBytes: 4 * STEP })
      await bounded.put('large', bytesOf(40 * 2 ** 20))
      expect([most <= 3 * 4 * STEP, held]).toEqual([true, 0])
      let bytes = 0
      for await (const chunk of await bounded.get('large')) bytes += chunk.length
      expect(bytes).toBe(40 * 2 ** 20)
    }, 60_000)
  })
})

describe('pieces in parallel', () => {
  beforeAll(() => {
    engine = 'requests'
  })
  it('in parallel compose more pieces than fit in one request, and leave none', async () => {
    const small = open({ chunkBytes: STEP, pieceConcurrency: 8 })
    const size = 70 * STEP + 3
    await small.put('deep', bytesOf(size))
    expect(fake.requests.filter((line) => line.includes('/compose'))).toHaveLength(4)
    expect(
      fake
        .bucket()
        .all()
        .map(({ name, componentCount }) => [name, componentCount]),
    ).toEqual([['deep', 71]])
    expect((await collect(await small.get('deep'))).equals(await collect(bytesOf(size)))).toBe(true)
  })
  it('with a condition are never made of pieces', async () => {
    await open({ chunkBytes: STEP, pieceConcurrency: 8 }).put('once', bytesOf(5 * STEP), { onlyIfAbsent: true })
    expect(fake.requests.some((line) => line.includes('compose'))).toBe(false)
  })
  it('tell of pieces that may not be deleted, which maintenance then shows', async () => {
    const left: string[] = []
    const writer = open({ chunkBytes: STEP, pieceConcurrency: 2, onLeftover: ({ key }) => void left.push(key) })
    fake.lacking.add('storage.objects.delete')
    await writer.put('kept/object', bytesOf(3 * STEP))
    expect(left).toEqual(['kept/object'])
    expect(await Array.fromAsync(writer.list(''), ({ key }) => key)).toEqual(['kept/object'])
    expect(await Array.fromAsync(writer.listGroups(''))).toEqual(['kept/'])
    fake.lacking.clear()
    const found = await Array.fromAsync(writer.maintenance.unfinishedUploads('kept/'))
    expect(found).toMatchObject([{ key: 'kept/object', bytes: 3 * STEP }])
    expect(await Array.fromAsync(writer.maintenance.unfinishedUploads('elsewhere/'))).toEqual([])
    for (const upload of found) await writer.maintenance.abandonUpload(upload)
    expect(
      fake
        .bucket()
        .all()
        .map(({ name }) => name),
    ).toEqual(['kept/object'])
  })
  it('are refused for the client of Google', () => {
    expect(() => open({ engine: 'google-cloud', pieceConcurrency: 2 })).toThrow(
      expect.objectContaining({ code: 'STORAGE_OPTIONS_INVALID' }) as Error,
    )
  })
})

describe('loading', () => {
  it('importing and creating a store load no client of Google', () => {
    const script = `
      import { registerHooks } from 'node:module'
      const loaded = []
      registerHooks({ resolve: (name, context, next) => { const found = next(name, context); loaded.push(found.url); return found } })
      const { createGcsStore } = await import('@waltz/storage-gcs')
      createGcsStore({ bucket: 'bucket', budget: { maxBytes: 1e8 }, retry: {} })
      console.log(loaded.some((url) => url.includes('/storage-gcs/')), loaded.filter((url) => /node_modules\\/(?:@google|google|gaxios|@node-rs)/.test(url)).length)`
    const cwd = new URL('..', import.meta.url)
    const output = execFileSync(process.execPath, ['--conditions=source', '--input-type=module', '-e', script], { cwd, encoding: 'utf8' })
    expect(output).toBe('true 0\n')
  })
})
