import { concatBytes, giveBack, lendBytes, sourceOf } from '@waltz/bytes'
import { Fault } from '@waltz/errors'
import { array, assert, asyncProperty, integer, oneof } from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Cipher } from '../src/cipher.ts'
import { openpgp } from '../src/openpgp.ts'
import { cipherOf, keyText } from './openpgp-support.ts'
import { EDGES, collect, expectSame, faultOf, inChunks, noise, outcomeOf, rejection } from './support.ts'

const FINGERPRINT = { ecc: '4306F475D1ECA607CD971AE5925E31ED4F267F94', rsa: 'B0F8369BD7BEA5B4398A84E7E437E03714EA6ECA' }
const now = (): Date => new Date()
const ecc = await cipherOf('ecc.sec.asc')
const library = await cipherOf('ecc.sec.asc', { engine: 'openpgpjs' })
const roundTrip = async (from: Cipher, to: Cipher, plain: Uint8Array, chunks: readonly number[]): Promise<void> => {
  const stored = await collect(from.encrypt(inChunks(plain, chunks)))
  expectSame(await collect(to.decrypt(inChunks(stored, chunks))), plain)
}
/** Chunks that are Buffers, and overwritten when they are given back. */
async function* lent(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.length; at += size) {
    const chunk = Buffer.from(bytes.subarray(at, at + size))
    yield lendBytes(chunk, () => chunk.fill(0xee))
  }
}
/** Writes over a chunk, and gives it back. */
const spoil = (chunk: Uint8Array): void => {
  chunk.fill(0xdd)
  giveBack(chunk)
}
/** Lengths at which the content, its literal packet or the whole message ends with a part. */
const borders = [-1, 0, 1].flatMap((by) => [18, 19, 24, 26, 40, 46, 47, 48, 50].flatMap((gap) => [262_144 - gap + by, 524_288 - gap + by]))

describe('round trips', () => {
  it.each(EDGES.map((length) => [length]))('%d bytes, own and library, all four ways', async (length) => {
    const plain = noise(length)
    for (const from of [ecc, library]) for (const to of [ecc, library]) await roundTrip(from, to, plain, [100_000])
  })

  it('every length around the borders of parts', async () => {
    for (const length of borders) await roundTrip(ecc, ecc, noise(length), [300_000])
    for (const length of borders.filter((_, index) => index % 5 === 0)) await roundTrip(ecc, library, noise(length), [300_000])
  })

  it.each([
    ['own', ecc],
    ['openpgpjs', library],
  ])('when all memory is used again as soon as it was given back, engine %s', async (_, cipher) => {
    const plain = noise(3_000_000)
    const stored: Uint8Array[] = []
    for await (const chunk of cipher.encrypt(lent(plain, 100_000))) {
      stored.push(Uint8Array.from(chunk))
      spoil(chunk)
    }
    for (const size of [7, 1000, 70_000, 600_000]) {
      const out: Uint8Array[] = []
      for await (const chunk of cipher.decrypt(lent(concatBytes(stored), size))) {
        out.push(Uint8Array.from(chunk))
        spoil(chunk)
      }
      expectSame(concatBytes(out), plain)
    }
  })

  it('however the content and the message are cut into chunks', async () => {
    const plain = noise(700_000)
    const sizes = array(oneof(integer({ min: 1, max: 40 }), integer({ min: 1000, max: 400_000 })), {
      minLength: 1,
      maxLength: 4,
    })
    await assert(
      asyncProperty(sizes, sizes, integer({ min: 0, max: 700_000 }), async (cuts, storedCuts, length) => {
        const whole = [...cuts, 90_000]
        const stored = await collect(ecc.encrypt(inChunks(plain.subarray(0, length), whole)))
        expectSame(await collect(ecc.decrypt(inChunks(stored, [...storedCuts, 90_000]))), plain.subarray(0, length))
      }),
      { numRuns: 60, seed: 6 },
    )
  })

  it.each(['rsa.sec.asc', 'ecc.sec.asc'])('reads with %s what was written for two keys', async (name) => {
    const two = await cipherOf('two.pub.asc')
    const reader = await cipherOf(name)
    const stored = await collect(two.encrypt(sourceOf('for both')))
    expect(await reader.fits(stored)).toBe(true)
    expect(new TextDecoder().decode(await collect(reader.decrypt(sourceOf(stored))))).toBe('for both')
    expect(two.keyName).toBe(`${FINGERPRINT.rsa},${FINGERPRINT.ecc}`)
  })

  it('writes AES-128, in a packet of version 1, never the same twice', async () => {
    const { decryptSessionKeys, readMessage, readPrivateKey, readMessage: read } = await import('openpgp')
    const stored = await collect(ecc.encrypt(sourceOf('x')))
    const message = await readMessage({ binaryMessage: stored })
    const decryptionKeys = await readPrivateKey({ armoredKey: keyText('ecc.sec.asc') })
    const [session] = await decryptSessionKeys({ message, decryptionKeys })
    expect([session?.algorithm, session?.data.length]).toEqual(['aes128', 16])
    const [, data] = (await read({ binaryMessage: stored })).packets as unknown as readonly { readonly version: number }[]
    expect(data?.version).toBe(1)
    expect(Buffer.compare(stored, await collect(ecc.encrypt(sourceOf('x'))))).not.toBe(0)
  })
})

