import { afterEach, describe, expect, it } from 'vitest'
import { readAll, sourceOf } from '@waltz/bytes'
import { isFault } from '@waltz/errors'
import type { MaintainedStore } from '@waltz/storage'
import { createS3Store, s3Providers, type S3ProviderName, type S3StoreOptions } from '../src/index.ts'
import { createProviderKnowledge, providerOfAnswer, providerOfHost } from '../src/providers.ts'
import { startFakeS3, type FakeManners, type FakeS3 } from './support/fake-s3.ts'
import { networkOptions } from './support/options.ts'

const PART_BYTES = 5 * 2 ** 20
const open: (FakeS3 | MaintainedStore)[] = []
afterEach(async () => {
  for (const item of open.splice(0)) await ('close' in item ? item.close() : item[Symbol.asyncDispose]())
})

async function start(manners: FakeManners, options: Partial<S3StoreOptions> = {}): Promise<{ fake: FakeS3; store: MaintainedStore }> {
  const fake = await startFakeS3(manners)
  const store = createS3Store({
    ...networkOptions(),
    bucket: 'bucket',
    endpoint: fake.endpoint,
    pathStyle: true,
    credentials: { kind: 'static', accessKeyId: 'key', secretAccessKey: 'secret' },
    partBytes: PART_BYTES,
    ...options,
  })
  open.push(store, fake)
  return { fake, store }
}

const bytes = (text: string): AsyncIterable<Uint8Array> => sourceOf(new TextEncoder().encode(text))
const faultOf = async (promise: Promise<unknown>): Promise<string> => {
  const error = await promise.then(
    () => 'no failure',
    (failure: unknown) => failure,
  )
  return isFault(error) ? `${error.kind} ${error.code}` : String(error)
}

/** A server that behaves like the row. */
function mannersOf(name: S3ProviderName): FakeManners {
  const row = s3Providers[name]
  return {
    createOnly: row.createOnlyWhole === 'no' ? 'ignores' : 'heeds',
    createOnlyMultipart: row.createOnlyMultipart === 'yes' ? 'heeds' : 'ignores',
    ifMatch: row.ifMatch === 'no' ? 'ignores' : row.unquotedIfMatch ? 'unquoted' : 'quoted',
    bulkDelete: row.bulkDelete,
    bulkDeleteMd5: row.bulkDeleteMd5,
    listV2: row.listV2,
    refusesCrc: !row.crc,
  }
}

describe.each(Object.keys(s3Providers) as S3ProviderName[])('row %s', (name) => {
  const row = s3Providers[name]

  it('stores, reads, lists and deletes on a server like that', async () => {
    const { fake, store } = await start(mannersOf(name), { provider: name, pageSize: 2 })
    for (const key of ['a', 'b/c', 'd']) await store.put(key, bytes(key))
    const keys: string[] = []
    for await (const info of store.list('')) keys.push(info.key)
    expect(keys).toEqual(['a', 'b/c', 'd'])
    expect(Buffer.from(await readAll(await store.get('b/c'), 100)).toString()).toBe('b/c')
    const large = Buffer.alloc(PART_BYTES + 3, 7)
    expect((await store.put('large', sourceOf(large))).size).toBe(large.length)
    expect(fake.objects.get('large')?.bytes.equals(large)).toBe(true)
    await store.delete(['a', 'b/c', 'd', 'large'])
    expect([...fake.objects.keys()]).toEqual([])
    expect(fake.requests.some(({ headers }) => headers['x-amz-checksum-crc32'] !== undefined)).toBe(row.crc)
  })

  it('creates only what is not there, or says that it cannot', async () => {
    const { fake, store } = await start(mannersOf(name), { provider: name })
    for (const size of [3, PART_BYTES + 3]) {
      const key = `object-${size}`
      const put = (fill: number): Promise<unknown> => store.put(key, sourceOf(Buffer.alloc(size, fill)), { onlyIfAbsent: true })
      if (row.createOnlyWhole === 'no') {
        expect(store.capabilities.conditionalPut).toBe(false)
        expect(await faultOf(put(1))).toBe('unsupported STORAGE_CONDITIONAL_PUT_UNSUPPORTED')
        continue
      }
      const outcomes = await Promise.all([faultOf(put(1)), faultOf(put(2))])
      expect(outcomes.toSorted()).toEqual(['already-exists STORAGE_ALREADY_EXISTS', 'no failure'])
      expect(await faultOf(put(3))).toBe('already-exists STORAGE_ALREADY_EXISTS')
      expect(fake.objects.get(key)?.bytes[0]).toBe(outcomes.indexOf('no failure') + 1)
    }
    expect([...fake.objects.keys()].filter((key) => key.includes('waltz'))).toEqual([])
    expect(fake.uploads.size).toBe(0)
  })

  it('replaces a certain object, or says that it cannot', async () => {
    const { fake, store } = await start(mannersOf(name), { provider: name })
    const { etag = '' } = await store.put('object', bytes('first'))
    const replaced = await faultOf(store.put('object', bytes('second'), { ifMatch: etag }))
    const stale = await faultOf(store.put('object', bytes('third'), { ifMatch: etag }))
    const unsupported = 'unsupported STORAGE_CONDITIONAL_PUT_UNSUPPORTED'
    const expected = row.ifMatch === 'no' ? [unsupported, unsupported] : ['no failure', 'conflict STORAGE_OBJECT_REPLACED']
    expect([replaced, stale]).toEqual(expected)
    expect(fake.objects.get('object')?.bytes.toString()).toBe(row.ifMatch === 'no' ? 'first' : 'second')
    expect(fake.objects.size).toBe(1)
  })
})

