import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { createCodecRegistry, faultCodes, probedExtensions, zstdLevelFromWord } from '../src/index.ts'
import { gzip } from '../src/gzip.ts'
import { zstd } from '../src/zstd.ts'
import { brotli } from '../src/brotli.ts'

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

  it('has a description for every code', () => {
    for (const code of Object.keys(faultCodes)) expect(code).toMatch(/^CODEC_/)
  })
})

describe('levels', () => {
  it('are refused outside their range', () => {
    for (const make of [() => zstd({ level: 0 }), () => zstd({ level: 23 }), () => brotli({ level: 12 }), () => zstd({ level: 1.5 })]) {
      expect(make).toThrow(expect.objectContaining({ code: 'CODEC_OPTION_INVALID' }))
    }
  })

  it('have words for zstd', () => {
    expect(['fastest', 'default', 'Better', 'BEST'].map(zstdLevelFromWord)).toEqual([1, 3, 7, 11])
    expect(() => zstdLevelFromWord('constructor')).toThrow(expect.objectContaining({ code: 'CODEC_OPTION_INVALID' }))
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
