import { describe, expect, it } from 'vitest'
import { isBlockBytes, lsn, pageChecksum, verifyPages, type BadPage } from '../src/index.ts'
import { flip } from './wal-writer.ts'

const PAGE = 8192

/** pg_checksum_block as its description says, one lane after the other. */
function slowly(page: Uint8Array, blockNumber: number): number {
  const start = [
    0x5b1f36e9, 0xb8525960, 0x02ab50aa, 0x1de66d2a, 0x79ff467a, 0x9bb9f8a3, 0x217e7cd2, 0x83e13d2c, 0xf8d4474f, 0xe39eb970, 0x42c6ae16,
    0x993216fa, 0x7b093b5d, 0x98daff3c, 0xf718902a, 0x0b1c9cdb, 0xe58f764b, 0x187636bc, 0x5d7b3bb1, 0xe73de7de, 0x92bec979, 0xcca6c0b2,
    0x304a0979, 0x85aa43d4, 0x783125bb, 0x6ca8eaa2, 0xe407eac6, 0x4b5cfc3e, 0x9fbf8c76, 0x15ca20be, 0xf2ca9fd3, 0x959bd756,
  ].map(BigInt)
  const copy = page.slice()
  copy.fill(0, 8, 10)
  const view = new DataView(copy.buffer)
  const mask = 0xffff_ffffn
  const step = (sum: bigint, value: bigint): bigint => {
    const mixed = sum ^ value
    return ((mixed * 16_777_619n) & mask) ^ (mixed >> 17n)
  }
  for (let row = 0; row < page.length; row += 128) {
    for (let lane = 0; lane < 32; lane += 1) start[lane] = step(start[lane] ?? 0n, BigInt(view.getUint32(row + lane * 4, true)))
  }
  const folded = start.reduce((all, sum) => all ^ step(step(sum, 0n), 0n), 0n)
  return Number((folded ^ BigInt(blockNumber)) % 65_535n) + 1
}

interface PageDraft {
  readonly lsn?: bigint
  readonly size?: number
  readonly edit?: (view: DataView) => void
  readonly checksum?: number
}

function page(block: number, draft: PageDraft = {}): Uint8Array {
  const { size = PAGE } = draft
  const bytes = Uint8Array.from({ length: size }, (_, index) => (index * 7 + block) % 256)
  const view = new DataView(bytes.buffer)
  const position = draft.lsn ?? 0x1_0000_1000n
  view.setUint32(0, Number(position >> 32n), true)
  view.setUint32(4, Number(position & 0xffff_ffffn), true)
  view.setUint16(10, 0x4, true)
  view.setUint16(12, 24, true)
  view.setUint16(14, size - 512, true)
  view.setUint16(16, size, true)
  view.setUint16(18, size | 4, true)
  draft.edit?.(view)
  view.setUint16(8, draft.checksum ?? pageChecksum(bytes, block), true)
  return bytes
}

const join = (...pages: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(pages))
const verify = (bytes: Uint8Array, options: { firstBlock?: number; startLsn?: bigint; blockBytes?: number } = {}): readonly BadPage[] =>
  verifyPages({
    bytes,
    firstBlock: options.firstBlock ?? 0,
    blockBytes: options.blockBytes ?? PAGE,
    ...(options.startLsn === undefined ? {} : { startLsn: lsn(options.startLsn) }),
  })

describe('pageChecksum', () => {
  it('is what its definition says, for every page size and block number', () => {
    for (const size of [1024, 2048, 4096, PAGE, 16_384, 32_768]) {
      for (const block of [0, 1, 131_071, 131_072, 0x7fff_ffff, 0xffff_fffe]) {
        const bytes = page(block, { size, checksum: 0x1234 })
        expect(pageChecksum(bytes, block)).toBe(slowly(bytes, block))
      }
    }
  })

  it('does not depend on the checksum that is stored, nor on where the page lies in memory', () => {
    const bytes = page(3, { checksum: 1 })
    const shifted = new Uint8Array(PAGE + 3)
    shifted.set(page(3, { checksum: 0xffff }), 3)
    expect(pageChecksum(shifted.subarray(3), 3)).toBe(pageChecksum(bytes, 3))
    expect(bytes[8]).toBe(1)
  })

  it('refuses what is no page', () => {
    expect([1024, 8192, 32_768].every(isBlockBytes)).toBe(true)
    for (const length of [0, 512, 1000, 8191, 65_536]) {
      expect(isBlockBytes(length)).toBe(false)
      expect(() => pageChecksum(new Uint8Array(length), 0)).toThrow(expect.objectContaining({ code: 'ASSERTION_FAILED' }))
    }
  })
})

