import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { encodeTarHeader, TAR_TRAILER, tarPaddingBytes, writeTarHeader, type TarEntry } from '../src/index.ts'
import { entry, plainEntry } from './support.ts'

const latin1 = (bytes: Uint8Array, from: number, length: number) => Buffer.from(bytes.subarray(from, from + length)).toString('latin1')

describe('a plain header', () => {
  const header = encodeTarHeader(entry({ size: 8192, mode: 0o4750 }))

  it('has the fields of ustar where they belong', () => {
    expect(header.length).toBe(512)
    expect(latin1(header, 0, 13)).toBe('/base/5/1259\0')
    expect(latin1(header, 100, 48)).toBe('0004750\x000000106\x000000107\x0000000020000\x0014524770400\0')
    expect(latin1(header, 156, 2)).toBe('0\0')
    expect(latin1(header, 257, 17)).toBe('ustar\x0000postgres\0')
    expect(latin1(header, 329, 17)).toBe('0000000\x000000000\0\0')
  })

  it('has a checksum of six digits, a NUL and a space', () => {
    let sum = 8 * 32
    header.forEach((byte, at) => (sum += at >= 148 && at < 156 ? 0 : byte))
    expect(latin1(header, 148, 8)).toBe(`${sum.toString(8).padStart(6, '0')}\0 `)
  })

  it('can be written into a larger buffer, over whatever was there', () => {
    const block = new Uint8Array(2000).fill(0xaa)
    expect(writeTarHeader(entry({ size: 8192, mode: 0o4750 }), block, 700)).toBe(512)
    expect(Buffer.compare(block.subarray(700, 1212), header)).toBe(0)
    expect([block[699], block[1212]]).toEqual([0xaa, 0xaa])
    expect(writeTarHeader(entry({ name: 'ä' }), block, 0)).toBe(0)
    expect(block[0]).toBe(0xaa)
    expect(() => writeTarHeader(plainEntry, block, 1800)).toThrow(expect.objectContaining({ code: 'ASSERTION_FAILED' }))
  })

  it('splits a long name at the last slash that leaves at most 155 bytes in front', () => {
    const name = `/${'a'.repeat(80)}/${'b'.repeat(60)}/${'c'.repeat(99)}`
    const split = encodeTarHeader(entry({ name }))
    expect(split.length).toBe(512)
    expect(latin1(split, 345, 143)).toBe(`/${'a'.repeat(80)}/${'b'.repeat(60)}\0`)
    expect(latin1(split, 0, 100)).toBe(`${'c'.repeat(99)}\0`)
  })
})

it('splits up to a prefix of exactly 155 bytes and a name of exactly 100', () => {
  const fits = encodeTarHeader(entry({ name: `/${'a'.repeat(154)}/${'b'.repeat(100)}` }))
  expect([fits.length, latin1(fits, 345, 155), latin1(fits, 0, 100)]).toEqual([512, `/${'a'.repeat(154)}`, 'b'.repeat(100)])
  expect(encodeTarHeader(entry({ name: `/${'a'.repeat(155)}/${'b'.repeat(50)}` })).length).toBe(1536)
  expect(encodeTarHeader(entry({ name: `/${'a'.repeat(100)}/${'b'.repeat(101)}` })).length).toBe(1536)
})

/** Made with archive/tar of Go 1.26 from the same entries: the hash of the bytes that WriteHeader wrote. */
describe('headers as Go writes them', () => {
  const vectors = JSON.parse(readFileSync(new URL('fixtures/go-headers.json', import.meta.url), 'utf8')) as readonly {
    readonly entry: TarEntry
    readonly bytes: number
    readonly sha256: string
  }[]
  it.each(vectors.map((vector, index) => [index, vector.bytes, vector] as const))('number %d, %d bytes', (_, bytes, vector) => {
    const header = encodeTarHeader(vector.entry)
    expect(header.length).toBe(bytes)
    expect(createHash('sha256').update(header).digest('hex')).toBe(vector.sha256)
  })
})

describe('what no tar can hold', () => {
  it.each([
    [{ name: '' }],
    [{ name: 'a\0b' }],
    [{ name: 'a\ud800b' }],
    [{ name: 'file/' }],
    [{ size: -1 }],
    [{ size: 1.5 }],
    [{ size: Number.NaN }],
    [{ mode: 0o100600 }],
    [{ uid: -1 }],
    [{ modifiedAtSeconds: 1.5 }],
    [{ type: 'directory', size: 1 }],
    [{ type: 'symlink' }],
    [{ type: 'other' }],
    [{ type: 'other', typeFlag: 'x' }],
    [{ userName: 'a\0' }],
  ] as const)('is refused: %j', (changes) => {
    expect(() => encodeTarHeader(entry(changes))).toThrow(expect.objectContaining({ kind: 'invalid', code: 'TAR_ENTRY_INVALID' }))
    expect(() => writeTarHeader(entry(changes), new Uint8Array(512), 0)).toThrow(expect.objectContaining({ code: 'TAR_ENTRY_INVALID' }))
  })
})

it('padding and trailer', () => {
  expect([0, 1, 511, 512, 513, 2 ** 40 + 1].map(tarPaddingBytes)).toEqual([0, 511, 1, 0, 511, 511])
  expect(TAR_TRAILER.length).toBe(1024)
  expect(TAR_TRAILER.every((byte) => byte === 0)).toBe(true)
})
