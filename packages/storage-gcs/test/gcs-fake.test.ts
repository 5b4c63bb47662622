import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Storage, type Bucket } from '@google-cloud/storage'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { FAKE_SUBJECT_TOKEN, fakeFederatedCredentials, startGcsFake, type GcsFake } from '@waltz/testkit'

const MIB = 2 ** 20

/** The fake is worth something only as far as Google's own client cannot tell it from the service. */
describe("the fake, used by Google's own client", () => {
  let fake: GcsFake
  let storage: Storage
  let bucket: Bucket
  beforeAll(async () => {
    fake = await startGcsFake({ pageItems: 3 })
    storage = new Storage({
      apiEndpoint: fake.endpoint,
      projectId: 'fake',
      useAuthWithCustomEndpoint: false, // its resumable uploads never authenticate at an endpoint of one's own
      retryOptions: { autoRetry: false },
    })
    bucket = storage.bucket('bucket')
  })
  afterAll(() => fake.stop())

  const codeOf = (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      () => 'fine',
      (error: unknown) => (error as { readonly code?: unknown }).code,
    )

  it('takes a small object in one request and gives it back validated', async () => {
    await bucket.file('a/small').save('hello', { resumable: false, validation: 'crc32c', metadata: { metadata: { colour: 'red' } } })
    const [content] = await bucket.file('a/small').download({ validation: 'crc32c' })
    expect(content.toString()).toBe('hello')
    const [metadata] = await bucket.file('a/small').getMetadata()
    expect(metadata).toMatchObject({ name: 'a/small', size: '5', metadata: { colour: 'red' } })
  })
  it('refuses bytes that do not fit the checksum', async () => {
    const file = bucket.file('a/damaged')
    expect(await codeOf(file.save('hello', { resumable: false, metadata: { crc32c: 'AAAAAA==' } }))).toBe(400)
    expect(await file.exists()).toEqual([false])
  })
  it.each([
    ['in one piece', {}],
    ['in chunks', { chunkSize: 2 * MIB }],
  ] as const)('takes a resumable upload %s', async (name, options) => {
    const bytes = randomBytes(7 * MIB + 12_345)
    const source = Readable.from(Array.from({ length: 8 }, (_, index) => bytes.subarray(index * MIB, (index + 1) * MIB)))
    const file = bucket.file(`big ${name}`)
    await pipeline(source, file.createWriteStream({ resumable: true, validation: 'crc32c', ...options }))
    const [content] = await file.download({ validation: 'crc32c' })
    expect(content.equals(bytes)).toBe(true)
    const [part] = await file.download({ start: 1000, end: 1999 })
    expect(part.equals(bytes.subarray(1000, 2000))).toBe(true)
  })
  it('goes on where less than everything was kept', async () => {
    const bytes = randomBytes(3 * MIB)
    fake.uploads.keepAtMost = 700_000
    // The client gives up where less than the very last piece is kept.
    const all = (async () => {
      while (fake.requests.filter((line) => line.includes('upload_id=')).length < 2) await setTimeout(1)
      fake.uploads.keepAtMost = Number.POSITIVE_INFINITY
    })()
    fake.requests.length = 0
    await bucket.file('kept in part').save(bytes, { resumable: true, validation: 'crc32c', chunkSize: MIB })
    await all
    const [content] = await bucket.file('kept in part').download()
    expect(content.equals(bytes)).toBe(true)
  })
  it('keeps conditions on generations', async () => {
    const once = bucket.file('once')
    const save = (generation: number | string, resumable: boolean): Promise<unknown> =>
      codeOf(once.save('x', { resumable, preconditionOpts: { ifGenerationMatch: generation } }))
    expect(await save(0, false)).toBe('fine')
    expect(await save(0, false)).toBe(412)
    expect(await save(0, true)).toBe(412)
    const [{ generation = '' }] = await once.getMetadata()
    expect(await save(generation, false)).toBe('fine')
    expect(await save(generation, false)).toBe(412)
  })
  it('lists in the order of bytes, in pages, by folders, from an offset', async () => {
    for (const name of ['l/b', 'l/a/1', 'l/a/2', 'l/a-', 'l/é', 'l/😀', 'l/\uFFFD', 'l/Z'])
      await bucket.file(name).save(name, { resumable: false })
    const names = async (query: object): Promise<string[]> => (await bucket.getFiles({ prefix: 'l/', ...query }))[0].map(({ name }) => name)
    expect(await names({})).toEqual(['l/Z', 'l/a-', 'l/a/1', 'l/a/2', 'l/b', 'l/é', 'l/\uFFFD', 'l/😀'])
    expect(await names({ startOffset: 'l/a/2' })).toEqual(['l/a/2', 'l/b', 'l/é', 'l/\uFFFD', 'l/😀'])
    const [, , answer] = await bucket.getFiles({ prefix: 'l/', delimiter: '/', autoPaginate: false })
    expect(answer).toMatchObject({ prefixes: ['l/a/'] })
  })
  it('says what is missing, and whose right is', async () => {
    const failure = async (work: Promise<unknown>): Promise<unknown> => await work.catch((error: unknown) => error)
    expect(await failure(bucket.file('none').download())).toMatchObject({ code: 404 })
    expect(await failure(bucket.file('none').getMetadata())).toMatchObject({ code: 404, message: 'No such object: bucket/none' })
    expect(await failure(storage.bucket('other').getFiles())).toMatchObject({ code: 404, message: 'The specified bucket does not exist.' })
    fake.lacking.add('storage.objects.delete')
    expect(await failure(bucket.file('once').delete())).toMatchObject({ code: 403 })
    fake.lacking.clear()
    await bucket.file('once').delete()
    expect(await failure(bucket.file('once').delete())).toMatchObject({ code: 404 })
  })
  it('composes, copies and keeps versions', async () => {
    await bucket.file('p/1').save(Buffer.alloc(300_000, 1), { resumable: false })
    await bucket.file('p/2').save(Buffer.alloc(10, 2), { resumable: false })
    await bucket.combine([bucket.file('p/1'), bucket.file('p/2')], bucket.file('p/whole'))
    await bucket.file('p/whole').copy(bucket.file('p/copy'))
    const [content] = await bucket.file('p/copy').download({ validation: 'crc32c' })
    expect(content.equals(Buffer.concat([Buffer.alloc(300_000, 1), Buffer.alloc(10, 2)]))).toBe(true)
    fake.bucket().versioning = true
    await bucket.file('p/2').save('newer', { resumable: false })
    await bucket.file('p/2').delete()
    fake.bucket().versioning = false
    const [versions] = await bucket.getFiles({ prefix: 'p/2', versions: true })
    expect(versions.map(({ metadata }) => [metadata.size, metadata.timeDeleted !== undefined])).toEqual([
      ['10', true],
      ['5', true],
    ])
    expect((await bucket.getFiles({ prefix: 'p/2' }))[0]).toEqual([])
  })
  it('wants the key of what was stored under one', async () => {
    const [key, other] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)]
    await bucket.file('secret', { encryptionKey: key }).save('told', { resumable: false })
    await bucket.file('secret', { encryptionKey: key }).save('told again', { resumable: true })
    const [content] = await bucket.file('secret', { encryptionKey: key }).download()
    expect(content.toString()).toBe('told again')
    expect(await codeOf(bucket.file('secret').download())).toBe(400)
    expect(await codeOf(bucket.file('secret', { encryptionKey: other }).download())).toBe(400)
  })
  it('gives out tokens, and accepts no other', async () => {
    await using guarded = await startGcsFake({ auth: true })
    const folder = await mkdtemp(join(tmpdir(), 'gcs-fake-'))
    const subject = join(folder, 'subject')
    await writeFile(subject, FAKE_SUBJECT_TOKEN)
    vi.spyOn(console, 'warn').mockReturnValue()
    const federated = new Storage({
      apiEndpoint: guarded.endpoint,
      projectId: 'fake',
      credentials: fakeFederatedCredentials(`${guarded.endpoint}/token`, subject),
      useAuthWithCustomEndpoint: true,
    })
    expect((await federated.bucket('bucket').getFiles())[0]).toEqual([])
    expect(guarded.tokens.issued()).toBe(1)
    await rm(folder, { recursive: true })
    for (const authorization of ['Bearer made-up', '']) {
      const answer = await fetch(`${guarded.endpoint}/storage/v1/b/bucket/o`, { headers: { authorization } })
      expect([answer.status, await answer.json()]).toMatchObject([401, { error: { errors: [{ reason: 'authError' }] } }])
    }
  })
})
