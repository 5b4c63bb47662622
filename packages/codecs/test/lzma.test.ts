import { sourceOf } from '@waltz/bytes'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { openLzma, type LzmaEngineName } from '../src/lzma.ts'
import { collect, expectSame, faultOf, inChunks, noise, sample } from './support.ts'

vi.setConfig({ testTimeout: 30_000 }) // on machines that do other things as well

const ENGINES: readonly LzmaEngineName[] = ['@napi-rs/lzma', 'lzma-native']
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** Objects whose header states the size, without an end mark. */
const SIZED = Buffer.from('XQAAAQAsAAAAAAAAAAA7mEncL1z2N+iANXE6ZHRUnzvOfCQbpnGr4ncaXSDefLvQSKKtUNv0dFzNb103AA==', 'base64')
const SIZED_TEXT = 'waltz turns one stream of bytes into another'
const SIZED_EMPTY = Buffer.from('5d0000010000000000000000000000000000', 'hex')

/** The same text packed by liblzma with other properties, by `lc lp pb`. */
const OTHERS: Readonly<Record<string, string>> = {
  '0 0 0': 'AAAAAQD//////////wA7mU41ZHg7oaFTM68SUE1Cbn4+R2CFNDRKSZOKTubAejxZKIA3dgx2OCPPagubH///714AAA==',
  '3 1 2': 'ZgAAAQD//////////wA7mEmHeE2lsrw3qYdV9TzDVDC+Hq6ggDG4sKH+10Dxfhh9EhHH/+EjmXMnmA/MafTbzKDV0//+3uwA',
  '0 4 4': '2AAAAQD//////////wA7mEmHQ9CA6HU5G45iA3m4yiA8nq8ZJLZkYy3olmJQ39TwoVbY1l1sK7/BG+YcaYQqS8YozYqr///5exAA',
  '4 0 1': 'MQAAAQD//////////wA7mEnz8dXu4dbN5iw2hqZTcMcyNg3GHXTL63YnQ74Jf0ASyjYutqLV1bOfD3jEk8Fd/ykuP//bOkAA',
  '1 3 3': 'owAAAQD//////////wA7mEmHQ9CA6HU8B5wwdV5RveoCWYqu/uLOsyUP3X0PCRzbPYl4u7n5dw1weMEfh7TXVqu+eoiz//72BAA=',
}
const TEXT = 'waltz turns one stream of bytes into another; '.repeat(6)

