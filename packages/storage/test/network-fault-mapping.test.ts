import { describe, expect, it } from 'vitest'
import {
  accessDeniedFault,
  bucketMissingFault,
  checksumFault,
  clockFault,
  copyUnsupportedFault,
  faultCodes,
  networkFault,
  optionsFault,
  quotaFault,
  requestRefusedFault,
  retentionFault,
  lockOf,
  retryAfterMs,
  serverFailedFault,
  throttledFault,
  unreachableFault,
  versionsUnsupportedFault,
} from '../src/index.ts'

const call = { doing: 'read base/part_001.tar', location: 's3://bucket' }
const coded = (code: string, more: object = {}): Error => Object.assign(new Error(code), { code, ...more })

describe('faults of a network', () => {
  it.each([
    ['a name without an address', coded('ENOTFOUND')],
    ['a refused connection', coded('ECONNREFUSED')],
    ['a reset one', coded('ECONNRESET')],
    ['an answer that is no HTTP', coded('HPE_INVALID_CONSTANT')],
    ['an error inside of others', new Error('fetch failed', { cause: new Error('x', { cause: coded('EAI_AGAIN') }) })],
    ['all addresses failing', new AggregateError([coded('ETIMEDOUT'), coded('ENETUNREACH')])],
    ['a known one under an unknown', coded('ERR_CLIENT', { cause: coded('EPIPE') })],
  ])('%s is unreachable, and may be tried again', (_name, error) => {
    expect(networkFault(error, call)).toMatchObject({ kind: 'unavailable', code: 'STORAGE_UNREACHABLE', retryable: true, cause: error })
  })

  it.each(['DEPTH_ZERO_SELF_SIGNED_CERT', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'CERT_HAS_EXPIRED', 'ERR_TLS_CERT_ALTNAME_INVALID'])(
    'a certificate that is not trusted (%s) is denied',
    (code) => {
      const fault = networkFault(coded(code), call)
      expect(fault).toMatchObject({ kind: 'denied', code: 'STORAGE_ACCESS_DENIED', retryable: false })
      expect(fault?.hint).toContain('certificate')
    },
  )

  it('anything else is not of the network', () => {
    const circle: { cause?: unknown } = {}
    circle.cause = circle
    for (const error of [undefined, null, 'text', new Error('x'), coded('ENOENT'), { code: 7 }, circle, new AggregateError([])]) {
      expect(networkFault(error, call)).toBeUndefined()
    }
  })

  it('have kinds, codes of the table, messages and hints', () => {
    const made = [
      [accessDeniedFault(call), 'denied', false],
      [bucketMissingFault(call, 'bucket'), 'unavailable', false],
      [unreachableFault(call, 'why'), 'unavailable', true],
      [throttledFault(call), 'unavailable', true],
      [serverFailedFault(call), 'unavailable', true],
      [requestRefusedFault(call), 'invalid', false],
      [quotaFault(call), 'unavailable', false],
      [clockFault(call), 'denied', false],
      [checksumFault(call, { retryable: true }), 'corrupt', true],
      [checksumFault(call, { retryable: false }), 'corrupt', false],
      [retentionFault(call, { until: new Date(0) }), 'denied', false],
      [optionsFault('x', 'y'), 'invalid', false],
      [copyUnsupportedFault(call), 'unsupported', false],
      [versionsUnsupportedFault(call), 'unsupported', false],
    ] as const
    for (const [fault, kind, retryable] of made) {
      expect([fault.code, fault.kind, fault.retryable]).toEqual([fault.code, kind, retryable])
      expect(Object.keys(faultCodes)).toContain(fault.code)
      expect([fault.message, fault.hint]).not.toContain('')
    }
    expect(retentionFault(call, { until: new Date(0) }).message).toContain('1970-01-01T00:00:00.000Z')
    for (const lock of [{}, { until: new Date(0) }, { held: true }, { until: new Date(0), held: true }])
      expect(lockOf(retentionFault(call, lock))).toEqual(lock)
    expect([lockOf(clockFault(call)), lockOf(undefined)]).toEqual([undefined, undefined])
    expect(throttledFault(call, 7000).context).toMatchObject({ retryAfterMs: 7000 })
  })

  it('shorten and flatten what the store said', () => {
    const { message } = accessDeniedFault({ ...call, answer: `<Error>\n  ${'long '.repeat(200)}</Error>` })
    expect(message).toMatch(/^read base\/part_001\.tar in s3:\/\/bucket was refused \(<Error> long long/)
    expect(message.length).toBeLessThan(400)
    expect(message).not.toContain('\n')
  })

  it.each([
    ['7', 7000],
    ['0', 0],
    ['1.5', 1500],
    [' 2 ', 2000],
    ['-3', 0],
    ['Thu, 01 Jan 2026 00:00:10 GMT', 10_000],
    ['Wed, 31 Dec 2025 23:59:00 GMT', 0],
    ['soon', undefined],
    ['', undefined],
    [undefined, undefined],
    [null, undefined],
    ['Infinity', undefined],
  ])('Retry-After %j is %j ms', (header, ms) => {
    expect(retryAfterMs(header, () => new Date('2026-01-01T00:00:00Z'))).toBe(ms)
  })
})
