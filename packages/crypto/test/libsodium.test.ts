import { createHash } from 'node:crypto'
import { createBlockPool, sourceOf } from '@waltz/bytes'
import { array, assert, asyncProperty, integer } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { libsodium, libsodiumKey, type SodiumEngineName } from '../src/libsodium.ts'
import { encryptStream } from '../src/libsodium-stream.ts'
import { loadSodium } from '../src/secretstream.ts'
import { EDGES, collect, expectSame, faultOf, hex, inChunks, noise, once, outcomeOf, small, thrown } from './support.ts'

const ENGINES: readonly SodiumEngineName[] = ['sodium-native', 'libsodium-wrappers']
const key = noise(32, 1)
const VECTOR = hex('acd0cb9cc1d939e15da060b27f65dd00d62b5e3325be5f2d bd9a5316ef16192fee4fefde345be7fe65ec22d8c1d7')
const vectorKey = libsodiumKey({ text: 'walg-libsodium-example-key', from: 'setting' })

describe.each(ENGINES)('libsodium with %s', (engine) => {
  const cipher = libsodium({ key, engine })

  it('reads and writes the published vector', async () => {
    expect(Buffer.from(await collect(libsodium({ key: vectorKey, engine }).decrypt(once(VECTOR)))).toString()).toBe('hello')
    const loaded = await loadSodium(engine)
    const written = await collect(encryptStream(sourceOf('hello'), async (header) => loaded.open(header, vectorKey), VECTOR.slice(0, 24)))
    expectSame(written, VECTOR)
  })

  it.each(EDGES)('%i bytes come back, with chunks as the format wants them', async (length) => {
    const plain = noise(length)
    const stored = await collect(cipher.encrypt(inChunks(plain, [100_000, 1, 8192, 7])))
    expect(stored.length).toBe(24 + length + (Math.floor(length / 8192) + 1) * 17)
    expectSame(await collect(cipher.decrypt(inChunks(stored, [65_536, 3]))), plain)
  })

  it('does not care how the chunks of its input are cut', async () => {
    const plain = noise(40_000)
    const stored = await collect(cipher.encrypt(once(plain)))
    await assert(
      asyncProperty(array(integer({ min: 1, max: 20_000 }), { minLength: 1, maxLength: 8 }), async (sizes) => {
        expectSame(await collect(cipher.decrypt(inChunks(stored, sizes))), plain)
        expectSame(await collect(cipher.decrypt(cipher.encrypt(inChunks(plain, sizes)))), plain)
      }),
      { numRuns: 30 },
    )
  })

  it('reads what WAL-G wrote, at every edge length', async () => {
    const walg = libsodium({ key: libsodiumKey({ text: 'libsodium-key-26-chars-abc', from: 'setting' }), engine })
    for (const line of Buffer.from(small('plain.tsv')).toString().trim().split('\n').slice(1)) {
      const [name = '', size, sha256] = line.split('\t')
      if (!['p1', 'p8191', 'p8192', 'p8193'].includes(name)) continue
      const plain = await collect(walg.decrypt(once(small(`libsodium/${name}`))))
      expect([plain.length, createHash('sha256').update(plain).digest('hex')]).toEqual([Number(size), sha256])
    }
    expect(await collect(walg.decrypt(once(small('libsodium/p0.lz4'))))).toEqual(hex('04224d186470b900000000055dcc02'))
  })
})

