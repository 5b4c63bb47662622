import { gzipSync } from 'node:zlib'
import { sourceOf } from '@waltz/bytes'
import { Fault } from '@waltz/errors'
import { describe, expect, it } from 'vitest'
import { awsKms, type KeyService } from '../src/aws-kms.ts'
import { createKeyRing, type Cipher } from '../src/index.ts'
import { libsodium } from '../src/libsodium.ts'
import { collect, expectSame, faultOf, hex, inChunks, noise, once, rejection, small, thrown } from './support.ts'

const keyOf = (seed: number): Cipher => libsodium({ key: noise(32, seed) })
const sealed = (cipher: Cipher, length = 20_000): Promise<Uint8Array> => collect(cipher.encrypt(once(noise(length))))

/** A key service in memory: the blob is the data key behind a mark, filled up to the length that AWS has. */
function memoryService(mark: number, asked: string[] = []): KeyService {
  return {
    keyId: `key-${mark}`,
    wrap: async (dataKey) => Buffer.concat([Buffer.alloc(152, mark), dataKey]),
    unwrap: async (wrapped) => {
      asked.push(`key-${mark}`)
      if (wrapped[0] !== mark) throw new Fault('corrupt', 'CRYPTO_WRAPPED_KEY_REFUSED', 'another key')
      return wrapped.slice(152)
    },
  }
}

/** Counts how often a cipher is asked. */
function counted(cipher: Cipher): { readonly cipher: Cipher; readonly asked: () => number } {
  let asked = 0
  return {
    cipher: {
      ...cipher,
      fits: (head) => {
        asked += 1
        return cipher.fits(head)
      },
    },
    asked: () => asked,
  }
}

