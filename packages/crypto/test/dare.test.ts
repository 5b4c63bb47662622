import { createCipheriv, createSecretKey } from 'node:crypto'
import { array, assert, asyncProperty, integer } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decryptDare, encryptDare, type DareCipher } from '../src/dare.ts'
import { EDGES, collect, expectSame, faultOf, hex, inChunks, noise, once, outcomeOf } from './support.ts'

const key = createSecretKey(hex('000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f'))
const nonce = hex('000102030405060708090a0b')
const reading = { key, scheme: 'aws-kms', offset: 184 } as const
const read = (stored: Uint8Array, sizes: readonly number[] = [stored.length]) => decryptDare(inChunks(stored, sizes), reading)
const write = (plain: Uint8Array, cipher?: DareCipher) =>
  collect(encryptDare(once(plain), { key, nonce, ...(cipher === undefined ? {} : { cipher }) }))

describe('DARE 2.0', () => {
  it('writes and reads the published vectors', async () => {
    const hello = hex('20000400 800102030405060708090a0b 41ef91f4a8 e72ed7de682ca056a7d5f45285f0625e')
    expectSame(await write(Buffer.from('hello')), hello)
    expect(Buffer.from(await collect(read(hello))).toString()).toBe('hello')
    const long = await write(new Uint8Array(65_541).fill(0x61))
    expect(long.length).toBe(65_605)
    expectSame(long.subarray(-37), hex('20000400 800102030405060708090a0b 9b7c3573ab d3f80a84c746f8e9470b018c5421b572'))
    const full = await write(new Uint8Array(65_536).fill(0x61))
    expect([full.length, full[4]]).toEqual([65_568, 0x80])
    expect(await write(new Uint8Array(0))).toEqual(new Uint8Array(0))
    expect(await collect(read(new Uint8Array(0)))).toEqual(new Uint8Array(0))
  })

  it.each(['aes-256-gcm', 'chacha20-poly1305'] as const)('round trips of %s at all edges', async (cipher) => {
    for (const length of EDGES) {
      const plain = noise(length)
      const stored = await collect(encryptDare(inChunks(plain, [70_000, 1, 65_536]), { key, cipher }))
      expect(stored.length).toBe(length + Math.ceil(length / 65_536) * 32)
      expectSame(await collect(read(stored, [100_000, 5])), plain)
    }
  })

  it('does not care how the chunks of its input are cut', async () => {
    const plain = noise(200_000)
    const stored = await write(plain)
    await assert(
      asyncProperty(array(integer({ min: 1, max: 140_000 }), { minLength: 1, maxLength: 8 }), async (sizes) => {
        expectSame(await collect(encryptDare(inChunks(plain, sizes), { key, nonce })), stored)
        expectSame(await collect(read(stored, sizes)), plain)
      }),
      { numRuns: 40 },
    )
  })

  it.each([
    ['a cut at the border of a package', (stored: Uint8Array) => stored.subarray(0, 65_568), 'CRYPTO_TRUNCATED', 184 + 65_568],
    ['a cut in a package', (stored: Uint8Array) => stored.subarray(0, 70_000), 'CRYPTO_TRUNCATED', 184 + 70_000],
    ['a cut in a header', (stored: Uint8Array) => stored.subarray(0, 7), 'CRYPTO_TRUNCATED', 191],
    ['a byte more', (stored: Uint8Array) => Buffer.concat([stored, Buffer.from([0x20])]), 'CRYPTO_TRAILING_BYTES', 184 + 100_064],
    [
      'a whole package more',
      (stored: Uint8Array) => Buffer.concat([stored, stored.subarray(65_568)]),
      'CRYPTO_TRAILING_BYTES',
      184 + 100_064,
    ],
    ['another version', (stored: Uint8Array) => stored.map((byte, at) => (at === 0 ? 0x30 : byte)), 'CRYPTO_DAMAGED', 184],
    ['another cipher', (stored: Uint8Array) => stored.map((byte, at) => (at === 1 ? 1 : byte)), 'CRYPTO_DAMAGED', 184],
    [
      'another nonce',
      (stored: Uint8Array) => stored.map((byte, at) => (at === 65_568 + 9 ? byte ^ 1 : byte)),
      'CRYPTO_DAMAGED',
      184 + 65_568,
    ],
    ['a final mark', (stored: Uint8Array) => stored.map((byte, at) => (at === 4 ? byte | 0x80 : byte)), 'CRYPTO_DAMAGED', 184],
    ['a short length', (stored: Uint8Array) => stored.map((byte, at) => (at === 2 ? 0 : byte)), 'CRYPTO_DAMAGED', 184],
    [
      'packages exchanged',
      (stored: Uint8Array) => Buffer.concat([stored.subarray(65_568), stored.subarray(0, 65_568)]),
      'CRYPTO_DAMAGED',
      184,
    ],
  ])('tells %s', async (_, change, code, offset) => {
    const stored = await write(noise(100_000))
    const { fault } = await outcomeOf(read(change(stored)))
    expect([fault?.kind, fault?.code, fault?.context['offset']]).toEqual(['corrupt', code, offset])
  })

  it('tells another data key', async () => {
    const other = decryptDare(once(await write(noise(100))), { ...reading, key: createSecretKey(noise(32)) })
    expect((await faultOf(other))?.code).toBe('CRYPTO_DAMAGED')
  })

  it('reads only AES-GCM of version 2 when strict', async () => {
    const strict = async (stored: Uint8Array) => outcomeOf(decryptDare(once(stored), { ...reading, strict: true }))
    expect((await strict(await write(noise(10), 'chacha20-poly1305'))).fault?.code).toBe('CRYPTO_FORMAT_UNSUPPORTED')
    expect((await strict(first([noise(10)]))).fault?.code).toBe('CRYPTO_FORMAT_UNSUPPORTED')
    expectSame((await strict(await write(noise(10)))).bytes, noise(10))
  })
})

