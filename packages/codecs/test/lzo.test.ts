import { sourceOf } from '@waltz/bytes'
import { crc32 } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { adler32 } from '../src/adler32.ts'
import { decodeLzoBlock } from '../src/lzo-block.ts'
import { lzo } from '../src/lzo.ts'
import { collect, expectSame, faultOf, fixture, noise } from './support.ts'

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')
const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value >>> 0)
  return bytes
}
const END = u32(0)
const FLAG = {
  adler: 0x1,
  adlerOfStored: 0x2,
  extra: 0x40,
  crc: 0x100,
  crcOfStored: 0x200,
  multipart: 0x400,
  filter: 0x800,
  crcOfHeader: 0x1000,
}

/** An lzop file put together by hand. */
function file(
  flags: number,
  blocks: readonly Uint8Array[],
  header: { readonly needed?: number; readonly method?: number } = {},
): Uint8Array {
  const fields = Buffer.concat([
    Buffer.from('104020a0', 'hex'),
    Buffer.from([(header.needed ?? 0x940) >> 8, (header.needed ?? 0x940) & 255, header.method ?? 1, 5]),
    u32(flags),
    ...((flags & FLAG.filter) === 0 ? [] : [u32(1)]),
    Buffer.alloc(12),
    Buffer.from('\u0003abc', 'latin1'),
  ])
  const sum = (flags & FLAG.crcOfHeader) === 0 ? adler32(fields) : crc32(fields)
  return Buffer.concat([Buffer.from('894c5a4f000d0a1a0a', 'hex'), fields, u32(sum), ...blocks, END])
}

const stored = (content: Uint8Array, sums: readonly number[] = []): Buffer =>
  Buffer.concat([u32(content.length), u32(content.length), ...sums.map(u32), content])
const packed = (contentBytes: number, block: Uint8Array, sums: readonly number[] = []): Buffer =>
  Buffer.concat([u32(contentBytes), u32(block.length), ...sums.map(u32), block])
const read = (bytes: Uint8Array): Promise<Uint8Array> => collect(lzo().decompress(sourceOf(bytes)))
const codeOf = async (bytes: Uint8Array): Promise<string | undefined> => (await faultOf(() => lzo().decompress(sourceOf(bytes))))?.code

/** 4 literals, then a match of 22 from 4 back with none after it, and the end mark. */
const BLOCK = Buffer.from([17 + 4, 97, 98, 99, 100, 0x20 + 20, 3 << 2, 0, 0x11, 0, 0])
const CONTENT = 'abcdabcdabcdabcdabcdabcdab'

describe('a block', () => {
  const decode = (bytes: readonly number[], length: number): string => text(decodeLzoBlock(Uint8Array.from(bytes), length, 100))
  const end = [0x11, 0, 0]

  it('has literals and matches near and far', () => {
    expect(decode([...BLOCK], 26)).toBe(CONTENT)
    expect(decode([17 + 4, 97, 98, 99, 100, 0x40 + (3 << 2), 0, ...end], 7)).toBe('abcdabc')
    // A match that overlaps what it writes repeats one byte.
    expect(decode([17 + 4, 97, 97, 97, 98, 0x20 + 9, 0, 0, ...end], 15)).toBe(`aaab${'b'.repeat(11)}`)
    // A run of literals of 3 + 15 + 2 bytes, and a match with a long length: 2 + 31 + 255 + 1.
    const run = Array.from({ length: 20 }, (_, index) => 97 + index)
    expect(decode([0, 2, ...run, 0x20, 0, 1, 19 << 2, 0, ...end], 20 + 289)).toBe(text(Uint8Array.from(run)).repeat(16).slice(0, 309))
    // Two literals that ride on a match.
    expect(decode([17 + 4, 97, 98, 99, 100, 0x40 + (3 << 2) + 2, 0, 120, 121, ...end], 9)).toBe('abcdabcxy')
  })

  it.each([
    ['a match before the beginning', [17 + 4, 97, 98, 99, 100, 0x40 + (7 << 2), 0, ...end], 7],
    ['more literals than there are', [17 + 9, 97, 98], 9],
    ['more content than announced', [...BLOCK], 25],
    ['less content than announced', [...BLOCK], 27],
    ['bytes behind its end', [...BLOCK, 0], 26],
    ['no end', [...BLOCK.subarray(0, -3)], 26],
    ['half an end', [...BLOCK.subarray(0, -1)], 26],
    ['a malformed end', [17 + 4, 97, 98, 99, 100, 0x12, 0, 0], 4],
    ['a run without end', [17 + 4, 97, 98, 99, 100, 0x20, ...Array.from({ length: 4000 }, () => 0)], 100],
    ['nothing at all', [], 1],
  ])('with %s is damaged', (_, bytes, length) => {
    expect(() => decode(bytes, length)).toThrow(expect.objectContaining({ kind: 'corrupt', code: 'CODEC_DAMAGED' }))
  })
})

