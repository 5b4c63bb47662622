import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { answerFault } from '../src/errors.ts'
import { factsOf, infoOfListed } from '../src/object-info.ts'
import { createSpanCheck } from '../src/span-check.ts'
import { createSwiftStore, type SwiftAuth } from '../src/index.ts'
import { commonOptions } from './support/store.ts'

const SWIFT = { 'x-trans-id': 'tx8a5517d1c08f438bbf9dd-006b016cc8' }
const RADOSGW = { 'x-trans-id': 'tx00000c6658ea0d15ab7e2-006b016cd4-101c-default' }

describe('times', () => {
  it.each([
    [SWIFT, 1_795_255_496_431_700_000n, '2026-11-21T10:04:56.431700'],
    [RADOSGW, undefined, '2026-11-21T10:04:56.431Z'],
  ])('of a header and of a listing agree %#', (headers, ns, text) => {
    const { info } = factsOf('o', { headers: { ...headers, 'x-timestamp': '1795255496.43170', etag: '"ABC"' } }, 5)
    const listed = infoOfListed({ name: 'o', bytes: 5, hash: 'abc', last_modified: text }, { headers })
    expect(listed).toEqual(info)
    expect(info).toEqual({
      key: 'o',
      size: 5,
      etag: 'abc',
      modifiedAt: new Date('2026-11-21T10:04:56.431Z'),
      ...(ns === undefined ? {} : { modifiedAtNs: ns }),
    })
  })
  it('only a look tells what an entry with the sum of nothing is', () => {
    const item = { name: 'o', bytes: 0, hash: 'd41d8cd98f00b204e9800998ecf8427e', last_modified: '2026-11-21T10:04:56.431700' }
    expect(infoOfListed(item, { headers: SWIFT })).toBeUndefined()
  })
})

describe('answers', () => {
  const rows: readonly (readonly [number, string, object])[] = [
    [400, '', { kind: 'invalid', code: 'STORAGE_REQUEST_REFUSED' }],
    [401, '', { kind: 'denied' }],
    [403, '', { kind: 'denied', code: 'STORAGE_ACCESS_DENIED' }],
    [404, '', { code: 'STORAGE_BUCKET_MISSING' }],
    [408, '', { kind: 'unavailable', retryable: true }],
    [409, '', { kind: 'unavailable', retryable: true }],
    [413, 'Upload exceeds quota.', { code: 'STORAGE_QUOTA_EXCEEDED', retryable: false }],
    [413, 'Your request is too large.', { code: 'STORAGE_OBJECT_TOO_LARGE' }],
    [422, '', { kind: 'corrupt', retryable: true }],
    [429, '', { code: 'STORAGE_THROTTLED', context: { retryAfterMs: 7000 } }],
    [498, '', { code: 'STORAGE_THROTTLED' }],
    [499, '', { code: 'STORAGE_SERVER_FAILED' }],
    [503, '', { code: 'STORAGE_SERVER_FAILED', context: { retryAfterMs: 7000 } }],
    [507, '', { code: 'STORAGE_QUOTA_EXCEEDED' }],
    [520, '', { code: 'STORAGE_SERVER_FAILED' }],
  ]
  it.each(rows)('%i %s', (status, text, expected) => {
    const fault = answerFault(
      { status, headers: { 'retry-after': '7' }, text },
      { doing: 'read x', location: 'swift://c' },
      () => new Date(),
    )
    expect(fault).toMatchObject(expected)
  })
  it('tokens that are quoted in them are cut out', () => {
    const text = 'bad: AUTH_tkabcdef and X-Auth-Key: very-secret'
    const fault = answerFault({ status: 400, headers: {}, text }, { doing: 'read x', location: 'swift://c' }, () => new Date())
    expect(fault.message).not.toMatch(/abcdef|very-secret/)
  })
})

describe('sums', () => {
  const bytes = Buffer.from('0123456789abcdef')
  const sum = (from: number, to: number): string => createHash('md5').update(bytes.subarray(from, to)).digest('hex')
  const spans = [
    { start: 0, end: 6, md5: sum(0, 6) },
    { start: 6, end: 10, md5: sum(6, 10) },
    { start: 10, end: 16, md5: sum(10, 16) },
  ]
  it.each([1, 3, 7, 16])('are compared for what is read whole, in chunks of %i', (step) => {
    for (const [start, end] of [
      [0, 16],
      [3, 16],
      [6, 10],
      [7, 9],
    ] as const) {
      const check = createSpanCheck(spans, start, end)
      for (let at = start; at < end; at += step) expect(check.passed(bytes.subarray(at, Math.min(at + step, end)))).toBe(true)
    }
  })
  it('a flipped bit is seen in the span that it is in', () => {
    const flipped = Buffer.from(bytes)
    flipped[8] = (flipped[8] ?? 0) ^ 1
    expect(createSpanCheck(spans, 0, 16).passed(flipped)).toBe(false)
    expect(createSpanCheck(spans, 7, 16).passed(flipped.subarray(7))).toBe(true) // cut: nothing to compare with
  })
})

describe('options', () => {
  const wrong: readonly (readonly [string, SwiftAuth])[] = [
    ['URL', { user: 'u', password: 'p' }],
    ['user', { url: 'https://k.example.org/v3', password: 'p' }],
    ['password', { url: 'https://k.example.org/v3', user: 'u' }],
    ['application credential', { url: 'https://k.example.org/v3', applicationCredential: { name: 'n', secret: 's' } }],
    ['URL', { url: 'ftp://k', user: 'u', password: 'p' }],
  ]
  it.each(wrong)('without a sound %s are refused', (named, auth) => {
    expect(() => createSwiftStore({ ...commonOptions(), container: 'c', auth })).toThrow(named)
  })
})