describe('a provider that nobody knows', () => {
  it('that heeds the condition is proven once', async () => {
    const { fake, store } = await start({ createOnly: 'heeds' })
    await store.put('first', bytes('x'), { onlyIfAbsent: true })
    const probing = fake.requests.length
    await store.put('second', bytes('y'), { onlyIfAbsent: true })
    expect(fake.requests.slice(probing).map(({ line }) => line.split(' ')[0])).toEqual(['PUT', 'HEAD'])
  })

  it.each(['ignores', 'refuses'] as const)('that %s the condition is found out, and nothing stays', async (createOnly) => {
    const { fake, store } = await start({ createOnly })
    expect(await faultOf(store.put('object', bytes('x'), { onlyIfAbsent: true }))).toBe('unsupported STORAGE_CONDITIONAL_PUT_UNSUPPORTED')
    expect(fake.objects.size).toBe(0)
    expect(store.capabilities.conditionalPut).toBe(false)
    expect(store.capabilities.conditionalMultipart).toBe('none')
  })

  it('that ignores If-Match is found out before anything is replaced', async () => {
    const { fake, store } = await start({ ifMatch: 'ignores' })
    await store.put('object', bytes('first'))
    expect(await faultOf(store.put('object', bytes('x'), { ifMatch: 'stale' }))).toBe('unsupported STORAGE_CONDITIONAL_PUT_UNSUPPORTED')
    expect([...fake.objects].map(([key, { bytes: stored }]) => `${key} ${stored.toString()}`)).toEqual(['object first'])
  })

  it('that takes no bulk deletions is asked once', async () => {
    const { fake, store } = await start({ bulkDelete: false })
    for (const round of [1, 2]) {
      for (const key of ['a', 'b']) await store.put(key, bytes(String(round)))
      await store.delete(['a', 'b'])
    }
    expect(fake.objects.size).toBe(0)
    expect(fake.requests.filter(({ line }) => line.includes('?delete')).length).toBe(1)
  })

  it('whose etags are no MD5s is believed', async () => {
    const { store } = await start({ md5Etags: false })
    await store.put('object', bytes('x'))
    expect(Buffer.from(await readAll(await store.get('object'), 10)).toString()).toBe('x')
  })

  it.each([
    [{ server: 'AmazonS3' }, 'aws'],
    [{ server: 'MinIO' }, 'minio'],
    [{ 'x-amz-request-id': 'tx000004870889f86726d81-006b016d0f-101c-default' }, 'ceph'],
    [{ 'x-trans-id': 'tx000004870889f86726d81-006b016d0f' }, 'swift'],
    [{ server: 'nginx' }, undefined],
  ])('may be told by its answers: %j', (headers, name) => {
    expect(providerOfAnswer(headers as Record<string, string>)).toBe(name)
    const knowledge = createProviderKnowledge(undefined, 'storage.example.org')
    knowledge.learnFrom(headers as Record<string, string>)
    expect(knowledge.name).toBe(name ?? 'unknown')
  })

  it.each([
    ['s3.eu-west-1.amazonaws.com', 'aws'],
    ['account.r2.cloudflarestorage.com', 'r2'],
    ['s3.us-west-004.backblazeb2.com', 'b2'],
    ['s3.wasabisys.com', 'wasabi'],
    ['storage.googleapis.com', 'gcs'],
    ['s3.oss-cn-hangzhou.aliyuncs.com', 'oss'],
    ['storage.yandexcloud.net', 'yandex'],
    ['ams3.digitaloceanspaces.com', 'digitalocean'],
    ['amazonaws.com.example.org', undefined],
  ])('may be told by its host: %s', (host, name) => {
    expect(providerOfHost(host)).toBe(name)
  })
})
