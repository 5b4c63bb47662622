import { createHash, generateKeyPairSync } from 'node:crypto'
import { zstdDecompressSync } from 'node:zlib'
import { afterEach, describe, expect, it } from 'vitest'
import { createYandexCloudFake, startHttpFake, yandexProblem as problem, type HttpAnswer, type HttpFake } from '@waltz/testkit'
import { yandexKeyService, yandexKms, type YandexKeyServiceOptions } from '../src/yandex-kms.ts'
import { EDGES, collect, expectSame, faultOf, hex, inChunks, noise, once, rejection, small, thrown } from './support.ts'

const KEY_ID = 'abjtestkey'

let fake: HttpFake | undefined
afterEach(async () => {
  await fake?.close()
  fake = undefined
})

async function start(more: Partial<YandexKeyServiceOptions> = {}) {
  const clock = { time: Date.parse('2026-03-01T12:00:00Z') }
  const cloud = createYandexCloudFake({ keyIds: [KEY_ID], now: () => new Date(clock.time) })
  fake = await startHttpFake(cloud.answer)
  const { url } = fake
  const waits: number[] = []
  const service = (again: Partial<YandexKeyServiceOptions> = {}) =>
    yandexKeyService({
      keyId: KEY_ID,
      credentials: { type: 'service-account', keyFile: cloud.accountFile },
      endpoint: url,
      tokenEndpoint: `${url}/iam/v1/tokens`,
      now: () => new Date(clock.time),
      sleep: async (ms) => void waits.push(ms),
      ...more,
      ...again,
    })
  const asked = (part: string) => fake?.seen.filter(({ path }) => path.includes(part)).length
  return { clock, cloud, service, waits, asked, url }
}

describe('the Yandex KMS cipher', () => {
  it('stores its header and a DARE stream, and reads them again', async () => {
    const { service, asked } = await start()
    const cipher = yandexKms({ service: service() })
    const reader = yandexKms({ service: service() })
    for (const length of EDGES) {
      const stored = await collect(cipher.encrypt(inChunks(noise(length), [70_000])))
      expectSame(stored.subarray(0, 10), hex('79636b6d7301 60000000'))
      expect(stored.length).toBe(10 + 96 + length + Math.ceil(length / 65_536) * 32)
      expect(await reader.fits(stored.subarray(0, reader.headBytes))).toBe(true)
      expectSame(await collect(reader.decrypt(inChunks(stored, [9, 60, 50_000]))), noise(length))
    }
    expect([asked(':generateDataKey'), asked(':decrypt'), asked('/iam/')]).toEqual([1, 1, 2])
  })

  it('has the published header', async () => {
    const cipher = yandexKms({
      service: {
        keyId: 'k',
        generateDataKey: async () => ({ plaintext: noise(32), ciphertext: hex('aabbcc') }),
        decrypt: async () => noise(32),
      },
    })
    expect(await collect(cipher.encrypt(once(new Uint8Array(0))))).toEqual(hex('79636b6d73 01 03000000 aabbcc'))
  })

  it('reads what WAL-G wrote', async () => {
    const { cloud, service } = await start()
    const recorded = JSON.parse(Buffer.from(small('yandex/kms-keys.json')).toString()) as {
      keys: { wrapped_b64: string; data_key_hex: string }[]
    }
    for (const key of recorded.keys) cloud.keys.set(key.wrapped_b64, Buffer.from(key.data_key_hex, 'hex'))
    const cipher = yandexKms({ service: service() })
    for (const [name, sha256] of [
      ['000000010000000000000013.00000028.backup', '3f92ccb78934056f9aebb74968b25b9be3b094a10442d82024ef732900e30672'],
      ['000000010000000000000013', 'c6c312c0de6f59c61701e54d56e91be8c806e19368e894157c5911122888230e'],
      ['000000010000000000000014', '7950bed45a56ecfb13a49ab36ee58c1031bee0452487c14c388f4598322e55c3'],
    ] as const) {
      const plain = zstdDecompressSync(await collect(cipher.decrypt(once(small(`yandex/${name}.zst`)))))
      expect(createHash('sha256').update(plain).digest('hex')).toBe(sha256)
    }
  })

  it('reads objects with different data keys at the same time, asking once for each', async () => {
    const { service, asked } = await start()
    const parts = await Promise.all(
      Array.from({ length: 10 }, async (_, index) => collect(yandexKms({ service: service() }).encrypt(once(noise(100_000, index))))),
    )
    const reader = yandexKms({ service: service() })
    await Promise.all(
      [...parts, ...parts].map(async (stored, index) =>
        expectSame(await collect(reader.decrypt(once(stored))), noise(100_000, index % 10)),
      ),
    )
    expect(asked(':decrypt')).toBe(10)
  })

  it.each([
    ['another magic', hex('79636b6d7401 03000000 aabbcc'), 'corrupt', 'CRYPTO_DAMAGED'],
    ['another version', hex('79636b6d7302 03000000 aabbcc'), 'unsupported', 'CRYPTO_FORMAT_UNSUPPORTED'],
    ['a wrapped key that is too long', hex('79636b6d7301 01100000 aabbcc'), 'corrupt', 'CRYPTO_DAMAGED'],
    ['no wrapped key', hex('79636b6d7301 00000000'), 'corrupt', 'CRYPTO_DAMAGED'],
    ['a cut header', hex('79636b6d7301 0300'), 'corrupt', 'CRYPTO_TRUNCATED'],
    ['a cut wrapped key', hex('79636b6d7301 03000000 aabb'), 'corrupt', 'CRYPTO_TRUNCATED'],
    ['a wrapped key of somebody else', hex('79636b6d7301 03000000 aabbcc'), 'corrupt', 'CRYPTO_WRAPPED_KEY_REFUSED'],
  ] as const)('tells %s', async (_, stored, kind, code) => {
    const { service } = await start()
    const cipher = yandexKms({ service: service() })
    const fault = await faultOf(cipher.decrypt(once(stored)))
    expect([fault?.kind, fault?.code]).toEqual([kind, code])
    expect(await cipher.fits(stored)).toBe(false)
  })

  it('refuses a wrapped key that the format has no room for', async () => {
    const { cloud, service } = await start()
    cloud.wrappedBytes = 5000
    expect((await faultOf(yandexKms({ service: service() }).encrypt(once(noise(5)))))?.code).toBe('CRYPTO_WRAPPED_KEY_LENGTH')
  })
})

