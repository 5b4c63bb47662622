import { createHash } from 'node:crypto'
import { afterEach, describe, expect, it } from 'vitest'
import { awsFailure as failure, createAwsKmsFake, startHttpFake, type AwsKmsFake, type HttpAnswer, type HttpFake } from '@waltz/testkit'
import { awsKeyService, awsKms, type AwsKeyServiceOptions, type KeyService } from '../src/aws-kms.ts'
import { EDGES, collect, expectSame, faultOf, inChunks, noise, once, rejection, small, thrown } from './support.ts'

const KEY_ID = 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab'
const credentials = { accessKeyId: 'AKIDWALTZ', secretAccessKey: 'top-secret-access-key', sessionToken: 'top-session-token' }

let fake: HttpFake | undefined
afterEach(async () => {
  await fake?.close()
  fake = undefined
})

async function start(): Promise<{ readonly kms: AwsKmsFake; readonly service: (more?: Partial<AwsKeyServiceOptions>) => KeyService }> {
  const kms = createAwsKmsFake({ keyIds: [KEY_ID], accessKeyId: credentials.accessKeyId, region: 'eu-central-1' })
  fake = await startHttpFake(kms.answer)
  const endpoint = fake.url
  return {
    kms,
    service: (more = {}) => awsKeyService({ keyId: KEY_ID, region: 'eu-central-1', credentials, endpoint, attempts: 1, ...more }),
  }
}

describe('the AWS KMS cipher', () => {
  it('stores a blob of 184 bytes and a DARE stream, and reads them again', async () => {
    const { service } = await start()
    for (const writes of ['aes-256-gcm', 'chacha20-poly1305'] as const) {
      const cipher = awsKms({ service: service(), writes })
      for (const length of EDGES) {
        const stored = await collect(cipher.encrypt(inChunks(noise(length), [70_000])))
        expect(stored.length).toBe(184 + length + Math.ceil(length / 65_536) * 32)
        if (length > 0) expect([stored[184], stored[185]]).toEqual([0x20, writes === 'aes-256-gcm' ? 0 : 1])
        expectSame(await collect(awsKms({ service: service() }).decrypt(inChunks(stored, [100, 1, 50_000]))), noise(length))
      }
    }
  })

  it('has one data key for all that it writes, and asks once for each that it reads', async () => {
    const { service } = await start()
    const cipher = awsKms({ service: service() })
    const many = await Promise.all(Array.from({ length: 20 }, (_, index) => collect(cipher.encrypt(once(noise(1000, index))))))
    expect(fake?.seen.length).toBe(1)
    expect(new Set(many.map((stored) => Buffer.from(stored.subarray(0, 184)).toString('hex'))).size).toBe(1)
    await collect(cipher.decrypt(once(many[0]!)))
    expect(fake?.seen.length).toBe(1)
    const reader = awsKms({ service: service() })
    expect(await reader.fits(many[0]!.subarray(0, reader.headBytes))).toBe(true)
    await Promise.all(many.map(async (stored, index) => expectSame(await collect(reader.decrypt(once(stored))), noise(1000, index))))
    expect(fake?.seen.length).toBe(2)
  })

  it('reads objects with different data keys at the same time', async () => {
    const { service } = await start()
    const parts = await Promise.all(
      Array.from({ length: 30 }, async (_, index) => collect(awsKms({ service: service() }).encrypt(once(noise(200_000, index))))),
    )
    const reader = awsKms({ service: service() })
    await Promise.all(
      parts.map(async (stored, index) => expectSame(await collect(reader.decrypt(inChunks(stored, [30_000]))), noise(200_000, index))),
    )
    expect(fake?.seen.length).toBe(60)
  })

  it('reads what WAL-G wrote, at every edge length', async () => {
    const recorded = JSON.parse(Buffer.from(small('awskms/kms-keys.json')).toString()) as {
      keys: { ciphertext_b64: string; data_key_hex: string }[]
    }
    const { kms, service } = await start()
    for (const key of recorded.keys) kms.keys.set(key.ciphertext_b64, Buffer.from(key.data_key_hex, 'hex'))
    const cipher = awsKms({ service: service() })
    for (const line of Buffer.from(small('plain.tsv')).toString().trim().split('\n').slice(1)) {
      const [name = '', size, sha256] = line.split('\t')
      if (name === 'p8192') continue
      const stored = small(`awskms/${name}`)
      expect(await cipher.fits(stored.subarray(0, cipher.headBytes))).toBe(true)
      const plain = await collect(cipher.decrypt(once(stored)))
      expect([plain.length, createHash('sha256').update(plain).digest('hex')]).toEqual([Number(size), sha256])
    }
  })

  it('refuses a wrapped key that WAL-G could not read, before anything is stored', async () => {
    const { kms, service } = await start()
    kms.blobBytes = 200
    const fault = await faultOf(awsKms({ service: service() }).encrypt(once(noise(5))))
    expect([fault?.kind, fault?.code, fault?.context['bytes']]).toEqual(['unsupported', 'CRYPTO_WRAPPED_KEY_LENGTH', 200])
  })

  it('tries again after a failure to make a data key', async () => {
    const { kms, service } = await start()
    kms.answers.push(failure('KMSInternalException', 'sorry', 500))
    const cipher = awsKms({ service: service() })
    expect((await faultOf(cipher.encrypt(once(noise(5)))))?.code).toBe('CRYPTO_SERVICE_FAILED')
    expectSame(await collect(cipher.decrypt(cipher.encrypt(once(noise(5))))), noise(5))
    kms.answers.push(failure('KMSInternalException', 'sorry', 500))
    const stored = await collect(cipher.encrypt(once(noise(5))))
    const reader = awsKms({ service: service() })
    expect((await rejection(reader.fits(stored))).code).toBe('CRYPTO_SERVICE_FAILED')
    expect(await reader.fits(stored)).toBe(true)
  })

  it('tells objects of other keys and other framings', async () => {
    const { service } = await start()
    const stored = await collect(awsKms({ service: service() }).encrypt(once(noise(300))))
    const cipher = awsKms({ service: service() })
    const foreign = Uint8Array.from(stored)
    foreign[50] = (foreign[50] ?? 0) ^ 1
    expect(await cipher.fits(foreign)).toBe(false)
    expect((await faultOf(cipher.decrypt(once(foreign))))?.code).toBe('CRYPTO_WRAPPED_KEY_REFUSED')
    const asked = fake?.seen.length
    expect(await cipher.fits(noise(183))).toBe(false)
    expect(await cipher.fits(new Uint8Array(200))).toBe(false)
    expect((await faultOf(cipher.decrypt(once(stored.subarray(0, 100)))))?.code).toBe('CRYPTO_TRUNCATED')
    expect(fake?.seen.length).toBe(asked)
    stored[250] = (stored[250] ?? 0) ^ 1
    const damaged = await faultOf(cipher.decrypt(once(stored)))
    expect([damaged?.code, damaged?.context['offset']]).toEqual(['CRYPTO_DAMAGED', 184])
  })

  it('cannot be used when disposed of', async () => {
    const { service } = await start()
    const cipher = awsKms({ service: service() })
    cipher[Symbol.dispose]()
    expect((await faultOf(cipher.encrypt(once(noise(5)))))?.code).toBe('CRYPTO_DISPOSED')
    expect((await rejection(cipher.fits(noise(200)))).code).toBe('CRYPTO_DISPOSED')
  })
})