describe('a key ring', () => {
  it('writes with the current key and reads with whichever fits', async () => {
    const ring = createKeyRing({ current: keyOf(1), previous: [keyOf(2), keyOf(3)], plaintext: 'refuse' })
    for (const seed of [1, 2, 3]) {
      for (const length of [0, 1, 8192, 20_000, 700_000]) {
        const stored = await sealed(keyOf(seed), length)
        expectSame(await collect(ring.decrypt(inChunks(stored, [1, 300, 100_000]))), noise(length))
        expect(await ring.fits(stored.subarray(0, ring.headBytes))).toBe(true)
      }
    }
    expectSame(await collect(keyOf(1).decrypt(ring.encrypt(once(noise(50))))), noise(50))
    expect([ring.scheme, ring.keyName, ring.canDecrypt, ring.authenticates]).toEqual([
      'libsodium',
      keyOf(1).keyName,
      true,
      'before-release',
    ])
  })

  it('tries the key that fitted last first', async () => {
    const [one, two] = [counted(keyOf(1)), counted(keyOf(2))]
    const ring = createKeyRing({ current: one.cipher, previous: [two.cipher], plaintext: 'refuse' })
    const old = await sealed(keyOf(2))
    for (let turn = 0; turn < 5; turn += 1) await collect(ring.decrypt(once(old)))
    expect([one.asked(), two.asked()]).toEqual([1, 5])
  })

  it('mixes schemes, and asks a key service only for objects that look like its own', async () => {
    const asked: string[] = []
    const [first, second] = [awsKms({ service: memoryService(1, asked) }), awsKms({ service: memoryService(2, asked) })]
    const ring = createKeyRing({ current: first, previous: [keyOf(5), second], plaintext: 'refuse' })
    expectSame(await collect(ring.decrypt(once(await sealed(keyOf(5))))), noise(20_000))
    expect(asked).toEqual([])
    const other = awsKms({ service: memoryService(2) })
    expectSame(await collect(ring.decrypt(once(await sealed(other)))), noise(20_000))
    expect(asked).toEqual(['key-1', 'key-2'])
    expectSame(await collect(ring.decrypt(ring.encrypt(once(noise(9))))), noise(9))
  })

  it('goes on to the next key when a service does not answer, and says so when none fits', async () => {
    const silent: KeyService = {
      ...memoryService(1),
      unwrap: async () => {
        throw new Fault('unavailable', 'CRYPTO_SERVICE_UNREACHABLE', 'no way')
      },
    }
    const service = memoryService(2)
    const ring = createKeyRing({ current: awsKms({ service: silent }), previous: [awsKms({ service })], plaintext: 'refuse' })
    expectSame(await collect(ring.decrypt(once(await sealed(awsKms({ service }))))), noise(20_000))
    const foreign = await sealed(awsKms({ service: memoryService(3) }))
    expect((await faultOf(ring.decrypt(once(foreign))))?.code).toBe('CRYPTO_SERVICE_UNREACHABLE')
    expect((await rejection(ring.fits(foreign))).code).toBe('CRYPTO_SERVICE_UNREACHABLE')
  })

  it.each([
    ['lz4', hex('04224d186470b900000000055dcc02')],
    ['zstd', hex('28b52ffd046801000099e9d851')],
    ['lzma', hex('5d00008000ffffffffffffffff00')],
    ['gzip', new Uint8Array(gzipSync(noise(100_000)))],
  ] as const)('refuses plain %s, or lets it through when told to, and says so', async (framing, plain) => {
    const strict = createKeyRing({ current: keyOf(1), previous: [], plaintext: 'refuse' })
    const fault = await faultOf(strict.decrypt(once(plain)))
    expect([fault?.kind, fault?.code]).toEqual(['denied', 'CRYPTO_PLAINTEXT_REFUSED'])
    expect(fault?.message).toContain(framing)
    const told: string[] = []
    const open = createKeyRing({ current: keyOf(1), previous: [], plaintext: 'allow', onPlaintext: (what) => told.push(what) })
    expectSame(await collect(open.decrypt(inChunks(plain, [5, 60_000]))), plain)
    expect(told).toEqual([framing])
    expectSame(await collect(createKeyRing({ current: keyOf(1), previous: [], plaintext: 'allow' }).decrypt(once(plain))), plain)
  })

  it('names what it found when no key fits', async () => {
    const ring = createKeyRing({ current: keyOf(1), previous: [keyOf(2)], plaintext: 'allow' })
    const fault = await faultOf(ring.decrypt(once(await sealed(keyOf(9)))))
    expect([fault?.kind, fault?.code, fault?.context['framing']]).toEqual(['corrupt', 'CRYPTO_NO_KEY_FITS', 'unknown'])
    const pgp = hex('845e03 3BE0C94F8BDCA96B 12'.padEnd(2)).subarray(0)
    const message = Buffer.concat([pgp, Buffer.alloc(0x5e - 10, 1), hex('845e03 0123456789ABCDEF 12'), Buffer.alloc(0x5e - 10, 1)])
    const asked = await faultOf(ring.decrypt(once(new Uint8Array(message))))
    expect(asked?.context).toMatchObject({ framing: 'openpgp', wanted: '3BE0C94F8BDCA96B, 0123456789ABCDEF' })
    expect((await faultOf(ring.decrypt(once(small('awskms/p1')))))?.context['framing']).toBe('aws-kms')
    expect((await faultOf(ring.decrypt(once(small('libsodium/p0')))))?.code).toBe('CRYPTO_EMPTY_UNREADABLE')
    expect((await faultOf(ring.decrypt(once(new Uint8Array(0)))))?.code).toBe('CRYPTO_NO_KEY_FITS')
    expect((await faultOf(ring.decrypt(sourceOf('1\t0/3000000\tbefore\n'))))?.code).toBe('CRYPTO_NO_KEY_FITS')
    const envelope = hex('656e76656c6f70652d79632d6b6d7301 10000000 33424530433934463842444341393642 03000000 aabbcc')
    expect((await faultOf(ring.decrypt(once(envelope))))?.context['wanted']).toBe('3BE0C94F8BDCA96B')
  })

  it('finds damage behind the head with the code of the cipher', async () => {
    const ring = createKeyRing({ current: keyOf(1), previous: [keyOf(2)], plaintext: 'refuse' })
    const stored = await sealed(keyOf(2))
    stored[15_000] = (stored[15_000] ?? 0) ^ 1
    expect((await faultOf(ring.decrypt(once(stored))))?.code).toBe('CRYPTO_DAMAGED')
  })

  it('does not write without a current key', async () => {
    const ring = createKeyRing({ previous: [keyOf(2)], plaintext: 'refuse' })
    const fault = await faultOf(ring.encrypt(sourceOf('x')))
    expect([fault?.kind, fault?.code]).toEqual(['invalid', 'CRYPTO_NO_CURRENT_KEY'])
    expectSame(await collect(ring.decrypt(once(await sealed(keyOf(2))))), noise(20_000))
    expect(thrown(() => createKeyRing({ previous: [], plaintext: 'refuse' })).code).toBe('CRYPTO_KEY_INVALID')
  })

  it('passes a failing source on, closes it, and disposes of all its keys', async () => {
    const ring = createKeyRing({ current: keyOf(1), previous: [keyOf(2)], plaintext: 'refuse' })
    const failing = async function* () {
      yield (await sealed(keyOf(1))).subarray(0, 10_000)
      throw new RangeError('the network')
    }
    await expect(collect(ring.decrypt(failing()))).rejects.toThrow(RangeError)
    let closed = 0
    const watched = async function* () {
      try {
        yield* inChunks(await sealed(keyOf(8), 1_000_000), [5000])
      } finally {
        closed += 1
      }
    }
    expect((await faultOf(ring.decrypt(watched())))?.code).toBe('CRYPTO_NO_KEY_FITS')
    expect(closed).toBe(1)
    ring[Symbol.dispose]()
    expect((await faultOf(ring.encrypt(sourceOf('x'))))?.code).toBe('CRYPTO_DISPOSED')
    expect((await faultOf(ring.decrypt(once(await sealed(keyOf(2))))))?.code).toBe('CRYPTO_DISPOSED')
  })
})