describe('the Yandex key service', () => {
  it('renews its token in time, and asks once for many concurrent calls', async () => {
    const { clock, cloud, service, asked } = await start()
    const one = service()
    await Promise.all(Array.from({ length: 8 }, () => one.generateDataKey()))
    expect(asked('/iam/')).toBe(1)
    clock.time += 59 * 60_000
    await one.generateDataKey()
    expect(asked('/iam/')).toBe(1)
    clock.time += 2 * 60_000
    await Promise.all(Array.from({ length: 8 }, () => one.generateDataKey()))
    expect(asked('/iam/')).toBe(2)
    cloud.lifeMs = 100_000
    clock.time += 3_600_000
    await one.generateDataKey()
    clock.time += 90_000
    await one.generateDataKey()
    expect(asked('/iam/')).toBe(4)
  })

  it('takes another token when the service refuses the one it has', async () => {
    const { cloud, service, asked } = await start()
    const one = service()
    await one.generateDataKey()
    cloud.valid.clear()
    await one.generateDataKey()
    expect(asked('/iam/')).toBe(2)
    cloud.answers.push(problem(401, 16, 'no'), problem(401, 16, 'no'))
    expect((await rejection(one.generateDataKey())).code).toBe('CRYPTO_SERVICE_DENIED')
  })

  it('uses the account of the machine', async () => {
    const { service, asked, url } = await start()
    const { plaintext, ciphertext } = await service({ credentials: { type: 'metadata', endpoint: url } }).generateDataKey()
    expect(plaintext.length).toBe(32)
    expectSame(await service().decrypt(ciphertext), plaintext)
    expect(asked('computeMetadata')).toBe(1)
  })

  it('tries again when the service fails, waiting longer each time', async () => {
    const { cloud, service, waits } = await start()
    cloud.answers.push(problem(503, 14, 'unavailable'), 'reset')
    await service().generateDataKey()
    expect(waits).toEqual([250, 500])
    cloud.tokenAnswers.push(problem(500, 13, 'internal'))
    await service().generateDataKey()
    expect(waits).toEqual([250, 500, 250])
  })

  it.each([
    [problem(403, 7, 'Permission denied'), 'denied', 'CRYPTO_SERVICE_DENIED'],
    [problem(404, 5, 'The specified key does not exist'), 'invalid', 'CRYPTO_SERVICE_REFUSED'],
    [problem(400, 9, 'The key is inactive'), 'invalid', 'CRYPTO_SERVICE_REFUSED'],
    [problem(400, 3, 'Ciphertext is invalid'), 'corrupt', 'CRYPTO_WRAPPED_KEY_REFUSED'],
    [problem(429, 8, 'slow down'), 'unavailable', 'CRYPTO_SERVICE_FAILED'],
    [problem(500, 13, 'internal'), 'unavailable', 'CRYPTO_SERVICE_FAILED'],
    [{ status: 502, body: '<html>bad gateway' }, 'unavailable', 'CRYPTO_SERVICE_FAILED'],
    [{ status: 200, body: 'hello' }, 'unavailable', 'CRYPTO_SERVICE_ANSWER'],
    [{ status: 200, body: { plaintext: '***' } }, 'unavailable', 'CRYPTO_SERVICE_ANSWER'],
    [{ status: 302, body: '', headers: { location: 'http://127.0.0.1:9/' } }, 'unavailable', 'CRYPTO_SERVICE_UNREACHABLE'],
    ['reset', 'unavailable', 'CRYPTO_SERVICE_UNREACHABLE'],
    ['hang', 'unavailable', 'CRYPTO_SERVICE_UNREACHABLE'],
  ] as const)('%j is %s %s', async (answer, kind, code) => {
    const { cloud, service } = await start({ attempts: 1 })
    cloud.answers.push(answer as HttpAnswer)
    const fault = await rejection(service({ timeoutMs: 300 }).decrypt(noise(50)))
    expect([fault.kind, fault.code]).toEqual([kind, code])
    expect(JSON.stringify([fault.message, fault.hint, fault.context, String(fault.cause), fault.stack])).not.toMatch(/secret-iam|eyJ|BEGIN/)
  })

  it.each([
    [problem(401, 16, 'JWT eyJabc.def is wrong'), 'denied', 'CRYPTO_SERVICE_DENIED'],
    [problem(400, 3, 'bad'), 'denied', 'CRYPTO_SERVICE_DENIED'],
    [problem(500, 13, 'internal'), 'unavailable', 'CRYPTO_SERVICE_FAILED'],
    [{ status: 200, body: { iamToken: '' } }, 'unavailable', 'CRYPTO_SERVICE_ANSWER'],
    [{ status: 200, body: { iamToken: 'with\nline end' } }, 'unavailable', 'CRYPTO_SERVICE_ANSWER'],
  ] as const)('%j instead of a token is %s %s', async (answer, kind, code) => {
    const { cloud, service } = await start({ attempts: 1 })
    cloud.tokenAnswers.push(answer as HttpAnswer)
    const one = service()
    const fault = await rejection(one.decrypt(noise(50)))
    expect([fault.kind, fault.code]).toEqual([kind, code])
    expect(fault.message).not.toContain('eyJ')
    await one.generateDataKey()
  })

  it('stops when the caller says so', async () => {
    const { cloud, service } = await start()
    cloud.answers.push('hang')
    const stop = new AbortController()
    const asked = rejection(service({ signal: stop.signal }).decrypt(noise(5)))
    setTimeout(() => stop.abort(), 50)
    expect((await asked).kind).toBe('aborted')
  })

  it.each([
    ['is not JSON', 'SECRET'],
    ['lacks its fields', '{"id":"SECRET"}'],
    ['is null', 'null'],
    [
      'has no key',
      JSON.stringify({ id: 'a', service_account_id: 'b', private_key: '-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----' }),
    ],
    [
      'has another kind of key',
      JSON.stringify({
        id: 'a',
        service_account_id: 'b',
        private_key: generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }),
      }),
    ],
  ])('refuses a key file that %s before anything is asked', (_, text) => {
    const options = { keyId: 'k', now: () => new Date(), credentials: { type: 'service-account', keyFile: text } } as const
    const fault = thrown(() => yandexKeyService(options))
    expect([fault.kind, fault.code]).toEqual(['invalid', 'CRYPTO_KEY_INVALID'])
    expect(JSON.stringify([fault.message, fault.cause, fault.hint])).not.toContain('SECRET')
  })
})