describe('streams', () => {
  it('opens nothing before the first pull, and closes the source when the consumer stops', async () => {
    const seen = { opened: 0, closed: 0 }
    const stored = await collect(ecc.encrypt(sourceOf(noise(2_000_000))))
    async function* watched(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
      seen.opened += 1
      try {
        yield* inChunks(bytes, [65_536])
      } finally {
        seen.closed += 1
      }
    }
    for (const stage of [
      () => ecc.encrypt(watched(noise(2_000_000))),
      () => ecc.decrypt(watched(stored)),
      () => library.decrypt(watched(stored)),
    ]) {
      const before = { ...seen }
      const output = stage()
      await new Promise((resolve) => setTimeout(resolve, 5))
      expect(seen).toEqual(before)
      for await (const _ of output) break
      expect(seen).toEqual({ opened: before.opened + 1, closed: before.closed + 1 })
    }
  })

  it.each(['own', 'openpgpjs'] as const)('passes failures of the source through, engine %s', async (engine) => {
    const cipher = await cipherOf('ecc.sec.asc', { engine })
    const stored = await collect(ecc.encrypt(sourceOf(noise(700_000))))
    for (const error of [new Fault('unavailable', 'TEST_STORE_GONE', 'gone'), new TypeError('a failure of another kind')]) {
      async function* failing(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
        yield* inChunks(bytes.subarray(0, 600_000), [65_536])
        throw error
      }
      await expect(collect(cipher.encrypt(failing(noise(700_000))))).rejects.toBe(error)
      await expect(collect(cipher.decrypt(failing(stored)))).rejects.toBe(error)
    }
  })

  it('releases less than a block only after the check, and never ends normally without it', async () => {
    const plain = noise(1_000_000)
    const stored = await collect(ecc.encrypt(sourceOf(plain)))
    const small = await collect(ecc.encrypt(sourceOf(plain.subarray(0, 200_000))))
    for (const [bytes, released] of [
      [stored, true],
      [small, false],
    ] as const) {
      const damaged = Uint8Array.from(bytes)
      damaged[damaged.length - 1] = (damaged.at(-1) ?? 0) ^ 1
      const { bytes: out, fault } = await outcomeOf(ecc.decrypt(sourceOf(damaged)))
      expect([fault?.kind, fault?.code, out.length > 0]).toEqual(['corrupt', 'CRYPTO_DAMAGED', released])
    }
    expect(ecc.authenticates).toBe('at-the-end')
  })
})

