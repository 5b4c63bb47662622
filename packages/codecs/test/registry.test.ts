import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { sourceOf } from '@waltz/bytes'
import { describe, expect, it } from 'vitest'
import { createCodecRegistry, faultCodes, probedExtensions, zstdLevelFromWord } from '../src/index.ts'
import { gzip } from '../src/gzip.ts'
import { zstd } from '../src/zstd.ts'
import { brotli } from '../src/brotli.ts'
import { collect, expectSame, noise } from './support.ts'

const registry = createCodecRegistry()

describe('the registry', () => {
  it('finds codecs by name and by extension', async () => {
    for (const [name, extension] of [
      ['lz4', 'lz4'],
      ['zstd', 'zst'],
      ['brotli', 'br'],
      ['lzma', 'lzma'],
      ['none', ''],
    ] as const) {
      expect(await registry.byName(name)).toMatchObject({ name, extension })
      expect(await registry.byExtension(extension)).toMatchObject({ name, extension })
    }
    expect(await registry.byExtension('gz')).toMatchObject({ name: 'gzip', checksummed: true })
    expect(await registry.byExtension('lzo')).toMatchObject({ name: 'lzo', checksummed: true })
  })

  it('lists what it reads in the order in which WAL-G probes', () => {
    expect(registry.extensions).toEqual(['lz4', 'lzma', 'gz', 'br', 'lzo', 'zst'])
    expect(probedExtensions).toEqual(['lz4', 'lzma', 'gz', 'br', 'lzo', 'zst'])
  })

  it.each([
    ['xz', 'CODEC_UNKNOWN_EXTENSION'],
    ['tmp', 'CODEC_UNKNOWN_EXTENSION'],
  ])('says what is missing for .%s', async (extension, code) => {
    await expect(registry.byExtension(extension)).rejects.toMatchObject({ kind: 'unsupported', code })
  })

  it('says what is wrong with a name', async () => {
    await expect(registry.byName('lz5')).rejects.toMatchObject({ kind: 'invalid', code: 'CODEC_UNKNOWN' })
    await expect(registry.byName('gzip')).rejects.toMatchObject({ kind: 'unsupported', code: 'CODEC_READ_ONLY' })
    await expect(registry.byName('lzo')).rejects.toMatchObject({ kind: 'unsupported', code: 'CODEC_READ_ONLY' })
    await expect(registry.byName('zstd', { level: 99 })).rejects.toMatchObject({ kind: 'invalid', code: 'CODEC_OPTION_INVALID' })
  })

  it.each([
    ['lz4', { level: 1 }, /lz4 has no levels: 1 .*/],
    ['none', { level: 3 }, /none has no levels/],
    ['lz4', { longWindowLog: 27 }, /lz4 has no long-distance matching/],
    ['brotli', { longWindowLog: 27 }, /brotli has no long-distance matching/],
    ['lzma', { level: 10 }, /lzma level 10/],
  ])('refuses a choice that %s does not have', async (name, options, message) => {
    await expect(registry.byName(name, options)).rejects.toMatchObject({
      kind: 'invalid',
      code: 'CODEC_OPTION_INVALID',
      message: expect.stringMatching(message) as string,
    })
  })

  it('has a description for every code', () => {
    for (const code of Object.keys(faultCodes)) expect(code).toMatch(/^CODEC_/)
  })
})

