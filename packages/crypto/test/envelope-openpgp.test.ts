import { concatBytes, sourceOf } from '@waltz/bytes'
import { Fault } from '@waltz/errors'
import { describe, expect, it } from 'vitest'
import { envelopeOpenPgp, type EnvelopeOpenPgpOptions } from '../src/envelope-openpgp.ts'
import { encodeEnvelopeHeader, parseEnvelopeHeader } from '../src/openpgp/envelope-header.ts'
import { cipherOf, keyText } from './openpgp-support.ts'
import { collect, expectSame, faultOf, hex, inChunks, mutate, noise, outcomeOf, rejection } from './support.ts'

const unavailable = new Fault('unavailable', 'CRYPTO_SERVICE_UNREACHABLE', 'the service does not answer')
const refused = new Fault('corrupt', 'CRYPTO_WRAPPED_KEY_REFUSED', 'not wrapped by this key')

/** A key service with keys in its memory. */
function service(
  keys: Readonly<Record<string, string>> = { 'wrapped-ecc': keyText('ecc.sec.asc'), 'wrapped-rsa': keyText('rsa.sec.asc') },
) {
  const state = { asked: 0, failure: undefined as Fault | undefined, delayMs: 0 }
  return {
    state,
    async decrypt(ciphertext: Uint8Array): Promise<Uint8Array> {
      state.asked += 1
      await new Promise((resolve) => setTimeout(resolve, state.delayMs))
      if (state.failure !== undefined) throw state.failure
      const text = keys[Buffer.from(ciphertext).toString('latin1')]
      if (text === undefined) throw refused
      return new TextEncoder().encode(text)
    },
  }
}
const base64 = (text: string): string => Buffer.from(text).toString('base64')
const open = (keyService: EnvelopeOpenPgpOptions['keyService'], more: Partial<EnvelopeOpenPgpOptions> = {}) =>
  envelopeOpenPgp({ wrappedKey: base64('wrapped-ecc'), keyService, now: () => new Date(), ...more })

describe('the header', () => {
  it('is the one of the format', () => {
    const header = encodeEnvelopeHeader('3BE0C94F8BDCA96B', hex('aabbcc'))
    expect(Buffer.from(header).toString('hex')).toBe(
      '656e76656c6f70652d79632d6b6d7301100000003342453043393446384244434139364203000000aabbcc',
    )
    expect(parseEnvelopeHeader(concatBytes([header, noise(9)]))).toEqual({ wrapped: hex('aabbcc'), headerBytes: header.length })
    for (let length = 0; length < header.length; length += 1) expect(parseEnvelopeHeader(header.subarray(0, length))).toBeUndefined()
  })

  it('is no longer than 8192 bytes', () => {
    expect(encodeEnvelopeHeader('A', noise(8192 - 25)).length).toBe(8192)
    expect(() => encodeEnvelopeHeader('A', noise(8192 - 24))).toThrow(expect.objectContaining({ code: 'CRYPTO_KEY_INVALID' }))
  })

  it('carries the primary key ids', async () => {
    const cipher = await open(service())
    const stored = await collect(cipher.encrypt(sourceOf('x')))
    expect(Buffer.from(stored.subarray(16, 36)).toString('latin1')).toBe('\u0010\0\0\u0000925E31ED4F267F94')
    expect(cipher.keyName).toBe('4306F475D1ECA607CD971AE5925E31ED4F267F94')
  })
})