describe('verifyPages', () => {
  it('finds nothing in good and in empty pages', () => {
    const bytes = join(page(131_072), new Uint8Array(PAGE), page(131_074))
    expect(verify(bytes, { firstBlock: 131_072 })).toEqual([])
    expect(verify(bytes, { firstBlock: 131_072, startLsn: 0x2_0000_0000n })).toEqual([])
    expect(verify(new Uint8Array())).toEqual([])
    expect(verify(join(page(0, { size: 32_768 }), page(1, { size: 32_768 })), { blockBytes: 32_768 })).toEqual([])
    expect(verify(join(page(0, { size: 1024 })), { blockBytes: 1024 })).toEqual([])
  })

  it('works wherever the pages lie in memory', () => {
    const shifted = new Uint8Array(2 * PAGE + 1)
    shifted.set(join(page(7), page(9)), 1)
    expect(verify(shifted.subarray(1), { firstBlock: 7 })).toMatchObject([{ block: 8, reason: 'checksum' }])
  })

  it('finds a flipped bit anywhere in a page', () => {
    const bytes = join(page(0), page(1), page(2))
    for (const offset of [0, 5, 8, 9, 14, 20, 100, 4095, 8191]) {
      flip(bytes, PAGE + offset, 0x10)
      expect(verify(bytes), `offset ${offset}`).toMatchObject([{ block: 1 }])
      flip(bytes, PAGE + offset, 0x10)
    }
    expect(verify(bytes)).toEqual([])
  })

  it('says what it expected and found', () => {
    const good = page(5)
    const expected = new DataView(good.buffer).getUint16(8, true)
    expect(verify(page(5, { checksum: expected ^ 1 }), { firstBlock: 5 })).toEqual([
      { block: 5, reason: 'checksum', expected, found: expected ^ 1 },
    ])
    expect(verify(page(5, { checksum: 0 }), { firstBlock: 5 })).toEqual([{ block: 5, reason: 'checksum', expected, found: 0 }])
  })

  it('finds a page in the place of another', () => {
    expect(verify(join(page(1), page(0)))).toMatchObject([
      { block: 0, reason: 'checksum' },
      { block: 1, reason: 'checksum' },
    ])
  })

  it('does not judge pages changed after the start', () => {
    const start = 0x1_0000_1000n
    const torn = (position: bigint): readonly BadPage[] => verify(page(0, { lsn: position, checksum: 1 }), { startLsn: start })
    expect(torn(start - 1n)).toHaveLength(1)
    expect(torn(start)).toHaveLength(1)
    expect(torn(start + 1n)).toEqual([])
    expect(torn(0x2_0000_0000n)).toEqual([])
    expect(torn(0x0_ffff_ffffn)).toHaveLength(1)
    expect(verify(page(0, { lsn: 0xffff_ffff_ffff_ffffn, checksum: 1 }))).toHaveLength(1)
  })

  it('finds a new page that is not empty, whatever its position', () => {
    for (const offset of [0, 8, 24, PAGE - 1]) {
      const bytes = new Uint8Array(PAGE)
      bytes[offset] = 3
      expect(verify(bytes, { firstBlock: 4, startLsn: 1n })).toEqual([
        { block: 4, reason: 'new-not-zero', expected: 0, found: offset === 8 ? 3 : 0 },
      ])
    }
  })

  it.each([
    ['flags', (view: DataView): void => view.setUint16(10, 0x8, true)],
    ['lower', (view: DataView): void => view.setUint16(12, 23, true)],
    ['lower above upper', (view: DataView): void => view.setUint16(12, PAGE - 511, true)],
    ['upper above special', (view: DataView): void => view.setUint16(16, PAGE - 520, true)],
    ['special behind the page', (view: DataView): void => view.setUint16(16, PAGE + 8, true)],
    ['special not aligned', (view: DataView): void => view.setUint16(16, PAGE - 4, true)],
    ['another page size', (view: DataView): void => view.setUint16(18, 4096 | 4, true)],
    ['another layout', (view: DataView): void => view.setUint16(18, PAGE | 6, true)],
  ])('finds an impossible header: %s', (_, edit) => {
    const bytes = page(0, { edit })
    expect(verify(bytes)).toMatchObject([{ block: 0, reason: 'header' }])
    expect(verify(bytes, { startLsn: 1n })).toMatchObject([{ block: 0, reason: 'header' }])
  })

  it('refuses what are no whole pages', () => {
    const internal: unknown = expect.objectContaining({ code: 'ASSERTION_FAILED' })
    expect(() => verify(new Uint8Array(PAGE + 1))).toThrow(internal)
    expect(() => verify(new Uint8Array(PAGE), { blockBytes: 1000 })).toThrow(internal)
  })
})
