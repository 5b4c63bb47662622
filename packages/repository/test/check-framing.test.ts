import { readAll, sourceOf } from '@waltz/bytes'
import { createCodecRegistry } from '@waltz/codecs'
import { describe, expect, it } from 'vitest'
import { createSealedFormat, type SealedFormat } from '../src/index.ts'
import { faultOf } from './fault-of.ts'

const registry = createCodecRegistry()
const formatOf = async (codec: string): Promise<SealedFormat> => createSealedFormat({ codec: await registry.byName(codec), registry })
const plain = new TextEncoder().encode('waltz '.repeat(2000))
const sealedAs = async (codec: string): Promise<Uint8Array> => await readAll((await formatOf(codec)).seal(sourceOf(plain)), 1e6)
const lz4 = await formatOf('lz4')
const opened = async (name: string, ...chunks: readonly Uint8Array[]): Promise<Buffer> =>
  Buffer.from(await readAll(await lz4.open(name, sourceOf(...chunks)), 1e6))

/** How objects begin that a key of each scheme has sealed. */
const encrypted = {
  openpgp: Buffer.from('85018c03f6e1a2b3c4d5e6f70102', 'hex'),
  'yandex-kms': Buffer.concat([Buffer.from('yckms'), Buffer.from([1, 64, 0, 0, 0])]),
  'envelope-openpgp': Buffer.concat([Buffer.from('envelope-yc-kms'), Buffer.from([1])]),
}

describe('an object without a key', () => {
  it.each(Object.entries(encrypted))('that %s has encrypted is named as such, whatever its extension', async (framing, head) => {
    for (const extension of ['.lz4', '.zst', '.br', ''])
      expect(await faultOf(() => opened(`wal_005/000000010000000000000001${extension}`, head, Buffer.alloc(500, 0x77)))).toMatchObject({
        kind: 'invalid',
        code: 'OBJECT_ENCRYPTED',
        context: { framing, key: `wal_005/000000010000000000000001${extension}` },
      })
  })

  it('that AWS KMS has encrypted is named where the extension has a mark, and not guessed at elsewhere', async () => {
    const head = Buffer.alloc(300, 0x33)
    head.set([0x20, 0x00, 0xff, 0xff], 184)
    expect((await faultOf(() => opened('a.zst', head)))?.code).toBe('OBJECT_ENCRYPTED')
    expect(await opened('000000010000000000000001', head)).toEqual(head)
  })
})

describe('an object whose extension lies', () => {
  it.each([
    ['zstd', 'a.lz4'],
    ['lz4', 'a.zst'],
    ['lzma', 'a.gz'],
  ])('%s as %s is refused by what it is', async (codec, name) => {
    expect(await faultOf(async () => await opened(name, await sealedAs(codec)))).toMatchObject({
      kind: 'corrupt',
      code: 'OBJECT_MISNAMED',
      context: { framing: codec, key: name },
    })
  })

  it('is not suspected where content may begin like anything', async () => {
    const packed = await sealedAs('zstd')
    expect(await opened('000000010000000000000001', packed)).toEqual(Buffer.from(packed))
  })
})

it('is found however its bytes are cut', async () => {
  const packed = await sealedAs('lz4')
  expect(await opened('a.lz4', packed.subarray(0, 3), packed.subarray(3, 5), packed.subarray(5))).toEqual(Buffer.from(plain))
  expect((await faultOf(() => opened('a.zst', packed.subarray(0, 3), packed.subarray(3, 150), packed.subarray(150))))?.code).toBe(
    'OBJECT_MISNAMED',
  )
})

it('damage names the object', async () => {
  const packed = await sealedAs('lz4')
  const fault = await faultOf(() => opened('wal_005/x.lz4', packed.subarray(0, packed.length - 9)))
  expect(fault).toMatchObject({
    code: 'CODEC_TRUNCATED',
    message: expect.stringMatching(/^wal_005\/x\.lz4: lz4 data ends at byte /),
    context: { key: 'wal_005/x.lz4' },
  })
})
