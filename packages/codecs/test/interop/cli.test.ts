import { execFileSync, spawnSync } from 'node:child_process'
import { sourceOf } from '@waltz/bytes'
import { describe, expect, it } from 'vitest'
import type { Codec } from '../../src/index.ts'
import { brotli } from '../../src/brotli.ts'
import { gzip } from '../../src/gzip.ts'
import { lz4 } from '../../src/lz4.ts'
import { zstd } from '../../src/zstd.ts'
import { collect, expectSame, faultOf, inChunks, noise, sample } from '../support.ts'

const run = (command: string, args: readonly string[], input: Uint8Array) =>
  new Uint8Array(execFileSync(command, args, { input, maxBuffer: 2 ** 28, stdio: ['pipe', 'pipe', 'ignore'] }))
const present = (command: string) => {
  const found = spawnSync(command, ['--version']).error === undefined
  if (!found) console.warn(`SKIPPED: the program ${command} is not installed`)
  return found
}
const contents = [new Uint8Array(0), sample(1), sample(70_000), sample(5_000_000), noise(300_000), new Uint8Array(9_000_000)]

function readsTheirs(command: string, codec: Codec, variants: readonly (readonly string[])[]): void {
  it.each(variants.map((args) => [args.join(' '), args]))(`reads what ${command} %s writes`, async (_, args) => {
    for (const plain of contents) {
      const packed = run(command, args, plain)
      expectSame(await collect(codec.decompress(inChunks(packed, [50_000, 7]))), plain)
    }
  })
}

function isReadByThem(command: string, codecs: readonly Codec[]): void {
  it(`writes what ${command} -dc reads`, async () => {
    for (const codec of codecs)
      for (const plain of contents) expectSame(run(command, ['-dc'], await collect(codec.compress(sourceOf(plain)))), plain)
  })
}

describe.skipIf(!present('lz4'))('lz4', () => {
  isReadByThem('lz4', [lz4(), lz4({ blockBytes: 65_536 }), lz4({ blockBytes: 1_048_576 }), lz4({ blockBytes: 4_194_304 })])
  readsTheirs('lz4', lz4(), [
    ['-1c'],
    ['-9c', '-B4'],
    ['-1c', '-B5', '-BD'],
    ['-1c', '-B4', '-BD'],
    ['-9c', '-B7', '-BD'],
    ['-1c', '-BX', '-B6'],
    ['-1c', '-BX', '-BD', '-B4'],
    ['-1c', '--no-frame-crc'],
  ])
  it('gives no wrong bytes for a damaged frame of linked blocks', async () => {
    const packed = run(
      'lz4',
      ['-1c', '-B4', '-BD'],
      noise(200_000).map((byte) => byte & 0x83),
    )
    for (let at = 20; at < packed.length; at += 9973) {
      const damaged = packed.slice()
      damaged[at] = (damaged[at] ?? 0) ^ 0x20
      expect((await faultOf(() => lz4().decompress(sourceOf(damaged))))?.code).toMatch(/CODEC_(DAMAGED|TRUNCATED)/)
    }
  })
  it('names the legacy format', async () => {
    const fault = await faultOf(() => lz4().decompress(sourceOf(run('lz4', ['-lc'], sample(1000)))))
    expect(fault?.code).toBe('CODEC_FORMAT_UNSUPPORTED')
  })
})

describe.skipIf(!present('zstd'))('zstd', () => {
  isReadByThem('zstd', [zstd(), zstd({ level: 1 }), zstd({ level: 11 }), zstd({ level: 20 })])
  readsTheirs('zstd', zstd(), [['-3c'], ['-1c', '--no-check'], ['-19c', '--long=27'], ['-3c', '-T2', '-B1MiB'], ['-3c', '--rsyncable']])
  it('reads frames that follow one another, and skippable ones', async () => {
    const plain = sample(200_000)
    const skip = Buffer.from('502a4d18050000006162636465', 'hex')
    const one = run('zstd', ['-3c'], plain)
    const all = Buffer.concat([skip, one, one, skip, one])
    for (const cut of [[all.length], [1000], [13, 1, 4096]]) {
      expectSame(await collect(zstd().decompress(inChunks(all, cut))), Buffer.concat([plain, plain, plain]))
    }
  })
  it('keeps its window at 8 MiB even at the highest level', async () => {
    const packed = await collect(zstd({ level: 22 }).compress(inChunks(sample(100_000), [100_000])))
    const descriptor = packed[5] ?? 0
    expect(10 + (descriptor >> 3)).toBeLessThanOrEqual(23)
  })
  it('reads a window of 512 MiB and refuses a larger one by name', async () => {
    expectSame(
      await collect(zstd().decompress(sourceOf(run('zstd', ['-3c', '--long=29'], contents[3] ?? sample(1))))),
      contents[3] ?? sample(1),
    )
    const fault = await faultOf(() => zstd().decompress(sourceOf(run('zstd', ['-3c', '--long=30'], contents[3] ?? sample(1)))))
    expect([fault?.kind, fault?.code]).toEqual(['unsupported', 'CODEC_FORMAT_UNSUPPORTED'])
  })
})

describe.skipIf(!present('gzip'))('gzip', () => {
  readsTheirs('gzip', gzip(), [['-1c'], ['-9c'], ['-nc']])
  it('reads members that follow one another', async () => {
    const plain = sample(100_000)
    const one = run('gzip', ['-1c'], plain)
    const all = Buffer.concat([one, one, one])
    for (const cut of [[all.length], [one.length], [97]]) {
      expectSame(await collect(gzip().decompress(inChunks(all, cut))), Buffer.concat([plain, plain, plain]))
    }
  })
})

describe.skipIf(!present('brotli'))('brotli', () => {
  isReadByThem('brotli', [brotli()])
  readsTheirs('brotli', brotli(), [
    ['-3', '-c'],
    ['-q', '11', '-c', '-w', '22'],
  ])
})