describe('messages', () => {
  it('round trip, with chunks of all kinds', async () => {
    const cipher = await open(service())
    for (const length of [0, 1, 300_000, 1_000_000]) {
      const plain = noise(length)
      const stored = await collect(cipher.encrypt(inChunks(plain, [70_000])))
      for (const chunks of [[stored.length], [1, 3, 9000, 5, 1, 1, 800_000]])
        expectSame(await collect(cipher.decrypt(inChunks(stored, chunks))), plain)
      expect(await cipher.fits(stored.subarray(0, cipher.headBytes))).toBe(true)
      const { headerBytes } = parseEnvelopeHeader(stored) ?? { headerBytes: 0 }
      expectSame(await collect((await cipherOf('ecc.sec.asc')).decrypt(sourceOf(stored.subarray(headerBytes)))), plain)
    }
  })

  it('reads objects that carry another wrapped key, asking once for each', async () => {
    const keys = service()
    const ecc = await open(keys)
    const rsa = await open(keys, { wrappedKey: base64('wrapped-rsa') })
    const stored = await collect(rsa.encrypt(sourceOf('under another key')))
    keys.state.asked = 0
    keys.state.delayMs = 5
    const read = async (): Promise<string> => new TextDecoder().decode(await collect(ecc.decrypt(sourceOf(stored))))
    expect(await Promise.all([read(), read(), read()])).toEqual(Array.from({ length: 3 }, () => 'under another key'))
    expect(await ecc.fits(stored)).toBe(true)
    expect(keys.state.asked).toBe(1)
  })

  it('survives 2000 seeded changes', { timeout: 30_000 }, async () => {
    const cipher = await open(service())
    const plain = noise(2000)
    const stored = await collect(cipher.encrypt(sourceOf(plain)))
    const { headerBytes } = parseEnvelopeHeader(stored) ?? { headerBytes: 0 }
    let harmless = 0
    for (let seed = 1; seed <= 2000; seed += 1) {
      const { bytes } = mutate(stored, [0, 15, 16, 20, 36, 40, headerBytes, headerBytes + 96, stored.length], seed)
      const outcome = await outcomeOf(cipher.decrypt(sourceOf(bytes)))
      if (outcome.fault !== undefined) expect(['corrupt', 'unsupported']).toContain(outcome.fault.kind)
      else {
        harmless += 1
        expectSame(outcome.bytes, plain)
      }
    }
    expect(harmless).toBeLessThan(150)
  })

  it('says where in the object a message is damaged', async () => {
    const cipher = await open(service())
    const stored = await collect(cipher.encrypt(sourceOf('x')))
    const { headerBytes } = parseEnvelopeHeader(stored) ?? { headerBytes: 0 }
    expect((await faultOf(cipher.decrypt(sourceOf(stored.subarray(0, -3)))))?.context['offset']).toBe(stored.length - 3)
    stored[stored.length - 1] = (stored.at(-1) ?? 0) ^ 1
    expect((await faultOf(cipher.decrypt(sourceOf(stored))))?.context['offset']).toBe(headerBytes + 2 + (stored[headerBytes + 1] ?? 0))
  })

  it.each([
    ['another beginning', Buffer.from('envelope-yc-kmx\u0001'), 'CRYPTO_DAMAGED'],
    ['another version', concatBytes([Buffer.from('envelope-yc-kms\u0002'), new Uint8Array(40)]), 'CRYPTO_FORMAT_UNSUPPORTED'],
    ['a key id without end', concatBytes([Buffer.from('envelope-yc-kms\u0001'), hex('ffffffff'), new Uint8Array(40)]), 'CRYPTO_DAMAGED'],
    [
      'a wrapped key without end',
      concatBytes([Buffer.from('envelope-yc-kms\u0001'), hex('01000000 41 ffffff7f'), new Uint8Array(40)]),
      'CRYPTO_DAMAGED',
    ],
    ['a cut header', concatBytes([Buffer.from('envelope-yc-kms\u0001'), hex('01000000 41 ff000000')]), 'CRYPTO_TRUNCATED'],
    ['nothing', new Uint8Array(0), 'CRYPTO_TRUNCATED'],
    ['a header alone', encodeEnvelopeHeader('A', Buffer.from('wrapped-ecc')), 'CRYPTO_TRUNCATED'],
    [
      'a key of another service',
      concatBytes([encodeEnvelopeHeader('A', Buffer.from('of somebody')), noise(50)]),
      'CRYPTO_WRAPPED_KEY_REFUSED',
    ],
  ])('refuses %s', async (_, stored, code) => {
    const cipher = await open(service())
    for (const chunks of [[5000], [7]]) expect((await faultOf(cipher.decrypt(inChunks(stored, chunks))))?.code).toBe(code)
    expect(await cipher.fits(stored)).toBe(false)
  })
})

