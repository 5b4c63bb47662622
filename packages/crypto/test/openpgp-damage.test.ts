import { concatBytes, sourceOf } from '@waltz/bytes'
import { soaking } from '@waltz/testkit'
import { describe, expect, it } from 'vitest'
import type { Cipher } from '../src/cipher.ts'
import { cipherOf, literal, packet, seal } from './openpgp-support.ts'
import { collect, mutate, noise, outcomeOf } from './support.ts'

/** `npm run fuzz` sets the first: messages with keys take ten times as long as others. */
const CASES = Number(process.env['WALTZ_FUZZ_CASES'] ?? (soaking ? 10_000_000 : 100_000)) / 10
const TIMEOUT_MS = 60_000 + CASES * 10
const ecc = await cipherOf('ecc.sec.asc')
const plain = noise(3000)

/**
 * Opening a session key takes most of the time of a small message. The library's answers are remembered here, by the packet, so that
 * the many changes elsewhere cost little.
 */
async function rememberSessionKeys(): Promise<void> {
  const { PublicKeyEncryptedSessionKeyPacket } = await import('openpgp')
  interface Opened {
    sessionKey: Uint8Array
    sessionKeyAlgorithm: number
    write(): Uint8Array
    decrypt(key: unknown): Promise<void>
  }
  const prototype = PublicKeyEncryptedSessionKeyPacket.prototype as unknown as Opened
  const { decrypt } = prototype
  const known = new Map<string, readonly [Uint8Array, number]>()
  prototype.decrypt = async function remembered(this: Opened, key) {
    const name = Buffer.from(this.write()).toString('latin1')
    const found = known.get(name)
    if (found === undefined) {
      await decrypt.call(this, key)
      known.set(name, [Uint8Array.from(this.sessionKey), this.sessionKeyAlgorithm])
    } else {
      this.sessionKey = Uint8Array.from(found[0])
      this.sessionKeyAlgorithm = found[1]
    }
  }
}
await rememberSessionKeys()

interface Attacked {
  readonly cipher: Cipher
  readonly wanted: Uint8Array
  /** The engine hands out content before the check, however little it is. */
  readonly released?: boolean
}

/** Every change gives a fault at the end, or exactly what was written. Returns how many did no harm, and the codes. */
async function survives({ cipher, wanted, released = false }: Attacked, changes: Iterable<Uint8Array>): Promise<Map<string, number>> {
  const codes = new Map<string, number>()
  for (const bytes of changes) {
    const { bytes: out, fault } = await outcomeOf(cipher.decrypt(sourceOf(bytes)))
    const code = fault?.code ?? 'HARMLESS'
    codes.set(code, (codes.get(code) ?? 0) + 1)
    if (fault === undefined) expect(Buffer.compare(out, wanted)).toBe(0)
    else if (!['corrupt', 'unsupported'].includes(fault.kind)) throw fault
    // Content of one block is only released after the check.
    else if (bytes.length < 262_144 && !released) expect(out.length).toBe(0)
  }
  return codes
}

function* mutations(stored: Uint8Array, borders: readonly number[], count: number): Generator<Uint8Array, void, undefined> {
  for (let seed = 1; seed <= count; seed += 1) yield mutate(stored, borders, seed).bytes
}

/** How long the session key packet for the ECC key is. */
const sessionBytes = (stored: Uint8Array): number => 2 + (stored[1] ?? 0)

/** Where the parts of a message begin. */
const bordersOf = (stored: Uint8Array, parts: readonly number[]): number[] => {
  const data = sessionBytes(stored)
  const borders = [0, data, data + 2]
  let at = data + 1
  for (const exponent of parts) {
    at += 2 ** exponent + 1
    borders.push(at)
  }
  return [...borders.filter((border) => border < stored.length - 23), stored.length - 22, stored.length]
}

