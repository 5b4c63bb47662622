import { sourceOf } from '@waltz/bytes'
import { describe, expect, it } from 'vitest'
import { framingHeadBytes, recognizeFraming } from '../src/index.ts'
import { libsodium } from '../src/libsodium.ts'
import { collect, hex, noise, small } from './support.ts'

const text = (value: string): Uint8Array => new Uint8Array(Buffer.from(value, 'latin1'))

describe('recognizeFraming', () => {
  it.each([
    ['yandex-kms', hex('79636b6d7301 03000000 aabbcc')],
    ['yandex-kms', small('yandex/000000010000000000000013.zst')],
    ['envelope-openpgp', hex('656e76656c6f70652d79632d6b6d7301 10000000')],
    ['openpgp', hex('84 5e 03 0102030405060708 12')],
    ['openpgp', hex('85 018c 03 0102030405060708 01')],
    ['openpgp', hex('c1 c0 4c 03 0102030405060708 01')],
    ['aws-kms', small('awskms/p1')],
    ['lz4', hex('04224d186470b900000000055dcc02')],
    ['zstd', hex('28b52ffd046801000099e9d851')],
    ['lzma', hex('5d00008000ffffffffffffffff00')],
    ['lzma', hex('5d00008000 0040000000000000 00')],
    ['gzip', hex('1f8b0800000000000003')],
    ['lzo', hex('894c5a4f000d0a1a0a1030')],
  ] as const)('%s', (framing, head) => {
    expect(recognizeFraming(head)).toBe(framing)
    expect(recognizeFraming(head.subarray(0, framingHeadBytes))).toBe(framing)
  })

  it.each([
    ['nothing', new Uint8Array(0)],
    ['an AWS object without content', small('awskms/p0')],
    ['text', text('1\t0/3000000\tno recovery target specified\n')],
    ['yckms of another version', hex('79636b6d7302 03000000')],
    ['lz4 with reserved bits', hex('04224d18ff70b900')],
    ['lzma magic in other data', hex('5d0000800001020304050607ff')],
    ['libsodium', small('libsodium/p8192')],
  ])('does not recognise %s', (_, head) => expect(recognizeFraming(head)).toBeUndefined())

  it('does not take libsodium for plaintext', async () => {
    const cipher = libsodium({ key: noise(32) })
    for (let turn = 0; turn < 300; turn += 1) {
      const framing = recognizeFraming(await collect(cipher.encrypt(sourceOf('x'))))
      expect([undefined, 'openpgp']).toContain(framing)
    }
  })
})
