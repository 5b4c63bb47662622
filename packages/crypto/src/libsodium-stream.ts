import type { ByteSource } from '@waltz/bytes'
import type { Fault } from '@waltz/errors'
import { damagedFault, keyMismatchFault, trailingFault, truncatedFault } from './crypto-faults.ts'
import { emptyUnreadableFault } from './libsodium-empty.ts'
import { HEADER_BYTES, OVERHEAD_BYTES, TAG_FINAL, TAG_MESSAGE, type SecretStream } from './secretstream.ts'
import { splitHead } from './split-head.ts'
import { throughUnits, type UnitShape, type UnitWork } from './units.ts'

/** Bytes of content per chunk, and of a chunk as stored. */
const PLAIN_BYTES = 8192
const STORED_BYTES = PLAIN_BYTES + OVERHEAD_BYTES

/** How many bytes of an object show whether a key fits: the header and the first chunk. */
export const LIBSODIUM_HEAD_BYTES: number = HEADER_BYTES + STORED_BYTES

/** Opens a stream under a header of 24 bytes with the key of a cipher. */
export type OpenStream = (header: Uint8Array) => Promise<SecretStream>

const PLAIN_SHAPE: UnitShape = { headBytes: 0, maxBytes: PLAIN_BYTES }
const STORED_SHAPE: UnitShape = { headBytes: 0, maxBytes: STORED_BYTES }

/** Writes one message under the given header, which must never be used twice (RF 7.3). */
export function encryptStream(source: ByteSource, open: OpenStream, header: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  return throughUnits(source, PLAIN_SHAPE, async () => writing(await open(header), header))
}

/** What is done with the chunks of one message to store. */
function writing(stream: SecretStream, header: Uint8Array): UnitWork {
  return {
    preamble: header,
    maxResultBytes: STORED_BYTES,
    unit(chunk, block, at) {
      stream.push(chunk, TAG_MESSAGE, block.subarray(at, at + STORED_BYTES))
      return STORED_BYTES
    },
    end(rest) {
      const last = new Uint8Array(rest.length + OVERHEAD_BYTES)
      stream.push(rest, TAG_FINAL, last)
      return last
    },
    close: () => stream.close(),
  }
}

/** Reads one message; every chunk is authenticated before it is passed on, and the last must be marked. */
export async function* decryptStream(source: ByteSource, open: OpenStream): AsyncGenerator<Uint8Array, void, undefined> {
  const { head, body } = await splitHead(source, HEADER_BYTES)
  try {
    if (head.length < HEADER_BYTES) throw shortFault(head.length)
    yield* throughUnits(body, STORED_SHAPE, reading(await open(head)))
  } finally {
    await body.close()
  }
}

/** What is done with the chunks of one stored message. */
function reading(stream: SecretStream): UnitWork {
  let offset = HEADER_BYTES
  const openChunk = (chunk: Uint8Array, out: Uint8Array): number => {
    const tag = stream.pull(chunk, out)
    if (tag !== undefined) return tag
    if (offset === HEADER_BYTES) throw keyMismatchFault(place(offset), 'its first chunk was written with another key, or changed')
    const full = chunk.length === STORED_BYTES
    throw damagedFault(
      place(offset),
      full ? 'a chunk was changed, or is not where it belongs' : 'the last chunk was cut short or changed, or other bytes follow it',
    )
  }
  return {
    maxResultBytes: PLAIN_BYTES,
    unit(chunk, block, at) {
      const tag = openChunk(chunk, block.subarray(at, at + PLAIN_BYTES))
      if (tag === TAG_FINAL) throw trailingFault(place(offset + STORED_BYTES))
      checkTag(tag, offset)
      offset += STORED_BYTES
      return PLAIN_BYTES
    },
    end(rest) {
      if (rest.length < OVERHEAD_BYTES) throw truncatedFault(place(offset + rest.length), 'a chunk marked as the last')
      const out = new Uint8Array(rest.length - OVERHEAD_BYTES)
      const tag = openChunk(rest, out)
      if (tag === TAG_FINAL) return out
      checkTag(tag, offset)
      throw truncatedFault(place(offset + rest.length), 'a chunk marked as the last')
    },
    close: () => stream.close(),
  }
}

const place = (offset: number) => ({ scheme: 'libsodium', offset }) as const

function checkTag(tag: number, offset: number): void {
  if (tag !== TAG_MESSAGE) throw damagedFault(place(offset), `a chunk has the mark ${tag}, which WAL-G does not write`)
}

/** Fewer bytes than a header has. */
function shortFault(length: number): Fault {
  if (length === OVERHEAD_BYTES) return emptyUnreadableFault()
  return truncatedFault(place(length), 'the rest of the header of 24 bytes')
}

/** Whether the first chunk of an object opens. */
export async function headFits(head: Uint8Array, open: OpenStream): Promise<boolean> {
  if (head.length < HEADER_BYTES + OVERHEAD_BYTES) return false
  const stream = await open(head.subarray(0, HEADER_BYTES))
  try {
    const chunk = head.subarray(HEADER_BYTES, HEADER_BYTES + STORED_BYTES)
    const out = new Uint8Array(chunk.length - OVERHEAD_BYTES)
    return stream.pull(chunk, out) !== undefined
  } finally {
    stream.close()
  }
}
