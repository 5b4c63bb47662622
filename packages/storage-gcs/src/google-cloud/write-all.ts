import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

/** Written at a time, so that slow progress can be told from none. */
const WRITE_BYTES = 262_144

/** Gives bytes to a stream of the client, and waits for its answer. */
export async function writeAll(stream: Writable, body: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
  stream.on('error', () => undefined) // the client may tell of the same failure twice, the second time with nobody listening
  await pipeline(slicesOf(body), stream, signal === undefined ? {} : { signal })
}

function* slicesOf(body: Uint8Array): Generator<Uint8Array> {
  for (let offset = 0; offset < body.length; offset += WRITE_BYTES) yield body.subarray(offset, offset + WRITE_BYTES)
}
