import { giveBack, lendBytes, throughNodeTransform } from '@waltz/bytes'
import type { Transform } from 'node:stream'
import { damagedFault, truncatedFault, unsupportedFormatFault } from './codec-faults.ts'
import { freeBytes } from './native-bytes.ts'

/** A stream of `node:zlib`: `bytesWritten` counts what the engine consumed, not what was handed to it. */
export type Engine = Transform & { readonly bytesWritten: number }

/** One run of a decompressor over bytes that may go on after its end. */
export interface EngineRun {
  readonly codec: string
  /** Where in the object the run begins. */
  readonly offset: number
  readonly create: () => Engine
  /** The next chunk, or undefined at the end. */
  readonly pull: () => Promise<Uint8Array | undefined>
  /** Called after a good end with the chunks, or rests of chunks, that the engine did not consume. */
  readonly giveBack: (rest: readonly Uint8Array[]) => void
}

/**
 * Decompresses until the engine has seen the end of its data and gives back what follows. `node:zlib` silently drops
 * bytes behind the end; the only trace is that its `bytesWritten` stays below what was handed to it, so the chunks are
 * kept until the engine has consumed them, and given back then; those of the content are lent.
 * @throws Fault `corrupt` `CODEC_TRUNCATED` or `CODEC_DAMAGED`, `unsupported` `CODEC_FORMAT_UNSUPPORTED`; failures of `pull` as they are.
 */
export async function* runEngine(run: EngineRun): AsyncGenerator<Uint8Array, void, undefined> {
  const kept: Uint8Array[] = []
  let keptFrom = 0
  let engine: Engine | undefined
  let pullFailure: unknown

  const dropConsumed = (): void => {
    const consumed = engine?.bytesWritten ?? 0
    for (let first = kept[0]; first !== undefined && keptFrom + first.length <= consumed; first = kept[0]) {
      keptFrom += first.length
      kept.shift()
      giveBack(first)
    }
  }
  const feed = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const chunk = await run.pull().catch((error: unknown) => {
        pullFailure = error
        throw error
      })
      if (chunk === undefined) return
      dropConsumed()
      kept.push(chunk)
      yield chunk
    }
  }

  try {
    // A chunk that fills its memory has it for itself, since the engine goes on in another: given back, it is freed at once.
    for await (const chunk of throughNodeTransform(feed(), () => (engine = run.create()))) yield lendBytes(chunk, freeBytes)
  } catch (error) {
    throw error === pullFailure ? error : engineFault(run, engine?.bytesWritten ?? 0, error)
  }
  dropConsumed()
  const [first, ...others] = kept
  const consumed = engine?.bytesWritten ?? 0
  run.giveBack(first === undefined ? [] : [first.subarray(consumed - keptFrom), ...others])
}

function engineFault(run: EngineRun, consumed: number, error: unknown): Error {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const place = { codec: run.codec, offset: run.offset + consumed }
  if (code === 'Z_BUF_ERROR') return truncatedFault(place, 'more compressed data', error)
  if (code.includes('windowTooLarge')) return unsupportedFormatFault(place, 'needs a larger window than is allowed', error)
  if (/^(Z_|ZSTD_|ERR_ZLIB|ERR_?_?ERROR|ERR_BROTLI|BROTLI_|ERR_ZSTD)/.test(code)) {
    return damagedFault(place, error instanceof Error ? error.message : String(error), error)
  }
  return error instanceof Error ? error : new Error(String(error))
}
