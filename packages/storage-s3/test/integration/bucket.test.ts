import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { sourceOf } from '@waltz/bytes'
import type { Fault } from '@waltz/errors'
import type { MaintainedStore } from '@waltz/storage'
import { sharedServer, signedS3Request } from '@waltz/testkit'
import { createS3Store } from '../../src/index.ts'
import { claimKey } from '../../src/hidden-keys.ts'
import { faultOf } from '../support/fault-of.ts'
import { PART_BYTES, radosgwOptions, radosgwStore } from '../support/radosgw.ts'

const radosgw = await sharedServer('radosgw')
const large = (fill: number): AsyncIterable<Uint8Array> => sourceOf(Buffer.alloc(PART_BYTES + 9, fill))
const text = (words: string): AsyncIterable<Uint8Array> => sourceOf(new TextEncoder().encode(words))

async function calls(store: MaintainedStore): Promise<readonly Fault[]> {
  const list = async (): Promise<void> => {
    for await (const _ of store.list('')) break
  }
  return Promise.all([
    faultOf(store.head('x')),
    faultOf(store.get('x')),
    faultOf(store.put('x', text('y'))),
    faultOf(store.put('x', large(1))),
    faultOf(store.delete(['x', 'y'])),
    faultOf(list()),
    faultOf(store.copy('x', 'y')),
  ])
}