describe('files that are read', () => {
  const plain = Buffer.from(CONTENT)

  it('have blocks that are packed, and blocks that are stored', async () => {
    expectSame(
      await read(file(0, [packed(CONTENT.length, BLOCK), stored(noise(500)), packed(CONTENT.length, BLOCK)])),
      Buffer.concat([plain, noise(500), plain]),
    )
    expect((await read(file(0, []))).length).toBe(0)
  })

  it('may follow one another', async () => {
    expectSame(
      await read(Buffer.concat([file(0, [packed(CONTENT.length, BLOCK)]), file(FLAG.crcOfHeader, [stored(plain)])])),
      Buffer.concat([plain, plain]),
    )
    const object = fixture('backup-history.lzo')
    const one = await read(object)
    expectSame(await read(Buffer.concat([object, object])), Buffer.concat([one, one]))
  })

  it.each([
    ['Adler-32 of the content', FLAG.adler, [adler32(plain)]],
    ['CRC-32 of the content', FLAG.crc, [crc32(plain)]],
    ['Adler-32 of what is stored', FLAG.adlerOfStored, [adler32(BLOCK)]],
    ['CRC-32 of what is stored', FLAG.crcOfStored, [crc32(BLOCK)]],
    ['all of them', 0x303, [adler32(plain), crc32(plain), adler32(BLOCK), crc32(BLOCK)]],
  ])('are checked by %s', async (_, flags, sums) => {
    expectSame(await read(file(flags, [packed(CONTENT.length, BLOCK, sums)])), plain)
    for (const wrong of sums.keys()) {
      const changed = sums.map((sum, index) => (index === wrong ? sum ^ 1 : sum))
      expect(await codeOf(file(flags, [packed(CONTENT.length, BLOCK, changed)]))).toBe('CODEC_DAMAGED')
    }
  })

  it('have no checksum of what is stored where it is the content itself', async () => {
    expectSame(await read(file(0x303, [stored(plain, [adler32(plain), crc32(plain)])])), plain)
    expect(await codeOf(file(0x303, [stored(plain, [adler32(plain), 0])]))).toBe('CODEC_DAMAGED')
  })

  it('may have an extra field, which is checked', async () => {
    const field = (sum: number): Buffer => Buffer.concat([u32(5), Buffer.from('extra'), u32(sum)])
    const right = adler32(Buffer.concat([u32(5), Buffer.from('extra')]))
    expectSame(await read(file(FLAG.extra, [field(right), packed(CONTENT.length, BLOCK)])), plain)
    expect(await codeOf(file(FLAG.extra, [field(right + 1), packed(CONTENT.length, BLOCK)]))).toBe('CODEC_DAMAGED')
    expect(await codeOf(file(FLAG.extra, [u32(0x7fffffff)]))).toBe('CODEC_DAMAGED')
  })

  it.each([
    ['a filter', file(FLAG.filter, [])],
    ['several parts', file(FLAG.multipart, [])],
    ['a newer program', file(0, [], { needed: 0x1050 })],
    ['another method', file(0, [], { method: 128 })],
  ])('are refused by name when they need %s', async (_, bytes) => {
    expect(await codeOf(bytes)).toBe('CODEC_FORMAT_UNSUPPORTED')
  })

  it('never take the memory that a damaged length asks for', async () => {
    expect(await codeOf(file(0, [Buffer.concat([u32(0xffffffff), u32(10)])]))).toBe('CODEC_DAMAGED')
    expect(await codeOf(file(0, [Buffer.concat([u32(100), u32(101)])]))).toBe('CODEC_DAMAGED')
    expect(await codeOf(file(0, [Buffer.concat([u32(100), u32(0)])]))).toBe('CODEC_DAMAGED')
  })

  it('name where a block is damaged', async () => {
    const good = file(FLAG.adler, [packed(CONTENT.length, BLOCK, [adler32(plain)])])
    const bad = file(FLAG.adler, [packed(CONTENT.length, BLOCK, [adler32(plain)]), packed(CONTENT.length, BLOCK, [1])])
    const fault = await faultOf(() => lzo().decompress(sourceOf(bad)))
    expect(fault?.context['offset']).toBe(good.length - END.length)
  })
})
