import { CHUNK_BYTES, giveBack, lendBytes, type ByteSource } from '@waltz/bytes'
import type { BrotliWasmType } from 'brotli-wasm'
import { createRequire } from 'node:module'
import type { BrotliEngine } from './brotli-engines.ts'
import type { ByteCursor } from './byte-cursor.ts'
import { damagedFault, truncatedFault } from './codec-faults.ts'
import { freeBytes } from './native-bytes.ts'

/** What the streams of the package answer: `BrotliStreamResultCode` of its declarations. */
const RESULT = { success: 1, needsInput: 2, needsOutput: 3 } as const

/** One step of a stream: the output is a copy of its own. */
interface Step {
  readonly buf: Uint8Array
  readonly code: number
  readonly input_offset: number
  free(): void
}

/**
 * Brotli in WebAssembly. It works on the thread that calls it, a chunk at a time, and lets other work go on between two chunks. It has
 * no choice of a window: what it writes may differ from what Node writes, and unpacks into the same.
 */
export async function loadWasmBrotli(): Promise<BrotliEngine> {
  const wasm = await loadPackage()
  return {
    name: 'brotli-wasm',
    compress: (source, { level }) => compressWith(wasm, source, level),
    decompress: (cursor) => decompressWith(wasm, cursor),
  }
}

/** What an import of the package gives loads its module by `fetch`, which Node does not do for files; `require` finds another entry. */
async function loadPackage(): Promise<BrotliWasmType> {
  const loaded = createRequire(import.meta.url)('brotli-wasm') as { readonly default: Promise<BrotliWasmType> }
  return loaded.default
}

function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

async function* compressWith(wasm: BrotliWasmType, source: ByteSource, level: number): AsyncGenerator<Uint8Array, void, undefined> {
  const stream = new wasm.CompressStream(level)
  try {
    for await (const chunk of source) {
      yield* steps(chunk, (input) => stream.compress(input, CHUNK_BYTES))
      giveBack(chunk)
      await breathe()
    }
    yield* steps(undefined, (input) => stream.compress(input, CHUNK_BYTES))
  } finally {
    stream.free()
  }
}

/** Until the stream has taken all of `chunk` and wants more. */
function* steps(chunk: Uint8Array | undefined, next: (input: Uint8Array | undefined) => Step): Generator<Uint8Array, void, undefined> {
  let input = chunk
  for (;;) {
    const { buf, code, consumed } = opened(next(input))
    if (buf.length > 0) yield lendBytes(buf, freeBytes)
    input = input?.subarray(consumed)
    if (code !== RESULT.needsOutput) return
  }
}

function opened(step: Step): { readonly buf: Uint8Array; readonly code: number; readonly consumed: number } {
  try {
    return { buf: step.buf, code: step.code, consumed: step.input_offset }
  } finally {
    step.free()
  }
}

async function* decompressWith(wasm: BrotliWasmType, cursor: ByteCursor): AsyncGenerator<Uint8Array, void, undefined> {
  const stream = new wasm.DecompressStream()
  try {
    for (let chunk = await cursor.next(CHUNK_BYTES); chunk !== undefined; chunk = await cursor.next(CHUNK_BYTES)) {
      let input = chunk
      for (;;) {
        const { buf, code, consumed } = decompressStep(stream, input, cursor.offset - input.length)
        input = input.subarray(consumed)
        if (buf.length > 0) yield lendBytes(buf, freeBytes)
        await breathe()
        if (code === RESULT.success) return cursor.unread([input])
        if (code === RESULT.needsInput) break
      }
      giveBack(chunk)
    }
    throw truncatedFault({ codec: 'brotli', offset: cursor.offset }, 'more compressed data')
  } finally {
    stream.free()
  }
}

function decompressStep(
  stream: { decompress(input: Uint8Array, size: number): Step },
  input: Uint8Array,
  offset: number,
): ReturnType<typeof opened> {
  try {
    return opened(stream.decompress(input, CHUNK_BYTES))
  } catch (error) {
    throw damagedFault({ codec: 'brotli', offset }, error instanceof Error ? error.message : String(error), error)
  }
}
