import { xxh32 } from '@node-rs/xxhash'
import { sourceOf } from '@waltz/bytes'
import { compressSync } from 'lz4-napi'
import { describe, expect, it } from 'vitest'
import { lz4 } from '../src/lz4.ts'
import { encodeLz4FrameHeader } from '../src/lz4-frame.ts'
import { collect, expectSame, faultOf, noise, sample } from './support.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const u32 = (value: number) => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value >>> 0)
  return bytes
}
const packedBlock = (plain: Uint8Array) => compressSync(Buffer.from(plain)).subarray(4)

/** A frame put together by hand: flags, block code, optional fields, then whatever follows. */
function frame(flags: number, code: number, fields: Uint8Array, ...rest: readonly Uint8Array[]): Uint8Array {
  const descriptor = Buffer.concat([Buffer.from([flags, code << 4]), fields])
  const check = (xxh32(descriptor, 0) >>> 8) & 0xff
  return Buffer.concat([Buffer.from('04224d18', 'hex'), descriptor, Buffer.from([check]), ...rest])
}
const none = new Uint8Array(0)
const END = u32(0)

describe('the frame that is written', () => {
  it('is the same as WAL-G writes for no content (RF 15)', async () => {
    expect(hex(await collect(lz4().compress(sourceOf())))).toBe('04224d186470b900000000055dcc02')
  })

  it('has the header of WAL-G when blocks have 4 MiB', () => {
    expect(hex(encodeLz4FrameHeader(4_194_304))).toBe('04224d186470b9')
  })

  it('states independent blocks, a content checksum and 1 MiB blocks by default', async () => {
    const packed = await collect(lz4().compress(sourceOf(sample(600_000))))
    expect(hex(packed.subarray(0, 6))).toBe('04224d186460')
    expect(packed[6]).toBe((xxh32(packed.subarray(4, 6), 0) >>> 8) & 0xff)
    expect(hex(packed.subarray(-8))).toBe(hex(Buffer.concat([END, u32(xxh32(sample(600_000), 0))])))
  })

  it('stores a block that does not shrink', async () => {
    const packed = await collect(lz4().compress(sourceOf(noise(1000))))
    expect(hex(packed.subarray(7, 11))).toBe(hex(u32(0x80000000 + 1000)))
    expectSame(packed.subarray(11, 1011), noise(1000))
  })

  it('does not copy chunks that have the block size', async () => {
    const block = noise(262_144)
    const chunks: Uint8Array[] = []
    for await (const chunk of lz4().compress(sourceOf(block))) chunks.push(chunk)
    expect(chunks.some((chunk) => chunk.buffer === block.buffer)).toBe(true)
  })

  it('may have linked blocks, which find what the block before has', async () => {
    const piece = noise(40_000)
    const content = Buffer.concat([piece, piece, piece, piece, piece])
    const apart = await collect(lz4({ blockBytes: 65_536 }).compress(sourceOf(content)))
    const linked = await collect(lz4({ blockBytes: 65_536, linkedBlocks: true }).compress(sourceOf(content)))
    expect(hex(linked.subarray(4, 6))).toBe('4440')
    expect(linked.length).toBeLessThan(0.5 * apart.length)
    expectSame(await collect(lz4().decompress(sourceOf(linked))), content)
  })

  it('may have block checksums, of packed and of stored blocks', async () => {
    const content = Buffer.concat([sample(65_536), noise(65_536), sample(10)])
    const packed = await collect(lz4({ blockBytes: 65_536, blockChecksums: true }).compress(sourceOf(content)))
    expect(hex(packed.subarray(4, 6))).toBe('7440')
    const length = new DataView(packed.buffer, packed.byteOffset).getUint32(7, true)
    expect(hex(packed.subarray(11 + length, 15 + length))).toBe(hex(u32(xxh32(packed.subarray(11, 11 + length), 0))))
    expectSame(await collect(lz4().decompress(sourceOf(packed))), content)
    const damaged = packed.slice()
    damaged[12] = (damaged[12] ?? 0) ^ 1
    const fault = await faultOf(() => lz4().decompress(sourceOf(damaged)))
    expect([fault?.code, fault?.context['offset']]).toEqual(['CODEC_DAMAGED', 7])
  })

  it('states the length of the content where it is known, and holds it to that', async () => {
    const codec = lz4()
    for (const length of [0, 1000, 300_000]) {
      const packed = await collect(codec.compress(sourceOf(sample(length)), { contentBytes: length }))
      expect(packed[4]).toBe(0x6c)
      expect(new DataView(packed.buffer, packed.byteOffset).getBigUint64(6, true)).toBe(BigInt(length))
      expectSame(await collect(codec.decompress(sourceOf(packed))), sample(length))
      const fault = await faultOf(() => codec.compress(sourceOf(sample(length)), { contentBytes: length + 1 }))
      expect([fault?.kind, fault?.code]).toEqual(['invalid', 'CODEC_CONTENT_LENGTH_WRONG'])
    }
  })

  it('is of a block size that the format has', () => {
    expect(() => lz4({ blockBytes: 100_000 })).toThrow(expect.objectContaining({ code: 'CODEC_OPTION_INVALID' }))
    expect(() => lz4({ blocksInFlight: 0 })).toThrow(expect.objectContaining({ code: 'CODEC_OPTION_INVALID' }))
  })
})

