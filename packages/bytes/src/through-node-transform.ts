import type { Transform } from 'node:stream'
import type { ByteSource } from './byte-source.ts'

/**
 * Runs a source through a Node transform such as those of `node:zlib`, feeding it while its output is consumed, so
 * that the transform's own thread works concurrently. The transform is made on the first pull and destroyed at the
 * end, whatever the end is; an error of the source wins over the error it causes in the transform. `onTaken` is called with every
 * chunk that the transform has done with: for one that always reads to the end of what it is given, `giveBack` may be that.
 */
export async function* throughNodeTransform(
  source: ByteSource,
  create: () => Transform,
  onTaken?: (chunk: Uint8Array) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  const transform = create()
  let sourceFailure: { readonly error: unknown } | undefined
  let closed = false

  const gone = new Promise<void>((resolve) => transform.once('close', resolve))
  const feed = async (): Promise<void> => {
    let taken: Promise<void> | undefined
    try {
      for await (const chunk of source) {
        if (closed) return
        taken = new Promise((resolve) =>
          transform.write(chunk, (error) => {
            if (error === null || error === undefined) onTaken?.(chunk)
            resolve()
          }),
        )
        if (transform.writableNeedDrain) await drained(transform)
        if (closed) return
      }
      // Ended while its last input is still waiting, Node's zstd compressor writes a second, empty frame behind the first.
      await Promise.race([taken, gone])
      transform.end()
    } catch (error) {
      if (closed) return
      sourceFailure = { error }
      transform.destroy(error instanceof Error ? error : new Error(String(error)))
    }
  }

  // An early error must not be an unhandled 'error' event before the reading side attaches.
  transform.on('error', () => undefined)
  const feeding = feed()
  try {
    for await (const chunk of transform as AsyncIterable<Uint8Array>) if (chunk.length > 0) yield chunk
  } catch (error) {
    throw sourceFailure === undefined ? error : sourceFailure.error
  } finally {
    closed = true
    transform.destroy()
    await feeding
  }
}

/** Resolves when the transform takes more input, or is gone. */
function drained(transform: Transform): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      transform.off('drain', done)
      transform.off('close', done)
      resolve()
    }
    if (transform.destroyed) resolve()
    else {
      transform.on('drain', done)
      transform.on('close', done)
    }
  })
}