describe('the AWS key service', () => {
  it.each([
    [
      failure('AccessDeniedException', 'User: arn:aws:iam::1:user/w is not authorized to perform: kms:Decrypt'),
      'denied',
      'CRYPTO_SERVICE_DENIED',
    ],
    [failure('UnrecognizedClientException', 'The security token included is invalid'), 'denied', 'CRYPTO_SERVICE_DENIED'],
    [failure('ExpiredTokenException', 'token top-session-token expired'), 'denied', 'CRYPTO_SERVICE_DENIED'],
    [
      failure('InvalidSignatureException', 'Canonical String POST / x-amz-security-token:top-session-token'),
      'denied',
      'CRYPTO_SERVICE_DENIED',
    ],
    [failure('NotFoundException', 'Key does not exist'), 'invalid', 'CRYPTO_SERVICE_REFUSED'],
    [failure('DisabledException', 'key is disabled'), 'invalid', 'CRYPTO_SERVICE_REFUSED'],
    [failure('IncorrectKeyException', ''), 'corrupt', 'CRYPTO_WRAPPED_KEY_REFUSED'],
    [failure('ThrottlingException', 'Rate exceeded'), 'unavailable', 'CRYPTO_SERVICE_FAILED'],
    [failure('KMSInternalException', '', 500), 'unavailable', 'CRYPTO_SERVICE_FAILED'],
    [{ status: 503, body: '<html>' }, 'unavailable', 'CRYPTO_SERVICE_FAILED'],
    [{ status: 200, body: '<html>hello' }, 'unavailable', 'CRYPTO_SERVICE_ANSWER'],
    [{ status: 200, body: {} }, 'unavailable', 'CRYPTO_SERVICE_ANSWER'],
    ['reset', 'unavailable', 'CRYPTO_SERVICE_UNREACHABLE'],
    ['hang', 'unavailable', 'CRYPTO_SERVICE_UNREACHABLE'],
  ] as const)('%j is %s %s', async (answer, kind, code) => {
    const { kms, service } = await start()
    kms.answers.push(answer as HttpAnswer)
    const fault = await rejection(service({ timeoutMs: 300 }).unwrap(noise(184)))
    expect([fault.kind, fault.code]).toEqual([kind, code])
    const everything = JSON.stringify([fault.message, fault.hint, fault.context, String(fault.cause), fault.stack])
    expect(everything).not.toMatch(/top-|AKIDWALTZ/)
  })

  it('tries again by itself', async () => {
    const { kms, service } = await start()
    kms.answers.push(failure('KMSInternalException', '', 500), 'reset')
    expect((await service({ attempts: 3 }).wrap(noise(32))).length).toBe(184)
  })

  it('signs with the session token, and nothing is asked before the first call', async () => {
    const { service } = await start()
    const one = service()
    expect(fake?.seen.length).toBe(0)
    await one.wrap(noise(32))
    expect(fake?.seen[0]?.headers['x-amz-security-token']).toBe('top-session-token')
  })

  it('stops when the caller says so, and at a server that is not there', async () => {
    const { kms, service } = await start()
    kms.answers.push('hang')
    const stop = new AbortController()
    const asked = rejection(service({ signal: stop.signal }).unwrap(noise(184)))
    setTimeout(() => stop.abort(), 50)
    expect((await asked).kind).toBe('aborted')
    expect((await rejection(service({ endpoint: 'http://127.0.0.1:9' }).unwrap(noise(184)))).code).toBe('CRYPTO_SERVICE_UNREACHABLE')
    expect(thrown(() => awsKeyService({ keyId: '' })).code).toBe('CRYPTO_KEY_INVALID')
  })
})
