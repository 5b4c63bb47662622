import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { crc32c } from '../src/index.ts'

/** The definition, one bit at a time. */
function slowly(bytes: Uint8Array): number {
  let crc = 0xffff_ffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ 0x82f6_3b78
  }
  return ~crc >>> 0
}

describe('crc32c', () => {
  // The vectors of RFC 3720, B.4.
  it.each([
    [new Uint8Array(32), 0x8a91_36aa],
    [new Uint8Array(32).fill(0xff), 0x62a8_ab43],
    [Uint8Array.from({ length: 32 }, (_, index) => index), 0x46dd_794e],
    [new TextEncoder().encode('123456789'), 0xe306_9283],
    [new Uint8Array(), 0],
  ])('of a known text', (bytes, expected) => {
    expect(crc32c(bytes)).toBe(expected)
  })

  it('is what its definition says, whole or in pieces', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(300), (bytes, cut) => {
        const at = Math.min(cut, bytes.length)
        expect(crc32c(bytes)).toBe(slowly(bytes))
        expect(crc32c(bytes.subarray(at), crc32c(bytes.subarray(0, at)))).toBe(slowly(bytes))
      }),
    )
  })
})
