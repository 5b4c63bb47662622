import type { Readable } from 'node:stream'

/**
 * A Node readable as a byte source. The stream is made on the first pull and destroyed when the consumer stops,
 * early or not.
 */
export async function* fromNodeStream(create: () => Readable): AsyncGenerator<Uint8Array, void, undefined> {
  const stream = create()
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) if (chunk.length > 0) yield chunk
  } finally {
    stream.destroy()
  }
}
