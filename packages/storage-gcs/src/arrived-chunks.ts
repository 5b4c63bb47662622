import type { Readable } from 'node:stream'

/** Chunks of an answer, in order. */
export interface ArrivedChunks {
  /** The next one if it is there. */
  take(): Uint8Array | undefined
  /** Waits for the next one; undefined at the end. Rejects with the failure of the connection when all that came before it was taken. */
  next(): Promise<Uint8Array | undefined>
}

/** So many bytes are read ahead of the consumer. */
const AHEAD_BYTES = 524_288

/**
 * Collects what arrives, with back-pressure. A Node stream throws away what it holds when its connection breaks; here it is still handed
 * out, so that a read over a bad connection goes on behind it.
 */
export function collectChunks(response: Readable): ArrivedChunks {
  const chunks: Uint8Array[] = []
  let bytes = 0
  let ended = false
  let failure: { readonly error: unknown } | undefined
  let wake: () => void = () => undefined

  response.on('data', (chunk: Uint8Array) => {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes >= AHEAD_BYTES) response.pause()
    wake()
  })
  response.once('end', () => {
    ended = true
    wake()
  })
  response.on('error', (error) => {
    failure ??= { error }
    wake()
  })
  response.once('close', () => {
    if (!ended) failure ??= { error: Object.assign(new Error('the answer broke off'), { code: 'ERR_STREAM_PREMATURE_CLOSE' }) }
    wake()
  })
  const take = (): Uint8Array | undefined => {
    const chunk = chunks.shift()
    bytes -= chunk?.length ?? 0
    if (chunk !== undefined && bytes < AHEAD_BYTES) response.resume()
    return chunk
  }
  return {
    take,
    async next() {
      for (;;) {
        const chunk = take()
        if (chunk !== undefined || (ended && failure === undefined)) return chunk
        if (failure !== undefined) throw failure.error
        await new Promise<void>((resolve) => (wake = resolve))
      }
    },
  }
}
