import { describe, expect, it } from 'vitest'
import { sourceOf } from '@waltz/bytes'
import { lockOf } from '@waltz/storage'
import { sharedServer, signedS3Request } from '@waltz/testkit'
import { createS3Store } from '../../src/index.ts'
import { faultOf } from '../support/fault-of.ts'
import { radosgwOptions } from '../support/radosgw.ts'

const radosgw = await sharedServer('radosgw')
const text = (words: string): AsyncIterable<Uint8Array> => sourceOf(new TextEncoder().encode(words))
const DAY_MS = 86_400_000

describe.skipIf(radosgw.missing !== undefined)(`objects under a lock on ${radosgw.title}`, () => {
  it.each(['requests', 'aws-sdk'] as const)('a refused deletion tells when the lock ends (%s)', async (engine) => {
    const bucket = await radosgw.server.createBucket({ objectLock: true })
    const now = new Date()
    const options = { ...radosgwOptions(radosgw.server, bucket), engine, now: () => now }
    const until = new Date(now.getTime() + DAY_MS)
    await using store = createS3Store({ ...options, objectLock: { mode: 'GOVERNANCE', periodMs: DAY_MS } })
    await using plain = createS3Store(options)
    for (const key of ['locked', 'twice', 'twice']) await store.put(key, text(key))
    for (const key of ['free', 'other']) await plain.put(key, text(key))

    // The second has two versions: they go in one request, whose answer says no more than AccessDenied.
    for (const key of ['locked', 'twice']) {
      const fault = await faultOf(store.delete([key]))
      expect([fault.kind, fault.code, fault.retryable]).toEqual(['denied', 'STORAGE_RETENTION_LOCKED', false])
      const end = lockOf(fault)?.until
      expect(Math.abs((end?.getTime() ?? 0) - until.getTime())).toBeLessThan(1000)
      expect(fault.message).toContain(`locked until ${end?.toISOString()}`)
      expect((await store.head(key)).size).toBe(key.length)
    }
    const fault = await faultOf(store.delete(['free', 'locked', 'other']))
    expect(lockOf(fault)?.until?.toISOString().slice(0, 16)).toBe(until.toISOString().slice(0, 16))
    expect((await Array.fromAsync(store.list(''))).map(({ key }) => key)).toEqual(['locked', 'twice'])
  })

  it('a hold has no end, and is called a hold', async () => {
    const bucket = await radosgw.server.createBucket({ objectLock: true })
    await using store = createS3Store(radosgwOptions(radosgw.server, bucket))
    const headers = { 'x-amz-object-lock-legal-hold': 'ON' }
    await signedS3Request(radosgw.server, { method: 'PUT', path: `/${bucket}/held`, body: 'x', headers })
    const fault = await faultOf(store.delete(['held']))
    expect([fault.code, lockOf(fault)]).toEqual(['STORAGE_RETENTION_LOCKED', { held: true }])
    expect([fault.message, fault.hint]).toEqual([expect.stringContaining('under a hold'), 'have the hold lifted'])
  })

  it('a missing right is not taken for a lock', async () => {
    const bucket = await radosgw.server.createBucket({ objectLock: true })
    const { server } = radosgw
    await using owner = createS3Store(radosgwOptions(server, bucket))
    await owner.put('a', text('a'))
    await owner.put('b', text('b'))
    const resource = [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`]
    const statement = { Effect: 'Allow', Principal: { AWS: [server.other.userArn] }, Action: ['s3:Get*', 's3:List*'], Resource: resource }
    const body = JSON.stringify({ Version: '2012-10-17', Statement: [statement] })
    await signedS3Request(server, { method: 'PUT', path: `/${bucket}`, query: { policy: '' }, body })
    const credentials = { kind: 'static', ...server.other } as const
    await using other = createS3Store({ ...radosgwOptions(server, bucket), credentials })
    for (const keys of [['a'], ['a', 'b']]) expect((await faultOf(other.delete(keys))).code).toBe('STORAGE_ACCESS_DENIED')
  })
})