describe.skipIf(radosgw.missing !== undefined)(`buckets of S3 on ${radosgw.title}`, () => {
  it('a wrong secret, an unknown key and a missing bucket are what they are, and tell no secret', async () => {
    const bucket = await radosgw.server.createBucket()
    const options = radosgwOptions(radosgw.server, bucket)
    const wrong = { kind: 'static', accessKeyId: radosgw.server.accessKeyId, secretAccessKey: 'wrong/secret+words' } as const
    const token = { ...wrong, accessKeyId: 'NOBODY', sessionToken: 'a-token-to-keep' } as const
    const headers = { 'x-own': 'own-secret-header' }
    for (const [changed, expected] of [
      [{ credentials: wrong }, 'denied STORAGE_ACCESS_DENIED'],
      [{ credentials: token, requestHeaders: headers }, 'denied STORAGE_ACCESS_DENIED'],
      [{ bucket: 'no-such-bucket-at-all', requestHeaders: headers }, 'unavailable STORAGE_BUCKET_MISSING'],
    ] as const) {
      const store = createS3Store({ ...options, ...changed })
      const faults = await calls(store)
      await store[Symbol.asyncDispose]()
      expect(faults.map(({ kind, code }) => `${kind} ${code}`)).toEqual(faults.map(() => expected))
      expect(faults.every(({ hint, retryable }) => hint !== undefined && !retryable)).toBe(true)
      const all = inspect(faults, { depth: 20, showHidden: true })
      expect(all).not.toMatch(/wrong\/secret|a-token-to-keep|own-secret-header|testsecret|Signature=|AWS4-HMAC/)
    }
  })

  it('a versioned bucket: all versions go, unless markers are left', async () => {
    const bucket = await radosgw.server.createBucket()
    const options = { ...radosgwOptions(radosgw.server, bucket), pageSize: 3 }
    const body =
      '<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Enabled</Status></VersioningConfiguration>'
    await signedS3Request(radosgw.server, { method: 'PUT', path: `/${bucket}`, query: { versioning: '' }, body })
    const store = createS3Store(options)
    const leaving = createS3Store({ ...options, leaveMarkers: true })
    const keys = ['a/1', 'a/2', 'a/3', 'b 1', 'c+ü']
    for (const round of [1, 2]) for (const key of [...keys, 'other', 'a/20']) await store.put(key, text(`${round}`))
    await leaving.delete(['a/1', 'a/2'])
    const versions = await Array.fromAsync(store.maintenance.versions(''))
    expect(versions.filter(({ key }) => key === 'a/1').map(({ deleteMarker, latest }) => [deleteMarker, latest])).toEqual([
      [true, true],
      [false, false],
      [false, false],
    ])
    expect(versions.length).toBe(16)
    await store.delete(keys)
    const left = await Array.fromAsync(store.maintenance.versions(''))
    expect(left.map(({ key }) => key)).toEqual(['a/20', 'a/20', 'other', 'other'])
    await store.maintenance.deleteVersions(left)
    expect(await Array.fromAsync(store.maintenance.versions(''))).toEqual([])
    await Promise.all([store, leaving].map((one) => one[Symbol.asyncDispose]()))
  })

  it('storage class, encryption, tags, headers and ACL go along, whole and in parts', async () => {
    const bucket = await radosgw.server.createBucket()
    for (const changed of [
      { storageClass: 'STANDARD_IA', tags: { team: 'a b&c' }, acl: 'private', requestHeaders: { 'x-own': '1' } },
      { encryption: { kind: 'AES256' } },
      { encryption: { kind: 'aws:kms', keyId: 'testkey-1' } },
      { encryption: { kind: 'customer', key: '0123456789abcdef0123456789abcdef' } },
    ] as const) {
      const store = createS3Store({ ...radosgwOptions(radosgw.server, bucket), ...changed })
      for (const body of [text('small'), large(5)]) {
        const { size } = await store.put('object', body)
        let bytes = 0
        for await (const chunk of await store.get('object')) bytes += chunk.length
        expect(bytes).toBe(size)
      }
      // This server copies nothing that is encrypted.
      const encrypted = 'encryption' in changed && changed.encryption.kind !== 'AES256'
      if (encrypted) expect((await faultOf(store.copy('object', 'copy'))).code).toBe('STORAGE_COPY_UNSUPPORTED')
      else await store.copy('object', 'copy')
      await store[Symbol.asyncDispose]()
    }
    const plain = createS3Store(radosgwOptions(radosgw.server, bucket))
    expect((await faultOf(plain.head('object'))).kind).not.toBe('not-found') // the customer's key is missing
    await plain[Symbol.asyncDispose]()
  })

  it('claims: a living one is respected, an old one taken over, one that was left can be found', async () => {
    const bucket = await radosgw.server.createBucket()
    const options = radosgwOptions(radosgw.server, bucket)
    const store = createS3Store(options)
    const name = `/${bucket}/${claimKey('object')}`
    await signedS3Request(radosgw.server, { method: 'PUT', path: name, body: 'somebody' })
    expect((await faultOf(store.put('object', large(1), { onlyIfAbsent: true }))).hint).toContain(claimKey('object'))
    expect((await faultOf(store.head(claimKey('object')))).kind).toBe('not-found')
    expect((await Array.fromAsync(store.list(''))).length).toBe(0)
    const [left] = await Array.fromAsync(store.maintenance.unfinishedUploads(''))
    expect(left?.key).toBe(claimKey('object'))
    // The SDK signs with the clock of the machine: a signature of tomorrow would be refused.
    const later = createS3Store({ ...options, engine: 'aws-sdk', now: () => new Date(Date.now() + 25 * 3_600_000) })
    await later.put('object', large(2), { onlyIfAbsent: true })
    expect(await Array.fromAsync(store.maintenance.unfinishedUploads(''))).toEqual([])
    await Promise.all([store, later].map((one) => one[Symbol.asyncDispose]()))
  })

  it('a copy of a large object goes in parts', async () => {
    const store = await radosgwStore(radosgw.server, { provider: { name: 'ceph', quirks: { maxCopyBytes: PART_BYTES } } })
    await store.put('from', large(3))
    await store.copy('from', 'to +ü')
    expect((await store.head('to +ü')).size).toBe(PART_BYTES + 9)
    expect(await Array.fromAsync(store.maintenance.unfinishedUploads(''))).toEqual([])
    await store[Symbol.asyncDispose]()
  })
})