describe('damaged messages', () => {
  it(`${CASES} seeded changes of a message in parts`, { timeout: TIMEOUT_MS }, async () => {
    const parts = [9, 9, 10, 9]
    const stored = await seal(literal(plain, { parts: [9, 10, 9] }), { framing: { parts }, cipher: 'aes128' })
    const codes = await survives({ cipher: ecc, wanted: plain }, mutations(stored, bordersOf(stored, parts), CASES))
    expect([...codes.keys()].sort()).toEqual(
      expect.arrayContaining(['CRYPTO_DAMAGED', 'CRYPTO_KEY_MISMATCH', 'CRYPTO_TRAILING_BYTES', 'CRYPTO_TRUNCATED']),
    )
    // Exchanging a part with itself, setting a byte to what it was: nothing else may go unnoticed.
    expect(codes.get('HARMLESS') ?? 0).toBeLessThan(CASES / 20)
  })

  it('every bit of a small message', { timeout: TIMEOUT_MS }, async () => {
    const stored = await collect(ecc.encrypt(sourceOf('hello')))
    const flips = function* (): Generator<Uint8Array, void, undefined> {
      for (let bit = 0; bit < stored.length * 8; bit += 1) {
        const bytes = Uint8Array.from(stored)
        bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        yield bytes
      }
    }
    const codes = await survives({ cipher: ecc, wanted: new TextEncoder().encode('hello') }, flips())
    // The upper bits of a big number's length, and of X25519's point, mean nothing.
    expect(codes.get('HARMLESS') ?? 0).toBeLessThan(12)
  })

  it('every cut of a small message', async () => {
    const stored = await collect(ecc.encrypt(sourceOf('hello')))
    const cuts = function* (): Generator<Uint8Array, void, undefined> {
      for (let length = 0; length < stored.length; length += 1) yield stored.subarray(0, length)
    }
    const codes = await survives({ cipher: ecc, wanted: new Uint8Array(0) }, cuts())
    expect([...codes.keys()]).toEqual(['CRYPTO_TRUNCATED'])
    expect(codes.get('CRYPTO_TRUNCATED')).toBe(stored.length)
  })

  it('cuts, flips and exchanged parts of a message of several blocks', { timeout: TIMEOUT_MS }, async () => {
    const big = noise(1_500_000)
    const stored = await collect(ecc.encrypt(sourceOf(big)))
    const data = sessionBytes(stored)
    const borders = [0, data, data + 2, ...[1, 2, 3, 4, 5].map((part) => data + 1 + part * 262_145), stored.length]
    const codes = await survives({ cipher: ecc, wanted: big }, mutations(stored, borders, 120))
    expect(codes.get('HARMLESS') ?? 0).toBeLessThan(12)
  })

  it('500 seeded changes of a message that the library reads', { timeout: TIMEOUT_MS }, async () => {
    const library = await cipherOf('ecc.sec.asc', { engine: 'openpgpjs' })
    const stored = await seal(literal(plain, { parts: [9, 10, 9] }), { framing: { parts: [9, 9, 10, 9] } })
    const codes = await survives(
      { cipher: library, wanted: plain, released: true },
      mutations(stored, bordersOf(stored, [9, 9, 10, 9]), 500),
    )
    expect(codes.get('HARMLESS') ?? 0).toBeLessThan(30)
  })

  it('another recipient left out does no harm, the session key of another message does', async () => {
    const two = await cipherOf('two.pub.asc')
    const stored = await collect(two.encrypt(sourceOf('hello')))
    const other = await collect(two.encrypt(sourceOf('other')))
    const rsaBytes = stored.length - (await collect(ecc.encrypt(sourceOf('hello')))).length
    const withoutRsa = stored.subarray(rsaBytes)
    expect(new TextDecoder().decode(await collect(ecc.decrypt(sourceOf(withoutRsa))))).toBe('hello')
    const heads = rsaBytes + sessionBytes(withoutRsa)
    const mixed = concatBytes([other.subarray(0, heads), stored.subarray(heads)])
    expect((await outcomeOf(ecc.decrypt(sourceOf(mixed)))).fault?.code).toBe('CRYPTO_DAMAGED')
  })

  it('an integrity protected packet cannot be passed off as one without protection', async () => {
    const stored = await seal(literal(plain))
    const body = stored.subarray(96 + 6 + 1)
    for (const tag of [9, 20]) {
      const { fault, bytes } = await outcomeOf(ecc.decrypt(sourceOf(concatBytes([stored.subarray(0, 96), packet(tag, body)]))))
      expect([bytes.length, fault?.kind]).toEqual([0, tag === 9 ? 'unsupported' : expect.stringMatching(/corrupt|unsupported/)])
    }
  })
})
