import { execFileSync, spawnSync } from 'node:child_process'
import { sourceOf } from '@waltz/bytes'
import { describe, expect, it } from 'vitest'
import type { Codec } from '../../src/index.ts'
import { brotli } from '../../src/brotli.ts'
import { gzip } from '../../src/gzip.ts'
import { lz4 } from '../../src/lz4.ts'
import { openLzma } from '../../src/lzma.ts'
import { lzo } from '../../src/lzo.ts'
import { zstd } from '../../src/zstd.ts'
import { collect, expectSame, faultOf, fixture, inChunks, noise, sample } from '../support.ts'

const run = (command: string, args: readonly string[], input: Uint8Array) =>
  new Uint8Array(execFileSync(command, args, { input, maxBuffer: 2 ** 28, stdio: ['pipe', 'pipe', 'ignore'] }))
const present = (command: string) => {
  const found = spawnSync(command, ['--version']).error === undefined
  if (!found) console.warn(`SKIPPED: the program ${command} is not installed`)
  return found
}
/** Real WAL, a segment of 1 MiB. */
const wal = await collect(lz4().decompress(sourceOf(fixture('v3.0.8-segment-1mb.lz4'))))
/** 100 MiB where there is time for them. */
const large = (process.env['WALTZ_SOAK'] ?? '') === '' ? [] : [sample(104_857_600)]
/** The fourth has several blocks of 1 MiB, the sixth several of 4 MiB. */
const contents = [new Uint8Array(0), sample(1), sample(70_000), sample(2_500_000), noise(300_000), new Uint8Array(9_000_000), wal, ...large]
/** For levels that do their utmost. */
const fewer = [new Uint8Array(0), sample(1), sample(70_000), sample(400_000), noise(100_000), new Uint8Array(9_000_000)]

/** Levels that take a second for a MiB. */
const SLOW = /-19|-q 11/

function readsTheirs(command: string, codec: Codec, variants: readonly (readonly string[])[]): void {
  it.each(variants.map((args) => [args.join(' '), args]))(`reads what ${command} %s writes`, async (_, args) => {
    for (const plain of SLOW.test(args.join(' ')) ? fewer : contents) {
      const packed = run(command, args, plain)
      expectSame(await collect(codec.decompress(inChunks(packed, [50_000, 7]))), plain)
    }
  })
}

function isReadByThem(command: string, codecs: readonly Codec[], some = contents): void {
  it(`writes what ${command} -dc reads, ${some.length} contents at ${codecs.length} settings`, async () => {
    for (const codec of codecs)
      for (const plain of some) expectSame(run(command, ['-dc'], await collect(codec.compress(sourceOf(plain)))), plain)
  })
}

describe.skipIf(!present('lz4'))('lz4', () => {
  isReadByThem('lz4', [lz4(), lz4({ blockBytes: 65_536 }), lz4({ blockBytes: 1_048_576 }), lz4({ blockBytes: 4_194_304 })])
  isReadByThem('lz4', [
    lz4({ blockBytes: 65_536, linkedBlocks: true }),
    lz4({ linkedBlocks: true, blockChecksums: true }),
    lz4({ blockBytes: 1_048_576, blockChecksums: true }),
  ])
  readsTheirs('lz4', lz4(), [
    ['-1c'],
    ['-9c', '-B4'],
    ['-1c', '-B5', '-BD'],
    ['-1c', '-B4', '-BD'],
    ['-9c', '-B7', '-BD'],
    ['-1c', '-BX', '-B6'],
    ['-1c', '-BX', '-BD', '-B4'],
    ['-1c', '--no-frame-crc'],
    ['-1c', '--content-size'],
    ['-lc'],
    ['-lc', '-9'],
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
  it('reads the legacy format, frames of it that follow one another, and others behind them', async () => {
    const both = Buffer.concat([
      run('lz4', ['-lc'], contents[5] ?? sample(1)),
      run('lz4', ['-lc'], sample(7)),
      run('lz4', ['-1c'], sample(70_000)),
    ])
    const wanted = Buffer.concat([contents[5] ?? sample(1), sample(7), sample(70_000)])
    expectSame(await collect(lz4().decompress(inChunks(both, [50_000, 7]))), wanted)
  })
})

describe.skipIf(!present('zstd'))('zstd', () => {
  isReadByThem('zstd', [zstd(), zstd({ level: 1 })])
  isReadByThem('zstd', [zstd({ level: 11 }), zstd({ level: 20 }), zstd({ level: -5 }), zstd({ longWindowLog: 27 })], fewer)
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

describe.skipIf(!present('xz'))('xz --format=lzma', async () => {
  const engines = [await openLzma({ engine: '@napi-rs/lzma' }), await openLzma({ engine: 'lzma-native' })]
  const xz = (args: readonly string[], input: Uint8Array): Uint8Array => run('xz', ['--format=lzma', ...args], input)
  const some = [new Uint8Array(0), sample(1), sample(400_000), noise(100_000), new Uint8Array(3_000_000), wal]
  it.each([['-0c'], ['-1c'], ['-6c'], ['--lzma1=lc=1,lp=3,pb=0,dict=64KiB', '-c'], ['--lzma1=lc=0,lp=0,pb=4,mode=fast,mf=hc3', '-c']])(
    'is read: %s %s',
    async (...args) => {
      for (const plain of some) {
        const packed = xz(args, plain)
        for (const codec of engines) expectSame(await collect(codec.decompress(inChunks(packed, [50_000, 7]))), plain)
      }
    },
  )
  it('reads what is written', async () => {
    for (const plain of some) for (const codec of engines) expectSame(xz(['-dc'], await collect(codec.compress(sourceOf(plain)))), plain)
  })
})

describe.skipIf(!present('lzop'))('lzop', () => {
  const some = [new Uint8Array(0), sample(1), sample(900_000), noise(300_000), new Uint8Array(1_000_000), text(500_000), wal, ...large]
  it.each([['-1'], ['-3'], ['-7'], ['-9'], ['-F'], ['-C'], ['--crc32'], ['-1', '-C', '--crc32']])('is read: %s %s %s', async (...args) => {
    for (const plain of some) {
      const packed = run('lzop', [...args, '-c'], plain)
      expectSame(await collect(lzo().decompress(inChunks(packed, [50_000, 7]))), plain)
    }
  })
  it('is read where files follow one another', async () => {
    const parts = [sample(300_000), noise(10_000), text(30_000)]
    const packed = Buffer.concat(parts.map((plain, index) => run('lzop', [['-1', '-9', '-F'][index] ?? '-3', '-c'], plain)))
    expectSame(await collect(lzo().decompress(inChunks(packed, [100_000]))), Buffer.concat(parts))
  })
  it('is refused where it uses a filter', async () => {
    const fault = await faultOf(() => lzo().decompress(sourceOf(run('lzop', ['--filter=1', '-c'], sample(1000)))))
    expect([fault?.kind, fault?.code]).toEqual(['unsupported', 'CODEC_FORMAT_UNSUPPORTED'])
  })
})

/** Words in a random order: matches of all lengths and distances. */
function text(length: number): Uint8Array {
  const words = ['wal', 'segment', 'checkpoint', 'a', 'relation of pages', '\0\0\0\0', 'x'.repeat(300), 'timeline ']
  const order = noise(length)
  return Buffer.from(
    Array.from({ length: length / 4 }, (_, at) => words[(order[at] ?? 0) % words.length]).join(String(order[length - 1])),
  ).subarray(0, length)
}
