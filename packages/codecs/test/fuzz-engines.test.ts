import { gzipSync } from 'node:zlib'
import { describe } from 'vitest'
import { openBrotli } from '../src/brotli.ts'
import { gzip } from '../src/gzip.ts'
import { openLzma } from '../src/lzma.ts'
import { contents, fuzz, written } from './fuzzing.ts'

const node = await openBrotli()
const wasm = await openBrotli({ engine: 'brotli-wasm' })
const lzmaDefault = await openLzma({ engine: '@napi-rs/lzma', maxDictionaryBytes: 16_777_216 })
const lzmaNative = await openLzma({ engine: 'lzma-native', maxDictionaryBytes: 16_777_216 })

describe('mutations', async () => {
  fuzz([
    { label: 'gzip', codec: gzip(), objects: contents.map((content) => new Uint8Array(gzipSync(content))), share: 1 },
    { label: 'brotli', codec: node, objects: await written(node), share: 0.8 },
    { label: 'brotli of brotli-wasm', codec: wasm, objects: await written(wasm), share: 0.2 },
    { label: 'lzma of @napi-rs/lzma', codec: lzmaDefault, objects: await written(lzmaDefault), share: 0.8 },
    { label: 'lzma of lzma-native', codec: lzmaNative, objects: await written(lzmaNative), share: 0.2 },
  ])
})