describe('frames that are read', () => {
  const plain = sample(10_000)
  const block = packedBlock(plain)
  const read = (bytes: Uint8Array) => collect(lz4().decompress(sourceOf(bytes)))
  const sum = u32(xxh32(plain, 0))

  it('may have a zero-length stored block before the end mark (RF 6.2)', async () => {
    expect((await read(Buffer.from('04224d186470b90000008000000000055dcc02', 'hex'))).length).toBe(0)
    expectSame(await read(frame(0x64, 4, none, u32(block.length), block, u32(0x80000000), END, sum)), plain)
  })

  it('may follow one another, with skippable frames between and around', async () => {
    const one = frame(0x64, 4, none, u32(block.length), block, END, sum)
    const skip = Buffer.concat([u32(0x184d2a5f), u32(3), Buffer.from('abc')])
    expectSame(await read(Buffer.concat([skip, one, skip, one, skip])), Buffer.concat([plain, plain]))
    expect((await faultOf(() => lz4().decompress(sourceOf(skip))))?.code).toBe('CODEC_TRUNCATED')
  })

  it('may have block checksums, which are verified', async () => {
    const checked = (check: number) => frame(0x74, 4, none, u32(block.length), block, u32(check), END, sum)
    expectSame(await read(checked(xxh32(block, 0))), plain)
    const fault = await faultOf(() => lz4().decompress(sourceOf(checked(xxh32(block, 0) + 1))))
    expect([fault?.code, fault?.context['offset']]).toEqual(['CODEC_DAMAGED', 7])
  })

  it('may state the size of the content, which is verified', async () => {
    const sized = (size: bigint) => {
      const field = Buffer.alloc(8)
      field.writeBigUInt64LE(size)
      return frame(0x6c, 4, field, u32(block.length), block, END, sum)
    }
    expectSame(await read(sized(10_000n)), plain)
    expect((await faultOf(() => lz4().decompress(sourceOf(sized(10_001n)))))?.code).toBe('CODEC_DAMAGED')
  })

  it('may have no content checksum', async () => {
    expectSame(await read(frame(0x60, 4, none, u32(block.length), block, END)), plain)
  })

  it('must match their content checksum', async () => {
    const wrong = frame(0x64, 4, none, u32(block.length), block, END, u32(1))
    const fault = await faultOf(() => lz4().decompress(sourceOf(wrong)))
    expect([fault?.kind, fault?.code, fault?.context['offset']]).toEqual(['corrupt', 'CODEC_DAMAGED', 7 + 4 + block.length])
  })

  it('must not have a block larger than they state', async () => {
    const large = frame(0x64, 4, none, u32(0x80000000 + 65_537), noise(65_537), END, u32(0))
    expect((await faultOf(() => lz4().decompress(sourceOf(large))))?.code).toBe('CODEC_DAMAGED')
    const huge = frame(0x64, 4, none, u32(0x7fffffff))
    expect((await faultOf(() => lz4().decompress(sourceOf(huge))))?.code).toBe('CODEC_DAMAGED')
    const bomb = packedBlock(new Uint8Array(65_537))
    expect((await faultOf(() => lz4().decompress(sourceOf(frame(0x60, 4, none, u32(bomb.length), bomb, END)))))?.code).toBe('CODEC_DAMAGED')
  })

  it('may be legacy frames, which end where no block follows', async () => {
    const legacy = (...blocks: readonly Uint8Array[]): Buffer =>
      Buffer.concat([u32(0x184c2102), ...blocks.flatMap((bytes) => [u32(bytes.length), bytes])])
    const full = packedBlock(new Uint8Array(8_388_608))
    const modern = frame(0x64, 4, none, u32(block.length), block, END, sum)
    expect((await read(legacy())).length).toBe(0)
    expectSame(await read(legacy(block)), plain)
    expectSame(await read(legacy(full, block)), Buffer.concat([new Uint8Array(8_388_608), plain]))
    expectSame(
      await read(Buffer.concat([legacy(block), legacy(block), modern, legacy(block)])),
      Buffer.concat([plain, plain, plain, plain]),
    )
    for (const [bytes, code] of [
      [legacy(block, block), 'CODEC_DAMAGED'],
      [Buffer.concat([legacy(block), Buffer.from('junk')]), 'CODEC_TRAILING_BYTES'],
      [Buffer.concat([legacy(block), Buffer.from('xy')]), 'CODEC_TRUNCATED'],
      [legacy(block).subarray(0, -1), 'CODEC_TRUNCATED'],
      [legacy(packedBlock(new Uint8Array(8_388_609))), 'CODEC_DAMAGED'],
    ] as const) {
      const fault = await faultOf(() => lz4().decompress(sourceOf(bytes)))
      expect([fault?.kind, fault?.code]).toEqual(['corrupt', code])
    }
  })

  it('are refused by name when they need a dictionary or another version', async () => {
    for (const bytes of [frame(0x65, 4, u32(9), END), frame(0xa4, 4, none, END)]) {
      const fault = await faultOf(() => lz4().decompress(sourceOf(bytes)))
      expect([fault?.kind, fault?.code]).toEqual(['unsupported', 'CODEC_FORMAT_UNSUPPORTED'])
    }
  })

  it('reports the first damaged block after the good ones before it', async () => {
    const bytes = frame(0x64, 4, none, u32(block.length), block, u32(4), Buffer.from([0xff, 0xff, 0xff, 0xff]), END, sum)
    const seen: Uint8Array[] = []
    const reading = (async () => {
      for await (const chunk of lz4().decompress(sourceOf(bytes))) seen.push(chunk)
    })()
    await expect(reading).rejects.toMatchObject({ code: 'CODEC_DAMAGED', context: { offset: 11 + block.length } })
    expectSame(Buffer.concat(seen), plain)
  })
})
