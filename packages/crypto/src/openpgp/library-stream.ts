import { ReadableStream } from 'node:stream/web'
import type { ByteSource } from '@waltz/bytes'
import { unsupportedFormatFault } from '../crypto-faults.ts'
import type { OpenPgpLibrary } from './library.ts'
import { encodeBodyLength } from './packet-header.ts'
import { placeAt } from './packet-reader.ts'
import type { BulkKey } from './protected-reader.ts'
import type { OpenKeys, SessionKey } from './session-key.ts'

/** Bytes per part of a packet that is handed to the library. */
const PART_BYTES = 65_536
const PART_OCTET = 0xe0 | Math.log2(PART_BYTES)

/** Parts of a packet as the library reads and writes them: at least 512 bytes, but for the last. */
type Bytes = AsyncIterable<Uint8Array>

/**
 * The content of a packet as the library decrypts it: other ciphers, AEAD. A chunk of an AEAD packet is held in memory as
 * a whole, several times; how long it is stands in the packet.
 */
export async function* decryptByLibrary(
  library: OpenPgpLibrary,
  input: { readonly tag: number; readonly body: Bytes; readonly session: SessionKey },
): AsyncGenerator<Uint8Array, void, undefined> {
  const { tag, body, session } = input
  const message = await library.readMessage({ binaryMessage: streamOf(packetOf(tag, body)), config: CONFIG })
  const { data } = await library.decrypt({
    message,
    sessionKeys: [{ data: session.key, algorithm: session.cipher as 'aes128' }],
    format: 'binary',
    config: CONFIG,
  })
  yield* chunksOf(data)
}

const CONFIG = { allowUnauthenticatedStream: true } as const

/** The content of a compressed packet; for BZip2, which Node cannot decompress. */
export async function* decompressByLibrary(library: OpenPgpLibrary, tag: number, body: Bytes): AsyncGenerator<Uint8Array, void, undefined> {
  const message = await library.readMessage({ binaryMessage: streamOf(packetOf(tag, body)), config: CONFIG })
  const data = message.getLiteralData()
  if (data === null) throw unsupportedFormatFault(placeAt(0), 'is compressed and has no content')
  yield* chunksOf(data)
}

/** A message that is written by the library alone. */
export async function* encryptByLibrary(open: OpenKeys, source: ByteSource, bulk: BulkKey): AsyncGenerator<Uint8Array, void, undefined> {
  const { library, block, now } = open
  const message = await library.createMessage({ binary: streamOf(source), filename: '', date: new Date(0), format: 'binary' })
  const stored = await library.encrypt({
    message,
    encryptionKeys: [...block.keys],
    sessionKey: { data: bulk.key, algorithm: bulk.cipher },
    date: now(),
    format: 'binary',
    config: { preferredCompressionAlgorithm: library.enums.compression.uncompressed, aeadProtect: false },
  })
  yield* chunksOf(stored)
}

function streamOf(source: Bytes): ReadableStream<Uint8Array> {
  return ReadableStream.from(source)
}

async function* chunksOf(data: unknown): AsyncGenerator<Uint8Array, void, undefined> {
  if (data instanceof Uint8Array) {
    if (data.length > 0) yield data
    return
  }
  for await (const chunk of data as Bytes) if (chunk.length > 0) yield chunk
}

/** A packet around `body`, in parts. */
async function* packetOf(tag: number, body: Bytes): AsyncGenerator<Uint8Array, void, undefined> {
  yield Uint8Array.of(0xc0 | tag)
  const part = new Uint8Array(PART_BYTES)
  let filled = 0
  for await (const chunk of body) {
    for (let at = 0; at < chunk.length;) {
      const count = Math.min(PART_BYTES - filled, chunk.length - at)
      part.set(chunk.subarray(at, at + count), filled)
      filled += count
      at += count
      if (filled < PART_BYTES) continue
      yield Uint8Array.of(PART_OCTET)
      yield part.slice()
      filled = 0
    }
  }
  yield encodeBodyLength(filled)
  if (filled > 0) yield part.slice(0, filled)
}
