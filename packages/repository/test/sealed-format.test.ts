import { coalesce, readAll, sourceOf, tap, type ByteSource } from '@waltz/bytes'
import type { Codec, CodecRegistry } from '@waltz/codecs'
import { Fault } from '@waltz/errors'
import { describe, expect, it } from 'vitest'
import { createSealedFormat, type SealingCipher } from '../src/index.ts'
import { faultOf } from './fault-of.ts'

async function* flip(source: ByteSource, mask: number): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) yield chunk.map((byte) => byte ^ mask)
}

/** A "codec" that flips bits, and tells the chunk sizes it was given. */
function flippingCodec(extension: string, mask: number, checksummed = true): Codec & { readonly sizes: number[] } {
  const sizes: number[] = []
  return {
    name: `flip-${extension}`,
    extension,
    checksummed,
    chunkBytes: 1000,
    sizes,
    compress: (source) =>
      flip(
        tap(source, (chunk) => void sizes.push(chunk.length)),
        mask,
      ),
    decompress: (source) => flip(source, mask),
  }
}

const other = flippingCodec('br', 0x0f, false)
const registry: CodecRegistry = {
  extensions: ['lz4', 'br'],
  byName: async () => other,
  byExtension: async (extension) => {
    if (extension === 'br') return other
    throw new Fault('unsupported', 'TEST', extension)
  },
}
const cipher: SealingCipher = { scheme: 'libsodium', encrypt: (source) => flip(source, 0x80), decrypt: (source) => flip(source, 0x80) }
const text = async (source: ByteSource): Promise<string> => new TextDecoder().decode(await readAll(source, 1e6))
const bytes = async (source: ByteSource): Promise<Uint8Array> => await readAll(source, 1e6)

describe('createSealedFormat', () => {
  it('names, compresses in whole chunks, and opens again', async () => {
    const codec = flippingCodec('lz4', 0xff)
    const format = createSealedFormat({ codec, registry })
    expect([format.extension, format.chunkBytes, format.nameFor('part_001.tar')]).toEqual(['lz4', 1000, 'part_001.tar.lz4'])
    expect(format.extensions).toEqual(['lz4', 'br'])
    const plain = 'x'.repeat(2500)
    const sealed = await bytes(format.seal(coalesce(sourceOf(plain), 7)))
    expect(codec.sizes).toEqual([1000, 1000, 500])
    expect(sealed[0]).toBe('x'.charCodeAt(0) ^ 0xff)
    expect(await text(await format.open('basebackups_005/b/tar_partitions/part_001.tar.lz4', sourceOf(sealed)))).toBe(plain)
  })

  it('compresses before it encrypts', async () => {
    const upper: Codec = {
      ...flippingCodec('lz4', 0),
      compress: (source) => replace(source, 'a', 'b'),
      decompress: (source) => replace(source, 'b', 'a'),
    }
    const order: SealingCipher = {
      scheme: 'libsodium',
      encrypt: (source) => replace(source, 'b', 'c'),
      decrypt: (source) => replace(source, 'c', 'b'),
    }
    const format = createSealedFormat({ codec: upper, registry, cipher: order })
    expect(await text(format.seal(sourceOf('a')))).toBe('c')
    expect(await text(await format.open('x.lz4', sourceOf('c')))).toBe('a')
  })

  it.each([
    'part_001.tar',
    'part_001.tar.',
    'copy_0.tar.tar',
    'dir.with.dots/000000010000000000000001',
    '000000010000000000000001.',
    '000000010000000000000001.partial',
    '00000002.history',
    '000000010000000000000001.00000028.backup',
    '000000010000000000000000_delta',
  ])('takes %s for uncompressed', async (name) => {
    const format = createSealedFormat({ codec: flippingCodec('lz4', 0xff), registry })
    expect(await text(await format.open(name, sourceOf('plain')))).toBe('plain')
    expect(await format.detectsDamage(name)).toBe(false)
  })

  it('adds no dot without compression, and still decrypts', async () => {
    const none: Codec = { ...flippingCodec('', 0), name: 'none' }
    const format = createSealedFormat({ codec: none, registry, cipher })
    expect(format.nameFor('part_001.tar')).toBe('part_001.tar')
    const sealed = await bytes(format.seal(sourceOf('secret')))
    expect(sealed[0]).toBe('s'.charCodeAt(0) ^ 0x80)
    expect(await text(await format.open('part_001.tar', sourceOf(sealed)))).toBe('secret')
    expect(await format.detectsDamage('part_001.tar')).toBe(true)
  })

  it('knows which stored names detect damage', async () => {
    const format = createSealedFormat({ codec: flippingCodec('lz4', 1), registry })
    expect(await format.detectsDamage('a.lz4')).toBe(true)
    expect(await format.detectsDamage('a.br')).toBe(false)
  })

  it.each(['part_001.tar.lzo', '000000010000000000000001.json', 'x.LZ4'])('refuses %s', async (name) => {
    const format = createSealedFormat({ codec: flippingCodec('lz4', 1), registry })
    for (const action of [() => format.open(name, sourceOf('x')), () => format.detectsDamage(name)]) {
      const fault = await faultOf(action)
      expect(fault).toMatchObject({ kind: 'unsupported', code: 'OBJECT_EXTENSION_UNKNOWN', context: { key: name } })
      expect(fault.hint).toContain('.lz4, .br')
    }
  })
})

async function* replace(source: ByteSource, from: string, to: string): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) yield new TextEncoder().encode(new TextDecoder().decode(chunk).replaceAll(from, to))
}