describe('keys', () => {
  it('takes a key with \\n for line feeds, carriage returns, indentation, and text around it', async () => {
    const text = keyText('ecc.sec.asc')
    for (const armoredKeys of [
      text.replaceAll('\n', '\\n'),
      text.replaceAll('\n', '\r\n'),
      text.replaceAll('\n', '\n    '),
      `a note\n${text}\nthe end`,
    ]) {
      const cipher = await openpgp({ armoredKeys, now, mustDecrypt: true, mustEncrypt: true })
      expect([cipher.keyName, cipher.canDecrypt]).toEqual([FINGERPRINT.ecc, true])
    }
  })

  it.each([
    ['nothing', ''],
    ['a text', 'hello'],
    ['a path', '/etc/keys/rsa.asc'],
    ['half a block', keyText('ecc.sec.asc').slice(0, 300)],
    ['a damaged block', keyText('ecc.sec.asc').replace('lFgE', 'lFgF')],
    ['a block without content', '-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n=twTO\n-----END PGP PUBLIC KEY BLOCK-----'],
    ['two blocks', keyText('ecc.pub.asc') + keyText('rsa.pub.asc')],
  ])('refuses %s as a key, without repeating it', async (_, armoredKeys) => {
    const fault = await rejection(openpgp({ armoredKeys, now }))
    expect([fault.kind, fault.code]).toEqual(['invalid', 'CRYPTO_KEY_INVALID'])
    for (const line of armoredKeys.split('\n').filter((text) => text.length > 9))
      expect(JSON.stringify([fault.message, fault.hint, fault.context, fault.cause])).not.toContain(line)
  })

  it('writes with a public key and says why it cannot read', async () => {
    const cipher = await cipherOf('rsa.pub.asc', { mustEncrypt: true })
    expect(cipher.canDecrypt).toBe(false)
    const stored = await collect(cipher.encrypt(sourceOf('x')))
    expect(await cipher.fits(stored)).toBe(false)
    expect(await faultOf(cipher.decrypt(sourceOf(stored)))).toMatchObject({ kind: 'invalid', code: 'CRYPTO_PRIVATE_KEY_MISSING' })
    expect(await rejection(cipherOf('rsa.pub.asc', { mustDecrypt: true }))).toMatchObject({ code: 'CRYPTO_PRIVATE_KEY_MISSING' })
  })

  it('unlocks with the passphrase, writes without it, and refuses a wrong one', async () => {
    const unlocked = await cipherOf('locked.sec.asc', { passphrase: 'correct horse', mustDecrypt: true })
    const locked = await cipherOf('locked.sec.asc')
    expect(locked.canDecrypt).toBe(false)
    const stored = await collect(locked.encrypt(sourceOf('x')))
    expect(await collect(unlocked.decrypt(sourceOf(stored)))).toEqual(new TextEncoder().encode('x'))
    expect(await faultOf(locked.decrypt(sourceOf(stored)))).toMatchObject({ kind: 'invalid', code: 'CRYPTO_KEY_LOCKED' })
    expect(await rejection(cipherOf('locked.sec.asc', { mustDecrypt: true }))).toMatchObject({ code: 'CRYPTO_KEY_LOCKED' })
    const wrong = await rejection(cipherOf('locked.sec.asc', { passphrase: 'battery staple' }))
    expect([wrong.kind, wrong.code]).toEqual(['invalid', 'CRYPTO_PASSPHRASE_WRONG'])
    expect(JSON.stringify([wrong.message, wrong.hint, wrong.context, wrong.cause])).not.toContain('battery')
    expect((await cipherOf('ecc.sec.asc', { passphrase: 'not needed' })).canDecrypt).toBe(true)
  })

  it('names the keys that a message is for, and those at hand', async () => {
    const rsa = await cipherOf('rsa.sec.asc')
    const stored = await collect(rsa.encrypt(sourceOf('x')))
    const seen = { read: 0 }
    async function* counted(): AsyncGenerator<Uint8Array, void, undefined> {
      for await (const chunk of inChunks(stored, [600])) {
        seen.read += 1
        yield chunk
      }
    }
    const fault = await faultOf(ecc.decrypt(counted()))
    expect([fault?.kind, fault?.code]).toEqual(['corrupt', 'CRYPTO_KEY_MISMATCH'])
    const { readKey } = await import('openpgp')
    const [, subkey] = (await readKey({ armoredKey: keyText('rsa.pub.asc') })).getKeyIDs()
    expect(fault?.context['wanted']).toBe(subkey?.toHex().toUpperCase())
    expect(fault?.message).toContain(String(fault?.context['had']))
    expect(await ecc.fits(stored)).toBe(false)
    expect(seen.read).toBe(1)
  })

  it('reads but does not write with a key that expired, was revoked, or only signs', async () => {
    const { generateKey, revokeKey } = await import('openpgp')
    const userIDs = [{ name: 'test' }]
    const made = new Date(Date.now() - 100_000_000)
    const good = await generateKey({ userIDs, date: made, keyExpirationTime: 3600 })
    const { privateKey: revoked } = await revokeKey({ key: (await generateKey({ userIDs, date: made, format: 'object' })).privateKey })
    const { privateKey: signing } = await generateKey({ userIDs, subkeys: [] })
    for (const armoredKeys of [good.privateKey, revoked, signing]) {
      const fault = await rejection(openpgp({ armoredKeys, now, mustEncrypt: true }))
      expect([fault.kind, fault.code]).toEqual(['invalid', 'CRYPTO_KEY_CANNOT_ENCRYPT'])
      const seen: string[] = []
      async function* source(): AsyncGenerator<Uint8Array, void, undefined> {
        seen.push('opened')
        yield new Uint8Array(1)
      }
      const cipher = await openpgp({ armoredKeys, now })
      expect((await faultOf(cipher.encrypt(source())))?.code).toBe('CRYPTO_KEY_CANNOT_ENCRYPT')
      expect(seen).toEqual([])
    }
    const then = await openpgp({ armoredKeys: good.privateKey, now: () => new Date(made.getTime() + 1000) })
    const today = await openpgp({ armoredKeys: good.privateKey, now })
    expect(await collect(today.decrypt(then.encrypt(sourceOf('old'))))).toEqual(new TextEncoder().encode('old'))
  })

  it.each([
    ['rsa', { type: 'rsa', rsaBits: 2048 }],
    ['p-256', { type: 'ecc', curve: 'nistP256' }],
    ['p-521', { type: 'ecc', curve: 'nistP521' }],
    ['cv25519', { type: 'ecc', curve: 'curve25519Legacy' }],
    ['x25519', { type: 'curve25519' }],
    ['x448', { type: 'curve448' }],
  ] as const)('works with %s', async (_, type) => {
    const { generateKey } = await import('openpgp')
    const { privateKey } = await generateKey({ userIDs: [{ name: 'test' }], ...type })
    const cipher = await openpgp({ armoredKeys: privateKey, now, mustDecrypt: true })
    const stored = await collect(cipher.encrypt(sourceOf('curves')))
    expect(await cipher.fits(stored)).toBe(true)
    expect(await collect(cipher.decrypt(sourceOf(stored)))).toEqual(new TextEncoder().encode('curves'))
  })

  it('takes AES-256 only where AES-128 is not common', async () => {
    const { decryptSessionKeys, generateKey, readMessage, enums, config: defaults } = await import('openpgp')
    const config = { ...defaults, preferredSymmetricAlgorithm: enums.symmetric.aes256 }
    const { privateKey: key } = await generateKey({ userIDs: [{ name: 'test' }], format: 'object', config })
    for (const [preferences, expected] of [
      [[9], 'aes256'],
      [[9, 7], 'aes128'],
      [[8], 'aes128'],
      [[], 'aes128'],
    ] as const) {
      const user = key.users[0]?.selfCertifications[0]
      if (user === undefined) throw new Error('no user')
      user.rawNotations = []
      user.preferredSymmetricAlgorithms = [...preferences] as never
      await user.sign(
        key.keyPacket as never,
        { userID: key.users[0]?.userID, key: key.keyPacket } as never,
        ...([new Date(Date.now() - 1000), false, config] as unknown as [Date]),
      )
      const cipher = await openpgp({ armoredKeys: key.armor(), now })
      const message = await readMessage({ binaryMessage: await collect(cipher.encrypt(sourceOf('x'))) })
      expect((await decryptSessionKeys({ message, decryptionKeys: key }))[0]?.algorithm).toBe(expected)
    }
  })

  it('cannot be used after it was disposed of, and has overwritten its key', async () => {
    const cipher = await cipherOf('ecc.sec.asc')
    const stored = await collect(cipher.encrypt(sourceOf('x')))
    cipher[Symbol.dispose]()
    expect((await faultOf(cipher.decrypt(sourceOf(stored))))?.code).toBe('CRYPTO_DISPOSED')
    expect((await faultOf(cipher.encrypt(sourceOf(stored))))?.code).toBe('CRYPTO_DISPOSED')
    expect((await rejection(cipher.fits(stored))).code).toBe('CRYPTO_DISPOSED')
  })
})

describe('fits', () => {
  it('needs the session keys alone', async () => {
    const stored = await collect(ecc.encrypt(sourceOf(noise(100_000))))
    const sessionBytes = 2 + (stored[1] ?? 0)
    expect(await ecc.fits(stored.subarray(0, sessionBytes))).toBe(true)
    expect(await ecc.fits(stored.subarray(0, sessionBytes - 1))).toBe(false)
    expect(ecc.headBytes).toBeLessThan(65_536)
  })

  it.each([
    ['nothing', new Uint8Array(0)],
    ['noise', noise(5000)],
    ['zeros', new Uint8Array(500)],
    ['a packet of another kind', Uint8Array.of(0xcb, 6, 98, 0, 0, 0, 0, 0)],
  ])('is false for %s', async (_, head) => {
    expect(await ecc.fits(head)).toBe(false)
  })
})
