import { sourceOf } from '@waltz/bytes'
import { describe, expect, it, vi } from 'vitest'
import { brotli, openBrotli } from '../src/brotli.ts'
import { collect, expectSame, faultOf, inChunks, noise, sample } from './support.ts'

vi.setConfig({ testTimeout: 30_000 }) // on machines that do other things as well

const wasm = await openBrotli({ engine: 'brotli-wasm' })
const node = await openBrotli({ engine: 'node:zlib' })
const contents = [new Uint8Array(0), sample(1), sample(700_000), noise(300_000), new Uint8Array(3_000_000)]

describe('brotli in WebAssembly', () => {
  it('reads what Node writes, however it is cut', async () => {
    for (const plain of contents) {
      const packed = await collect(node.compress(sourceOf(plain)))
      for (const cut of [[packed.length + 1], [50_000, 7]]) expectSame(await collect(wasm.decompress(inChunks(packed, cut))), plain)
    }
  })

  it('writes what Node reads, in about as many bytes', async () => {
    for (const plain of contents) {
      const packed = await collect(wasm.compress(inChunks(plain, [100_000])))
      expectSame(await collect(node.decompress(sourceOf(packed))), plain)
      expect(packed.length).toBeLessThan(1.1 * (await collect(node.compress(sourceOf(plain)))).length + 10)
    }
  })

  it('takes levels', async () => {
    const sizes = await Promise.all(
      [0, 9].map(
        async (level) => (await collect((await openBrotli({ engine: 'brotli-wasm', level })).compress(sourceOf(sample(50_000))))).length,
      ),
    )
    expect(sizes[1]).toBeLessThan(sizes[0] ?? 0)
    await expect(openBrotli({ engine: 'brotli-wasm', level: 12 })).rejects.toMatchObject({ code: 'CODEC_OPTION_INVALID' })
  })

  it('tells damage, a cut and trailing bytes as Node does', async () => {
    const packed = await collect(brotli().compress(sourceOf(noise(400), noise(400))))
    for (let length = 0; length < packed.length; length += 1) {
      const fault = await faultOf(() => wasm.decompress(sourceOf(packed.subarray(0, length))))
      expect([length, fault?.code, fault?.context['offset']]).toEqual([length, 'CODEC_TRUNCATED', length])
    }
    for (const codec of [wasm, node]) {
      const fault = await faultOf(() => codec.decompress(sourceOf(packed, Uint8Array.of(0))))
      expect([fault?.code, fault?.context['offset']]).toEqual(['CODEC_TRAILING_BYTES', packed.length])
      expect((await faultOf(() => codec.decompress(sourceOf(noise(3000)))))?.code).toBe('CODEC_DAMAGED')
    }
  })

  it('lets other work go on', async () => {
    let turns = 0
    const timer = setInterval(() => (turns += 1), 1)
    await collect(wasm.compress(inChunks(sample(3_000_000), [262_144])))
    clearInterval(timer)
    expect(turns).toBeGreaterThan(5)
  })
})

describe('without a package', () => {
  it('brotli names the one to install', async () => {
    vi.resetModules()
    const absent = () => {
      throw Object.assign(new Error(`Cannot find module 'brotli-wasm'`), { code: 'MODULE_NOT_FOUND' })
    }
    vi.doMock('node:module', () => ({ createRequire: () => absent }))
    try {
      const fresh = await import('../src/brotli.ts')
      await expect(fresh.openBrotli({ engine: 'brotli-wasm' })).rejects.toMatchObject({
        kind: 'unsupported',
        code: 'CODEC_LOAD_FAILED',
        hint: expect.stringContaining('npm install brotli-wasm') as string,
      })
    } finally {
      vi.doUnmock('node:module')
      vi.resetModules()
    }
  })
})

describe('without brotli in node:zlib', () => {
  it('takes the package, and says what to install where only Node may be used', async () => {
    vi.resetModules()
    vi.doMock('node:zlib', async (original) => ({ ...(await original<object>()), createBrotliCompress: undefined }))
    try {
      const fresh = await import('../src/brotli.ts')
      const packed = await collect((await fresh.openBrotli()).compress(sourceOf(sample(10_000))))
      expectSame(await collect(node.decompress(sourceOf(packed))), sample(10_000))
      expect(() => fresh.brotli()).toThrow(expect.objectContaining({ code: 'CODEC_LOAD_FAILED' }))
    } finally {
      vi.doUnmock('node:zlib')
      vi.resetModules()
    }
  })
})