describe('libsodium', () => {
  const cipher = libsodium({ key })
  const damage = async (change: (stored: Uint8Array) => Uint8Array, length = 20_000) =>
    outcomeOf(cipher.decrypt(once(change(await collect(cipher.encrypt(once(noise(length))))))))

  it('writes the same bytes with both engines', async () => {
    const [native, portable] = await Promise.all(ENGINES.map(loadSodium))
    for (const length of EDGES) {
      const write = async (loaded: Awaited<ReturnType<typeof loadSodium>> | undefined) =>
        collect(encryptStream(once(noise(length)), async (header) => loaded!.open(header, key), noise(24, 3)))
      expectSame(await write(native), await write(portable))
    }
  })

  it('says which engine works', async () => {
    const told: string[] = []
    const onEngine = (name: string) => told.push(name)
    await collect(libsodium({ key, onEngine }).encrypt(once(noise(5))))
    await collect(libsodium({ key, onEngine, engine: 'libsodium-wrappers' }).encrypt(once(noise(5))))
    expect(told).toEqual(['sodium-native', 'libsodium-wrappers'])
  })

  it('never uses a header twice', async () => {
    const one = await collect(cipher.encrypt(sourceOf('same')))
    const two = await collect(cipher.encrypt(sourceOf('same')))
    expect(Buffer.compare(one.subarray(0, 24), two.subarray(0, 24))).not.toBe(0)
  })

  it('tells a wrong key', async () => {
    const stored = await collect(libsodium({ key: noise(32, 2) }).encrypt(once(noise(30_000))))
    const { bytes, fault } = await outcomeOf(cipher.decrypt(once(stored)))
    expect([bytes.length, fault?.kind, fault?.code, fault?.context['offset']]).toEqual([0, 'corrupt', 'CRYPTO_KEY_MISMATCH', 24])
  })

  it.each([
    ['a damaged header', (stored: Uint8Array) => stored.map((byte, at) => (at === 5 ? byte ^ 1 : byte)), 'CRYPTO_KEY_MISMATCH', 24],
    [
      'a bit in the second chunk',
      (stored: Uint8Array) => stored.map((byte, at) => (at === 9000 ? byte ^ 1 : byte)),
      'CRYPTO_DAMAGED',
      8233,
    ],
    ['a cut at the border of a chunk', (stored: Uint8Array) => stored.subarray(0, 24 + 8209), 'CRYPTO_TRUNCATED', 8233],
    ['a cut after the header', (stored: Uint8Array) => stored.subarray(0, 24), 'CRYPTO_TRUNCATED', 24],
    ['a cut in the header', (stored: Uint8Array) => stored.subarray(0, 23), 'CRYPTO_TRUNCATED', 23],
    ['nothing at all', () => new Uint8Array(0), 'CRYPTO_TRUNCATED', 0],
    ['a cut in a chunk', (stored: Uint8Array) => stored.subarray(0, 10_000), 'CRYPTO_DAMAGED', 8233],
    ['a byte more', (stored: Uint8Array) => Buffer.concat([stored, Buffer.from([0])]), 'CRYPTO_DAMAGED', 16_442],
  ])('tells %s', async (_, change, code, offset) => {
    const { fault } = await damage(change)
    expect([fault?.kind, fault?.code, fault?.context['offset']]).toEqual(['corrupt', code, offset])
    expect(fault?.message).toContain(String(offset))
  })

  it('refuses a final mark on a full chunk, and a short chunk without one', async () => {
    const loaded = await loadSodium()
    const header = noise(24, 9)
    const write = (parts: readonly (readonly [Uint8Array, number])[]) => {
      const stream = loaded.open(header, key)
      const chunks = parts.map(([plain, tag]) => {
        const out = new Uint8Array(plain.length + 17)
        stream.push(plain, tag, out)
        return out
      })
      return Buffer.concat([header, ...chunks])
    }
    expect((await faultOf(cipher.decrypt(once(write([[noise(8192), 3]])))))?.code).toBe('CRYPTO_TRAILING_BYTES')
    expect((await faultOf(cipher.decrypt(once(write([[noise(100), 0]])))))?.code).toBe('CRYPTO_TRUNCATED')
    expect((await faultOf(cipher.decrypt(once(write([[noise(100), 1]])))))?.code).toBe('CRYPTO_DAMAGED')
    expectSame(
      await collect(
        cipher.decrypt(
          once(
            write([
              [noise(8192), 0],
              [new Uint8Array(0), 3],
            ]),
          ),
        ),
      ),
      noise(8192),
    )
  })

  it('names the object that WAL-G writes for an empty file', async () => {
    const fault = await faultOf(cipher.decrypt(once(small('libsodium/p0'))))
    expect([fault?.kind, fault?.code]).toEqual(['corrupt', 'CRYPTO_EMPTY_UNREADABLE'])
    expect(await cipher.fits(small('libsodium/p0'))).toBe(false)
  })

  it('knows by the head whether its key fits', async () => {
    const other = libsodium({ key: noise(32, 2) })
    for (const length of [0, 1, 8191, 8192, 8193, 50_000]) {
      const stored = await collect(cipher.encrypt(once(noise(length))))
      const head = stored.subarray(0, cipher.headBytes)
      expect([await cipher.fits(head), await other.fits(head)]).toEqual([true, false])
    }
    expect(await cipher.fits(noise(8233))).toBe(false)
    expect(await cipher.fits(new Uint8Array(0))).toBe(false)
    expect(cipher.keyName).not.toBe(other.keyName)
    expect(cipher.keyName).toBe(libsodium({ key }).keyName)
  })

  it('passes a failure of the source on as it is, and closes the source when it stops early', async () => {
    const failing = async function* () {
      yield noise(30_000)
      throw new TypeError('the disk')
    }
    await expect(collect(cipher.encrypt(failing()))).rejects.toThrow(TypeError)
    let closed = 0
    const stored = await collect(cipher.encrypt(once(noise(2_000_000))))
    const watched = async function* () {
      try {
        yield* inChunks(stored, [1000])
      } finally {
        closed += 1
      }
    }
    for await (const _ of cipher.decrypt(watched())) break
    expect(await faultOf(libsodium({ key: noise(32, 5) }).decrypt(watched()))).toBeDefined()
    expect(closed).toBe(2)
  })

  it('gives back chunks that were lent, and takes back its own', async () => {
    const pool = createBlockPool(65_536)
    const seen = new Set<ArrayBufferLike>()
    const lent = async function* () {
      for (let turn = 0; turn < 100; turn += 1) {
        const block = pool.take()
        seen.add(block.buffer)
        block.fill(turn)
        yield block
      }
    }
    let total = 0
    for await (const chunk of cipher.decrypt(cipher.encrypt(lent()))) total += chunk.length
    expect(total).toBe(6_553_600)
    expect(seen.size).toBeLessThan(4)
  })

  it('lets timers run while it works', async () => {
    const block = new Uint8Array(1_048_576)
    const endless = async function* () {
      for (let turn = 0; turn < 64; turn += 1) yield block
    }
    let ticks = 0
    const timer = setInterval(() => (ticks += 1), 1)
    for await (const _ of cipher.encrypt(endless()));
    clearInterval(timer)
    expect(ticks).toBeGreaterThan(5)
  })

  it('cannot be used when disposed of, and does not touch the key it was given', async () => {
    const mine = noise(32, 4)
    const gone = libsodium({ key: mine })
    gone[Symbol.dispose]()
    expect((await faultOf(gone.encrypt(sourceOf('x'))))?.code).toBe('CRYPTO_DISPOSED')
    expect((await faultOf(gone.decrypt(once(VECTOR))))?.code).toBe('CRYPTO_DISPOSED')
    expectSame(mine, noise(32, 4))
    expect(thrown(() => libsodium({ key: noise(31) })).code).toBe('CRYPTO_KEY_INVALID')
  })
})

