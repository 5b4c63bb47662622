import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { afterEach, describe, expect, it } from 'vitest'
import { readAll, sourceOf } from '@waltz/bytes'
import { createS3Store } from '../src/index.ts'
import { startFakeS3, type FakeS3 } from './support/fake-s3.ts'
import { networkOptions } from './support/options.ts'

const NOTE = 'waltz-crc32'
const BYTES = Buffer.alloc(100_000, 'some bytes ')
const open: AsyncDisposable[] = []
afterEach(async () => {
  for (const item of open.splice(0)) await item[Symbol.asyncDispose]()
})

/** A server that has MD5 only, with one object on it. */
async function stored(bytes: Buffer): Promise<{ fake: FakeS3; read: () => Promise<string> }> {
  const fake = await startFakeS3({ refusesCrc: true })
  const store = createS3Store({
    ...networkOptions(),
    bucket: 'bucket',
    endpoint: fake.endpoint,
    pathStyle: true,
    provider: 'ceph',
    credentials: { kind: 'static', accessKeyId: 'key', secretAccessKey: 'secret' },
  })
  open.push(store, { [Symbol.asyncDispose]: () => fake.close() })
  await store.put('object', sourceOf(bytes))
  const read = async (): Promise<string> =>
    readAll(await store.get('object'), 2 ** 20).then(
      (found) => (Buffer.from(found).equals(bytes) ? 'the bytes' : 'other bytes'),
      (error: unknown) => (error as { readonly code: string }).code,
    )
  return { fake, read }
}

function change(fake: FakeS3, next: Partial<{ bytes: Buffer; etag: string; meta: Readonly<Record<string, string>> }>): void {
  const found = fake.objects.get('object')
  if (found !== undefined) fake.objects.set('object', { ...found, ...next })
}

function flipped(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes)
  copy[50_000] = (copy[50_000] ?? 0) ^ 1
  return copy
}

describe('the CRC noted beside an object', () => {
  it('is that of the bytes, with the MD5 that says so', async () => {
    const { fake, read } = await stored(BYTES)
    const crc = Buffer.alloc(4)
    crc.writeUInt32BE(crc32(BYTES))
    const md5 = createHash('md5').update(BYTES).digest('hex')
    expect(fake.objects.get('object')?.meta[NOTE]).toBe(`${md5}:${crc.toString('base64')}`)
    expect(await read()).toBe('the bytes')
  })

  it('finds a bit that was flipped', async () => {
    const { fake, read } = await stored(BYTES)
    change(fake, { bytes: flipped(BYTES) })
    expect(await read()).toBe('STORAGE_CHECKSUM_MISMATCH')
  })

  it('is what is checked, not the etag', async () => {
    const { fake, read } = await stored(BYTES)
    const wrong = createHash('md5').update('other').digest('hex')
    const [, crc = ''] = (fake.objects.get('object')?.meta[NOTE] ?? '').split(':')
    change(fake, { etag: wrong, meta: { [NOTE]: `${wrong}:${crc}` } })
    expect(await read()).toBe('the bytes')
  })

  it('does not count for bytes that replaced those it was made from', async () => {
    const { fake, read } = await stored(BYTES)
    const { meta = {} } = fake.objects.get('object') ?? {}
    const later = flipped(BYTES)
    change(fake, { bytes: later, etag: createHash('md5').update(later).digest('hex'), meta })
    expect(await read()).toBe('other bytes')
  })

  it.each(['', 'nonsense', ':'])('does not count when it reads "%s"', async (note) => {
    const { fake, read } = await stored(BYTES)
    const md5 = createHash('md5').update(BYTES).digest('hex')
    change(fake, { meta: { [NOTE]: note === ':' ? `${md5}:` : note }, bytes: flipped(BYTES) })
    expect(await read()).toBe('STORAGE_CHECKSUM_MISMATCH')
  })

  it('is spared small objects', async () => {
    const { fake, read } = await stored(BYTES.subarray(0, 65_535))
    expect(fake.objects.get('object')?.meta).toEqual({})
    expect(await read()).toBe('the bytes')
  })
})