/** DARE 1.0, written here from its description: there is no writer for it any more. */
function first(parts: readonly Uint8Array[], cipher = 0): Uint8Array {
  const packages = parts.map((plain, sequence) => {
    const header = Buffer.alloc(16)
    header[0] = 0x10
    header[1] = cipher
    header.writeUInt16LE(plain.length - 1, 2)
    header.writeUInt32LE(sequence, 4)
    header.set(noise(8, 11), 8)
    const name = (cipher === 0 ? 'aes-256-gcm' : 'chacha20-poly1305') as 'aes-256-gcm'
    const sealing = createCipheriv(name, key, header.subarray(4), { authTagLength: 16 })
    sealing.setAAD(header.subarray(0, 4))
    return Buffer.concat([header, sealing.update(plain), sealing.final(), sealing.getAuthTag()])
  })
  return Buffer.concat(packages)
}

describe('DARE 1.0', () => {
  it.each([0, 1])('is read, with packages of any length (cipher %i)', async (cipher) => {
    for (const lengths of [[1], [65_536], [65_536, 5], [7, 65_536, 1, 300]]) {
      const parts = lengths.map((length, index) => noise(length, index))
      expectSame(await collect(read(first(parts, cipher), [50_000, 3])), Buffer.concat(parts))
    }
  })
  it('notices packages that are exchanged, missing, of another stream, or changed', async () => {
    const [one, two] = [first([noise(50)]), first([noise(50), noise(60)]).subarray(82)]
    expect((await faultOf(read(Buffer.concat([two, one]))))?.code).toBe('CRYPTO_DAMAGED')
    expect((await faultOf(read(two)))?.code).toBe('CRYPTO_DAMAGED')
    const second = await write(noise(10))
    expect((await faultOf(read(Buffer.concat([one, second]))))?.code).toBe('CRYPTO_DAMAGED')
    for (let at = 0; at < 30; at += 1) {
      expect((await faultOf(read(one.map((byte, index) => (index === at ? byte ^ 4 : byte)))))?.kind).toBe('corrupt')
    }
  })
})