describe('libsodiumKey', () => {
  const wanted = hex('44eb36c3490c2d9eec23e4a72cc77119ebb9fc4fc1c2715355ef8970b8239e8b')
  const base64 = Buffer.from(wanted).toString('base64')

  it('takes text as it is, cut or filled up to 32 bytes', () => {
    expect(Buffer.from(libsodiumKey({ text: 'a'.repeat(25), from: 'setting' })).toString('latin1')).toBe('a'.repeat(25) + '\0'.repeat(7))
    expect(Buffer.from(libsodiumKey({ text: 'b'.repeat(40), from: 'setting' })).toString('latin1')).toBe('b'.repeat(32))
    expect(Buffer.from(libsodiumKey({ text: `  ${'c'.repeat(26)}\n`, from: 'setting' })).toString('latin1')).toBe(
      `  ${'c'.repeat(26)}\n\0\0\0`,
    )
    expect(Buffer.from(libsodiumKey({ text: `\t ${'d'.repeat(30)}\r\n`, from: 'file' })).toString('latin1')).toBe(`${'d'.repeat(30)}\0\0`)
  })
  it('decodes hex and base64', () => {
    expectSame(libsodiumKey({ text: Buffer.from(wanted).toString('hex'), from: 'setting', transform: 'hex' }), wanted)
    expectSame(libsodiumKey({ text: Buffer.from(wanted).toString('hex').toUpperCase(), from: 'setting', transform: 'hex' }), wanted)
    expectSame(libsodiumKey({ text: Buffer.from(`${base64}\n`), from: 'file', transform: 'base64' }), wanted)
  })
  it.each([
    ['too short', { text: 'SECRETSECRETSECRETSECRET', from: 'setting' }],
    ['short after white space was removed', { text: ` ${'SECRET'.repeat(4)}   `, from: 'file' }],
    ['hex with another letter', { text: `SECRET${'0'.repeat(58)}`, from: 'setting', transform: 'hex' }],
    ['hex that is too long', { text: '5EC12E7A'.repeat(9), from: 'setting', transform: 'hex' }],
    ['hex that is too short', { text: '5EC12E7A'.repeat(7), from: 'setting', transform: 'hex' }],
    ['hex with a line end in a setting', { text: `${'5EC12E7A'.repeat(8)}\n`, from: 'setting', transform: 'hex' }],
    ['base64 without padding', { text: base64.replace('=', ''), from: 'setting', transform: 'base64' }],
    ['base64 of another alphabet', { text: `SECRET-_${base64.slice(8)}`, from: 'setting', transform: 'base64' }],
    ['base64 that is too short', { text: 'SECRET==', from: 'setting', transform: 'base64' }],
    ['base64 that is too long', { text: 'SECR'.repeat(12), from: 'setting', transform: 'base64' }],
    ['an unknown transform', { text: 'SECRET'.repeat(8), from: 'setting', transform: 'rot13' as never }],
  ] as const)('refuses %s, and does not repeat it', (_, key) => {
    const fault = thrown(() => libsodiumKey(key))
    expect([fault.kind, fault.code]).toEqual(['invalid', 'CRYPTO_KEY_INVALID'])
    expect(JSON.stringify([fault.message, fault.hint, fault.context, fault.stack])).not.toMatch(/SECR|5EC1|ROT13/i)
  })
})
