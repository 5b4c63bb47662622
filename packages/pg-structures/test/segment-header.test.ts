import { describe, expect, it } from 'vitest'
import {
  checkSegmentHeader,
  decodeWalPageHeader,
  parseWalFileName,
  serverVersionOfWalMagic,
  type SegmentHeaderClaim,
} from '../src/index.ts'
import fixtures from './fixtures/wal-segments.json' with { type: 'json' }

const bytesOf = (base64: string): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.from(base64, 'base64'))
const [first = { name: '', base64: '' }] = fixtures
const name = parseWalFileName(first.name)
const good = bytesOf(first.base64).slice(0, 40)
const systemIdentifier = decodeWalPageHeader(good).long!.systemIdentifier
const MIB = 2 ** 20

/** The kinds of problems of the first fixture after `edit`, and of what the caller claims on top. */
function kinds(edit: (view: DataView) => void, claim: Partial<SegmentHeaderClaim> = {}): string[] {
  const bytes = good.slice()
  edit(new DataView(bytes.buffer))
  return checkSegmentHeader({ bytes, name, fileBytes: MIB, systemIdentifier, serverVersion: '13', blockBytes: 8192, ...claim }).map(
    ({ kind }) => kind,
  )
}
const nothing = (): void => undefined

describe('decodeWalPageHeader', () => {
  it.each(fixtures)('reads a first page of PostgreSQL $major', ({ major, name, base64 }) => {
    const header = decodeWalPageHeader(bytesOf(base64))
    expect(header).toMatchObject({ serverVersion: String(major), timeline: 1, remainingBytes: 0, headerBytes: 40 })
    expect(header.long).toMatchObject({ segmentBytes: MIB, blockBytes: 8192 })
    expect(header.pageAddress).toBe(BigInt(`0x${name.slice(16)}`) * BigInt(MIB))
  })

  it('reads a short header', () => {
    const bytes = good.slice(0, 24)
    bytes[2] = 1
    bytes[16] = 77
    expect(decodeWalPageHeader(bytes)).toMatchObject({ flags: 1, headerBytes: 24, remainingBytes: 77, long: undefined })
  })

  it('refuses a header that is cut', () => {
    for (const length of [0, 23, 39]) {
      const cut = (): unknown => decodeWalPageHeader(good.subarray(0, length))
      expect(cut).toThrow(expect.objectContaining({ kind: 'corrupt', code: 'WAL_PAGE_TOO_SHORT' }))
    }
  })

  it('knows the magic of every release', () => {
    const magics = [0xd087, 0xd093, 0xd097, 0xd098, 0xd101, 0xd106, 0xd10d, 0xd110, 0xd113, 0xd116, 0xd118]
    expect(magics.map(serverVersionOfWalMagic)).toEqual(['9.5', '9.6', '10', '11', '12', '13', '14', '15', '16', '17', '18'])
    expect(serverVersionOfWalMagic(0xd119)).toBeUndefined()
  })
})

describe('checkSegmentHeader', () => {
  it.each(fixtures)('finds nothing wrong with a segment of PostgreSQL $major', ({ major, name, base64 }) => {
    const bytes = bytesOf(base64)
    const own = decodeWalPageHeader(bytes).long!.systemIdentifier
    const claim = { bytes, fileBytes: MIB, systemIdentifier: own, serverVersion: String(major), blockBytes: 8192 }
    expect(checkSegmentHeader({ ...claim, name: parseWalFileName(name) })).toEqual([])
    expect(checkSegmentHeader({ ...claim, name: parseWalFileName(`${name}.partial`) })).toEqual([])
    expect(checkSegmentHeader({ bytes, name: parseWalFileName(name) })).toEqual([])
  })

  it('takes a first page of the parent timeline, as in the segment where a timeline begins', () => {
    expect(kinds(nothing, { name: parseWalFileName(first.name.replace(/^00000001/, '00000002')) })).toEqual([])
  })

  it.each([
    ['magic', (view: DataView): void => view.setUint16(0, 0xd0ff, true)],
    ['flags', (view: DataView): void => view.setUint16(2, 0x16, true)],
    ['not-long', (view: DataView): void => view.setUint16(2, 0x4, true)],
    ['timeline', (view: DataView): void => view.setUint32(4, 2, true)],
    ['timeline', (view: DataView): void => view.setUint32(4, 0, true)],
    ['page-address', (view: DataView): void => view.setUint32(8, view.getUint32(8, true) + MIB, true)],
    ['page-address', (view: DataView): void => view.setUint32(12, 1, true)],
    ['system-identifier', (view: DataView): void => view.setUint32(24, 1, true)],
    ['block-size', (view: DataView): void => view.setUint32(36, 4096, true)],
  ])('reports %s', (kind, edit) => {
    expect(kinds(edit)).toEqual([kind])
  })

  it('reports a block size that no server has, even when none was expected', () => {
    const bytes = good.slice()
    new DataView(bytes.buffer).setUint32(36, 8191, true)
    expect(checkSegmentHeader({ bytes, name })).toMatchObject([{ kind: 'block-size', message: `${name}: says WAL blocks of 8191 bytes` }])
  })

  it('reports a segment of another size than its header says', () => {
    expect(kinds(nothing, { fileBytes: 16 * MIB })).toEqual(['file-size'])
    expect(kinds((view) => view.setUint32(32, 3 * MIB, true))).toEqual(['segment-size', 'file-size'])
    expect(kinds((view) => view.setUint32(32, 2 * MIB, true))).toEqual(['file-size', 'page-address'])
  })

  it('cannot place a segment whose size nobody knows', () => {
    expect(kinds((view) => view.setUint32(32, 7, true), { fileBytes: 7 })).toEqual(['segment-size'])
  })

  it('reports a name that its segment size does not allow', () => {
    const bytes = good.slice()
    new DataView(bytes.buffer).setUint32(32, 1024 * MIB, true)
    expect(checkSegmentHeader({ bytes, name: parseWalFileName('0000000100000000000000FF') })).toMatchObject([{ kind: 'page-address' }])
  })

  it('reports another server version', () => {
    expect(kinds(nothing, { serverVersion: '14' })).toEqual(['version'])
  })

  it('reports files without any header', () => {
    expect(checkSegmentHeader({ bytes: good.subarray(0, 39), name })).toMatchObject([{ kind: 'too-short' }])
    expect(checkSegmentHeader({ bytes: new Uint8Array(40), name })).toMatchObject([{ kind: 'empty' }])
    expect(checkSegmentHeader({ bytes: new TextEncoder().encode('x'.repeat(64)), name })).toMatchObject([{ kind: 'magic' }])
  })

  it('is not for other files', () => {
    const claim = { bytes: good, name: parseWalFileName('00000002.history') }
    expect(() => checkSegmentHeader(claim)).toThrow(expect.objectContaining({ code: 'ASSERTION_FAILED' }))
  })
})
