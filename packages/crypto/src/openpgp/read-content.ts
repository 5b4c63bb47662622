import { createInflate, createInflateRaw } from 'node:zlib'
import { giveBack, lendBytes, throughNodeTransform, type ByteSource } from '@waltz/bytes'
import { damagedFault, unsupportedFormatFault, type CipherPlace } from '../crypto-faults.ts'
import { createContentParser, type ContentParser } from './content-parser.ts'
import type { OpenPgpLibrary } from './library.ts'
import { decompressByLibrary } from './library-stream.ts'
import { PACKET } from './packet-header.ts'

/** What the content of a decrypted packet is read with. */
export interface ContentReading {
  readonly library: OpenPgpLibrary
  /** Where in the stored object the reader is. */
  readonly place: () => CipherPlace
}

/** Compressed packets within one another; those who write them make one. */
const MAX_DEPTH = 4
const COMPRESSION = { none: 0, zip: 1, zlib: 2, bzip2: 3 } as const

/**
 * The content of decrypted packets: one literal packet, compressed or not, signed or not. Memory is bounded however much the content
 * expands; how much it may is for its consumer to say.
 * @throws Fault `corrupt` `CRYPTO_DAMAGED`, `unsupported` `CRYPTO_FORMAT_UNSUPPORTED`.
 */
export async function* readContent(blocks: ByteSource, reading: ContentReading, depth = 0): AsyncGenerator<Uint8Array, void, undefined> {
  const parser = createContentParser(reading.place)
  const content = contentOf(blocks, parser)
  const first = await content.next()
  const { compression } = parser
  if (first.done !== true && compression === undefined) {
    yield first.value
    yield* content
  } else if (compression !== undefined) {
    if (depth === MAX_DEPTH) throw unsupportedFormatFault(reading.place(), 'is compressed too many times')
    const all = first.done === true ? content : joined(first.value, content)
    yield* decompress(all, { ...reading, compression, depth })
  }
}

async function* contentOf(blocks: ByteSource, parser: ContentParser): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const block of blocks) {
    const content = parser.push(block)
    if (content.length === 0) giveBack(block)
    else yield lendBytes(content, () => giveBack(block))
  }
  parser.end()
}

async function* joined(first: Uint8Array, rest: ByteSource): AsyncGenerator<Uint8Array, void, undefined> {
  yield first
  yield* rest
}

function decompress(
  content: ByteSource,
  reading: ContentReading & { readonly compression: number; readonly depth: number },
): AsyncGenerator<Uint8Array, void, undefined> {
  const inside = reading.depth + 1
  switch (reading.compression) {
    case COMPRESSION.none:
      return readContent(content, reading, inside)
    case COMPRESSION.zip:
      return readContent(
        throughNodeTransform(content, () => createInflateRaw(ENGINE), giveBack),
        reading,
        inside,
      )
    case COMPRESSION.zlib:
      return readContent(
        throughNodeTransform(content, () => createInflate(ENGINE), giveBack),
        reading,
        inside,
      )
    case COMPRESSION.bzip2:
      return decompressByLibrary(reading.library, PACKET.compressed, joined(Uint8Array.of(COMPRESSION.bzip2), content))
    default:
      throw damagedFault(reading.place(), `its compression ${reading.compression} does not exist`)
  }
}

const ENGINE = { chunkSize: 262_144 } as const
