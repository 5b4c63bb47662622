import { createSecretKey } from 'node:crypto'
import { concatBytes, type ByteSource } from '@waltz/bytes'
import { soaking } from '@waltz/testkit'
import { describe, expect, it } from 'vitest'
import { decryptDare, encryptDare } from '../src/dare.ts'
import { libsodium } from '../src/libsodium.ts'
import { collect, mutate, noise, once, outcomeOf } from './support.ts'

/** `npm run fuzz` sets it. */
const COUNT = Number(process.env['WALTZ_FUZZ_CASES'] ?? (soaking ? 2_000_000 : 100_000))
/** Tests of 100 000 streams each take a few seconds. */
const TIMEOUT_MS = 60_000 + COUNT

interface Subject {
  readonly plain: Uint8Array
  readonly stored: Uint8Array
  readonly borders: readonly number[]
}

/** Opens `COUNT` damaged messages. Whatever comes out must be a beginning of what went in, and all of it unless there is a fault. */
async function attack(subjects: readonly Subject[], open: (stored: Uint8Array) => ByteSource): Promise<Map<string, number>> {
  const codes = new Map<string, number>()
  for (let seed = 0; seed < COUNT; seed += 1) {
    const { plain, stored, borders } = subjects[seed % subjects.length]!
    const { name, bytes } = mutate(stored, borders, seed)
    const { bytes: opened, fault } = await outcomeOf(open(bytes))
    const same = Buffer.compare(opened, plain.subarray(0, opened.length)) === 0
    const whole = fault === undefined && Buffer.compare(bytes, stored) !== 0
    if (
      !same ||
      opened.length > plain.length ||
      (fault === undefined && opened.length !== plain.length) ||
      whole ||
      (fault && fault.kind !== 'corrupt')
    ) {
      throw new Error(`seed ${seed}: ${name} of ${stored.length} bytes gave ${opened.length} bytes and ${fault?.code ?? 'no fault'}`)
    }
    codes.set(fault?.code ?? 'unchanged', (codes.get(fault?.code ?? 'unchanged') ?? 0) + 1)
  }
  return codes
}

const steps = (first: number, step: number, end: number): number[] => {
  const borders = [0]
  for (let at = first; at < end; at += step) borders.push(at)
  return [...borders, end]
}

describe('damaged messages', () => {
  it('of libsodium give a fault, never other bytes', { timeout: TIMEOUT_MS }, async () => {
    const cipher = libsodium({ key: noise(32) })
    const subjects = await Promise.all(
      [0, 1, 50, 200, 8191, 8192, 8193, 16_384, 24_000].map(async (length) => {
        const plain = noise(length)
        const stored = await collect(cipher.encrypt(once(plain)))
        return { plain, stored, borders: steps(24, 8209, stored.length) }
      }),
    )
    const weighted = [...Array.from({ length: 24 }, (_, index) => subjects[index % 4]!), ...subjects]
    const codes = await attack(weighted, (stored) => cipher.decrypt(once(stored)))
    expect([...codes.keys()].toSorted()).toEqual([
      'CRYPTO_DAMAGED',
      'CRYPTO_EMPTY_UNREADABLE',
      'CRYPTO_KEY_MISMATCH',
      'CRYPTO_TRUNCATED',
      'unchanged',
    ])
  })

  it('of DARE 2.0 give a fault, never other bytes', { timeout: TIMEOUT_MS }, async () => {
    const key = createSecretKey(noise(32))
    const subjects = await Promise.all(
      [1, 2, 50, 200, 1000, 65_536, 65_537, 140_000].map(async (length) => {
        const plain = noise(length)
        const stored = await collect(encryptDare(once(plain), { key, cipher: length % 2 === 0 ? 'aes-256-gcm' : 'chacha20-poly1305' }))
        return { plain, stored, borders: steps(65_568, 65_568, stored.length) }
      }),
    )
    const weighted = [...Array.from({ length: 300 }, (_, index) => subjects[index % 5]!), ...subjects]
    // A stream cut to nothing is an empty one: the layer above knows that its object has content.
    const codes = await attack(weighted, (stored) =>
      stored.length === 0 ? failing() : decryptDare(once(stored), { key, scheme: 'aws-kms', offset: 0 }),
    )
    expect([...codes.keys()].toSorted()).toEqual(['CRYPTO_DAMAGED', 'CRYPTO_TRAILING_BYTES', 'CRYPTO_TRUNCATED', 'unchanged'])
  })

  it('of several packages and chunks are noticed at every border', async () => {
    const plain = noise(300_000)
    const key = createSecretKey(noise(32))
    const cipher = libsodium({ key: noise(32) })
    const forms: readonly [Uint8Array, number, number, (stored: Uint8Array) => ByteSource][] = [
      [await collect(cipher.encrypt(once(plain))), 24, 8209, (stored) => cipher.decrypt(once(stored))],
      [
        await collect(encryptDare(once(plain), { key })),
        0,
        65_568,
        (stored) => decryptDare(once(stored), { key, scheme: 'yandex-kms', offset: 0 }),
      ],
    ]
    for (const [stored, first, step, open] of forms) {
      for (let at = first === 0 ? step : first; at < stored.length; at += step) {
        const { bytes, fault } = await outcomeOf(open(stored.subarray(0, at)))
        expect(fault?.code).toBe('CRYPTO_TRUNCATED')
        expect(Buffer.compare(bytes, plain.subarray(0, bytes.length))).toBe(0)
        const dropped = concatBytes([stored.subarray(0, at), stored.subarray(at + step)])
        expect((await outcomeOf(open(dropped))).fault?.kind).toBe('corrupt')
      }
    }
  })
})

// oxlint-disable-next-line require-yield -- stands for the layer above
async function* failing(): AsyncGenerator<Uint8Array, void, undefined> {
  const { truncatedFault } = await import('../src/crypto-faults.ts')
  throw truncatedFault({ scheme: 'aws-kms', offset: 0 }, 'something')
}
