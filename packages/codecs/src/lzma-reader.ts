import type { ByteSource } from '@waltz/bytes'
import { createByteCursor, type ByteCursor } from './byte-cursor.ts'
import { damagedFault, trailingFault, truncatedFault } from './codec-faults.ts'
import type { LzmaEngine } from './lzma-engines.ts'
import { readLzmaHeader, type LzmaHeader } from './lzma-header.ts'

/** What an object is read with. */
export interface LzmaReaderOptions {
  readonly engine: LzmaEngine
  readonly maxDictionaryBytes: number
}

/**
 * The content of an "LZMA alone" object. Bytes behind its end are noticed where the engine tells how much it has consumed; otherwise
 * they are passed over.
 * @throws Fault `corrupt` `CODEC_TRUNCATED`, `CODEC_DAMAGED`, `CODEC_TRAILING_BYTES`; `unsupported` `CODEC_FORMAT_UNSUPPORTED`.
 */
export async function* readLzma(source: ByteSource, options: LzmaReaderOptions): AsyncGenerator<Uint8Array, void, undefined> {
  const cursor = createByteCursor(source)
  try {
    const header = await readLzmaHeader(cursor, options.maxDictionaryBytes)
    yield* readStream(cursor, header, options.engine)
  } finally {
    await cursor.close()
  }
}

async function* readStream(cursor: ByteCursor, header: LzmaHeader, engine: LzmaEngine): AsyncGenerator<Uint8Array, void, undefined> {
  let failure: unknown
  let consumed: number | undefined
  let contentBytes = 0n
  const feed = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
    yield header.bytes
    for (;;) {
      const chunk = await cursor.next().catch((error: unknown) => {
        failure = error
        throw error
      })
      if (chunk === undefined) return
      yield chunk
    }
  }
  const place = (): { codec: string; offset: number } => ({ codec: 'lzma', offset: cursor.offset })
  try {
    for await (const chunk of engine.decompress(feed(), (bytes) => (consumed = bytes))) {
      contentBytes += BigInt(chunk.length)
      if (header.contentBytes !== undefined && contentBytes > header.contentBytes)
        throw damagedFault(place(), `more content than the ${header.contentBytes} bytes of its header`)
      yield chunk
    }
  } catch (error) {
    throw error === failure ? error : engineFault(place(), error)
  }
  if (header.contentBytes !== undefined && contentBytes !== header.contentBytes)
    throw damagedFault(place(), `${contentBytes} bytes of content where ${header.contentBytes} were announced`)
  if (consumed !== undefined && consumed < cursor.offset) throw trailingFault({ codec: 'lzma', offset: consumed })
}

/** What the engines say when they run out of input: `@napi-rs/lzma` in two ways, liblzma by its code. */
const ENDED_EARLY = /unexpected end|fill whole buffer|LZMA_BUF_ERROR|No progress is possible/
/** Errors of theirs, as opposed to those of anything else. */
const ENGINE_CODES: ReadonlySet<unknown> = new Set(['InvalidArg', 'GenericFailure'])

function engineFault(place: { readonly codec: string; readonly offset: number }, error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const { code } = error as { readonly code?: unknown }
  if (!ENGINE_CODES.has(code) && !error.name.startsWith('LZMA_')) return error
  if (ENDED_EARLY.test(`${error.name} ${error.message}`)) return truncatedFault(place, 'more compressed data', error)
  return damagedFault(place, error.message, error)
}