describe.each(ENGINES)('%s', (engine) => {
  it.each(ENGINES)('reads what %s writes', async (writer) => {
    for (const plain of [new Uint8Array(0), sample(1), sample(300_000), noise(100_000), new Uint8Array(2_000_000)]) {
      const packed = await collect((await openLzma({ engine: writer })).compress(sourceOf(plain)))
      expectSame(await collect((await openLzma({ engine })).decompress(inChunks(packed, [50_000, 7]))), plain)
    }
  })

  it('writes a header without size, and an end mark', async () => {
    const codec = await openLzma({ engine })
    const packed = await collect(codec.compress(sourceOf(sample(1000))))
    expect(hex(packed.subarray(0, 1))).toBe('5d')
    expect(hex(packed.subarray(5, 13))).toBe('ffffffffffffffff')
    expect((await faultOf(() => codec.decompress(sourceOf(packed.subarray(0, -1)))))?.code).toBe('CODEC_TRUNCATED')
  })

  it('writes no content as an object that has none', async () => {
    const codec = await openLzma({ engine })
    const packed = await collect(codec.compress(sourceOf()))
    expect(packed.length).toBeGreaterThan(13)
    expect((await collect(codec.decompress(sourceOf(packed)))).length).toBe(0)
  })

  it.each([0, 1, 6])('takes level %d', async (level) => {
    const codec = await openLzma({ engine, level })
    expectSame(await collect(codec.decompress(codec.compress(sourceOf(sample(100_000))))), sample(100_000))
  })

  it.each(Object.entries(OTHERS))('reads other properties: %s', async (_, packed) => {
    const codec = await openLzma({ engine })
    expect(Buffer.from(await collect(codec.decompress(sourceOf(Buffer.from(packed, 'base64'))))).toString()).toBe(TEXT)
  })

  it('reads a header that states the size of the content, and checks it', async () => {
    const codec = await openLzma({ engine })
    for (const cut of [[1000], [1], [13, 5]]) {
      expect(Buffer.from(await collect(codec.decompress(inChunks(SIZED, cut)))).toString()).toBe(SIZED_TEXT)
    }
    expect((await collect(codec.decompress(sourceOf(SIZED_EMPTY)))).length).toBe(0)
    const longer = Buffer.from(SIZED)
    longer.writeUInt8(SIZED_TEXT.length + 1, 5)
    const fault = await faultOf(() => codec.decompress(sourceOf(longer)))
    expect([fault?.kind, fault?.code]).toEqual(['corrupt', expect.stringMatching(/^CODEC_(DAMAGED|TRUNCATED)$/)])
    for (let length = 0; length < SIZED.length; length += 1) {
      expect([length, (await faultOf(() => codec.decompress(sourceOf(SIZED.subarray(0, length)))))?.code]).toEqual([
        length,
        'CODEC_TRUNCATED',
      ])
    }
  })

  it('refuses a dictionary that asks for more memory than is allowed, before it takes any', async () => {
    const packed = await collect((await openLzma({ engine })).compress(sourceOf(sample(1000))))
    const large = packed.slice()
    new DataView(large.buffer).setUint32(1, 0x1000_0000, true)
    const fault = await faultOf(() => ({
      async *[Symbol.asyncIterator]() {
        yield* (await openLzma({ engine })).decompress(sourceOf(large))
      },
    }))
    expect([fault?.kind, fault?.code]).toEqual(['unsupported', 'CODEC_FORMAT_UNSUPPORTED'])
    expect(fault?.message).toContain('268435456')
    const wide = await openLzma({ engine, maxDictionaryBytes: 0x1000_0000 })
    expectSame(await collect(wide.decompress(sourceOf(large))), sample(1000))
  })

  it('refuses what cannot be a header', async () => {
    const codec = await openLzma({ engine })
    for (const bytes of [
      Uint8Array.of(225),
      Buffer.from('5d00001000ffffffffffffff7f', 'hex'),
      Buffer.from('fd377a585a000004e6d6b446', 'hex'),
    ]) {
      expect((await faultOf(() => codec.decompress(sourceOf(bytes))))?.code).toBe('CODEC_DAMAGED')
    }
  })
})

it.each([-1, 10, 1.5])('has no level %d', async (level) => {
  await expect(openLzma({ level })).rejects.toMatchObject({ kind: 'invalid', code: 'CODEC_OPTION_INVALID' })
})

describe('without a package', () => {
  /** As Node says it of a package that is not installed. */
  const absent = (name: string) => () => {
    throw Object.assign(new Error(`Cannot find package '${name}'`), { code: 'ERR_MODULE_NOT_FOUND' })
  }
  afterEach(() => {
    vi.doUnmock('@napi-rs/lzma/lzma')
    vi.doUnmock('lzma-native')
    vi.resetModules()
  })

  it('lzma works with the other engine', async () => {
    vi.doMock('@napi-rs/lzma/lzma', absent('@napi-rs/lzma'))
    const codec = await openLzma()
    const packed = await collect(codec.compress(sourceOf(sample(1000))))
    // Only the other engine notices what follows the end.
    expect((await faultOf(() => codec.decompress(sourceOf(packed, Uint8Array.of(7)))))?.code).toBe('CODEC_TRAILING_BYTES')
  })

  it('lzma names the one to install', async () => {
    vi.doMock('@napi-rs/lzma/lzma', absent('@napi-rs/lzma'))
    vi.doMock('lzma-native', absent('lzma-native'))
    for (const [options, name] of [
      [{}, '@napi-rs/lzma'],
      [{ engine: '@napi-rs/lzma' }, '@napi-rs/lzma'],
      [{ engine: 'lzma-native' }, 'lzma-native'],
    ] as const) {
      await expect(openLzma(options)).rejects.toMatchObject({
        kind: 'unsupported',
        code: 'CODEC_LOAD_FAILED',
        hint: expect.stringContaining(`npm install ${name}`) as string,
      })
    }
  })
})