describe('levels', () => {
  it('are refused outside their range', () => {
    for (const make of [
      () => zstd({ level: 0 }),
      () => zstd({ level: 23 }),
      () => brotli({ level: 12 }),
      () => zstd({ level: 1.5 }),
      () => zstd({ level: -8 }),
      () => zstd({ level: -1 }),
    ]) {
      expect(make).toThrow(expect.objectContaining({ code: 'CODEC_OPTION_INVALID' }))
    }
  })

  it('below zero are faster and larger for zstd', async () => {
    // Words in a random order: repetitions everywhere, but not the same ones.
    const words = ['alpha ', 'beta ', 'gamma ', 'delta ', 'epsilon ', 'zeta ']
    const content = Buffer.from(Array.from(noise(60_000), (byte) => words[byte % words.length] ?? '').join(''))
    const sizes: number[] = []
    for (const level of [-7, -2, 1, 22]) {
      const packed = await collect(zstd({ level }).compress(sourceOf(content)))
      expectSame(await collect(zstd().decompress(sourceOf(packed))), content)
      sizes.push(packed.length)
    }
    expect(sizes).toEqual(sizes.toSorted((a, b) => b - a))
    expect(new Set(sizes).size).toBe(4)
  })

  it('have words for zstd', () => {
    expect(['fastest', 'default', 'Better', 'BEST'].map(zstdLevelFromWord)).toEqual([1, 3, 7, 11])
    expect(() => zstdLevelFromWord('constructor')).toThrow(expect.objectContaining({ code: 'CODEC_OPTION_INVALID' }))
  })
})

describe('zstd', () => {
  it('finds repetitions far back when it is asked to, in a window of that size', async () => {
    const half = noise(12_000_000)
    const far = Buffer.concat([half, half])
    const short = await collect(zstd({ level: 1 }).compress(sourceOf(far)))
    const long = await collect(zstd({ level: 1, longWindowLog: 24 }).compress(sourceOf(far)))
    expect(long.length).toBeLessThan(0.52 * short.length)
    expect(10 + ((long[5] ?? 0) >> 3)).toBe(24)
    expectSame(await collect(zstd().decompress(sourceOf(long))), far)
  })

  it('refuses windows that it does not have, and workers with the reason', () => {
    for (const longWindowLog of [19, 28, 24.5]) {
      expect(() => zstd({ longWindowLog })).toThrow(expect.objectContaining({ code: 'CODEC_OPTION_INVALID' }))
    }
    expect(() => zstd({ workers: 2 })).toThrow(/node:zlib loses data/)
    expect(zstd({ workers: 0 }).name).toBe('zstd')
  })
})

it('gzip is for reading only', () => {
  expect(() => gzip().compress((async function* () {})())).toThrow(expect.objectContaining({ code: 'CODEC_READ_ONLY' }))
})

describe('loading', () => {
  const loadedBy = async (names: readonly string[]): Promise<string[]> => {
    const index = new URL('../src/index.ts', import.meta.url).href
    const script = `
      import { createRequire, registerHooks } from 'node:module'
      const seen = []
      registerHooks({ load: (url, context, next) => (seen.push(url), next(url, context)) })
      const { createCodecRegistry } = await import(${JSON.stringify(index)})
      const registry = createCodecRegistry()
      for (const name of ${JSON.stringify(names)}) await registry.byName(name)
      const native = Object.keys(createRequire(${JSON.stringify(index)}).cache)
      console.log(JSON.stringify([...seen, ...native, ...process.moduleLoadList]))`
    const { stdout } = await promisify(execFile)(process.execPath, ['--conditions=source', '--input-type=module', '-e', script], {
      cwd: fileURLToPath(new URL('..', import.meta.url)),
    })
    return JSON.parse(stdout) as string[]
  }
  const native = /lz4-napi|@node-rs\/xxhash|lzma/
  const zlib = /NativeModule zlib$/

  it('takes only what the codec at hand needs', async () => {
    const nothing = await loadedBy([])
    expect(nothing.filter((module) => native.test(module) || zlib.test(module) || /src\/(lz4|zstd|brotli|gzip)\.ts/.test(module))).toEqual(
      [],
    )
    const withZstd = await loadedBy(['zstd'])
    expect(withZstd.some((module) => zlib.test(module))).toBe(true)
    expect(withZstd.filter((module) => native.test(module) || /src\/(lz4|brotli|gzip)\.ts/.test(module))).toEqual([])
    const withLz4 = await loadedBy(['lz4'])
    expect(withLz4.some((module) => native.test(module))).toBe(true)
    expect(withLz4.filter((module) => zlib.test(module))).toEqual([])
  })
})