describe('the key', () => {
  it('may have line ends within, but nothing else', async () => {
    const text = base64('wrapped-ecc')
    for (const wrappedKey of [`${text}\n`, `${text.slice(0, 5)}\r\n${text.slice(5)}\n`])
      expect((await open(service(), { wrappedKey })).canDecrypt).toBe(true)
    for (const wrappedKey of ['', ' ', `${text} `, `${text.slice(0, 5)} ${text.slice(5)}`, 'not*base64==', text.slice(0, -1), `${text}A`]) {
      expect((await rejection(open(service(), { wrappedKey }))).code).toBe('CRYPTO_KEY_INVALID')
    }
  })

  it('must be an unlocked private key', async () => {
    for (const [text, code] of [
      [keyText('rsa.pub.asc'), 'CRYPTO_PRIVATE_KEY_MISSING'],
      [keyText('locked.sec.asc'), 'CRYPTO_KEY_LOCKED'],
      ['something else', 'CRYPTO_KEY_INVALID'],
    ] as const) {
      expect(await rejection(open(service({ 'wrapped-ecc': text })))).toMatchObject({ kind: 'invalid', code })
    }
  })

  it('fails to open with what the service says', async () => {
    const keys = service()
    keys.state.failure = unavailable
    await expect(open(keys)).rejects.toBe(unavailable)
    keys.state.failure = undefined
    expect((await open(keys)).canDecrypt).toBe(true)
  })

  it('does not decide whose an object is while the service does not answer', async () => {
    const keys = service()
    const cipher = await open(keys)
    const stored = await collect((await open(keys, { wrappedKey: base64('wrapped-rsa') })).encrypt(sourceOf('x')))
    keys.state.failure = unavailable
    await expect(cipher.fits(stored)).rejects.toBe(unavailable)
    await expect(collect(cipher.decrypt(sourceOf(stored)))).rejects.toBe(unavailable)
    keys.state.failure = undefined
    expect(await cipher.fits(stored)).toBe(true)
  })

  it('is kept for ever, or asked for again when it expired, and used on when the service fails', async () => {
    const clock = { ms: 1_900_000_000_000 }
    const failures: unknown[] = []
    const keys = service()
    const more = { now: () => new Date(clock.ms), onStaleKey: (failure: unknown) => failures.push(failure) }
    const forever = await open(keys, more)
    const hourly = await open(keys, { ...more, cacheExpirationMs: 3_600_000 })
    const stored = await collect(forever.encrypt(sourceOf('x')))
    const asked = async (cipher: typeof forever): Promise<number> => {
      keys.state.asked = 0
      expect(await Promise.all([collect(cipher.decrypt(sourceOf(stored))), collect(cipher.encrypt(sourceOf('y')))])).toHaveLength(2)
      return keys.state.asked
    }
    expect([await asked(forever), await asked(hourly)]).toEqual([0, 0])
    clock.ms += 3_600_000
    expect([await asked(forever), await asked(hourly), await asked(hourly)]).toEqual([0, 1, 0])
    clock.ms += 3_600_000
    keys.state.failure = unavailable
    expect([await asked(hourly), failures.length, await asked(hourly)]).toEqual([1, 1, 0])
    expect(failures[0]).toBe(unavailable)
    clock.ms += 30_000
    expect([await asked(hourly), failures.length]).toEqual([1, 2])
    keys.state.failure = undefined
    clock.ms += 30_000
    expect([await asked(hourly), failures.length]).toEqual([1, 2])
  })

  it('cannot be used after the cipher was disposed of', async () => {
    const cipher = await open(service())
    const stored = await collect(cipher.encrypt(sourceOf('x')))
    cipher[Symbol.dispose]()
    expect((await faultOf(cipher.decrypt(sourceOf(stored))))?.code).toBe('CRYPTO_DISPOSED')
    expect((await faultOf(cipher.encrypt(sourceOf('x'))))?.code).toBe('CRYPTO_DISPOSED')
  })
})
