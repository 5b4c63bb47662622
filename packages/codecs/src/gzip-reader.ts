import type { ByteSource } from '@waltz/bytes'
import { crc32, createInflateRaw } from 'node:zlib'
import { createByteCursor, takeBytes, type ByteCursor } from './byte-cursor.ts'
import { damagedFault, trailingFault, truncatedFault } from './codec-faults.ts'
import { engineOptions } from './engine-options.ts'
import { runEngine } from './run-engine.ts'

const MAGIC = [0x1f, 0x8b] as const
/** Header flags, RFC 1952 section 2.3.1. */
const FLAG = { headerCrc: 0x02, extra: 0x04, name: 0x08, comment: 0x10, reserved: 0xe0 } as const

/**
 * The content of all gzip members of an object. The members' frames are read here and only their deflate streams go
 * to `node:zlib`, whose own gzip reader drops some kinds of trailing bytes and reports others as a broken header.
 * @throws Fault `corrupt` `CODEC_TRUNCATED`, `CODEC_DAMAGED`, `CODEC_TRAILING_BYTES`.
 */
export async function* readGzip(source: ByteSource): AsyncGenerator<Uint8Array, void, undefined> {
  const cursor = createByteCursor(source)
  try {
    for (let members = 0; members === 0 || (await hasMember(cursor)); members += 1) {
      await readHeader(cursor)
      yield* readContent(cursor)
    }
  } finally {
    await cursor.close()
  }
}

async function hasMember(cursor: ByteCursor): Promise<boolean> {
  const offset = cursor.offset
  const magic = await takeBytes(cursor, 2)
  if (magic.length === 0) return false
  if (MAGIC.some((byte, index) => magic[index] !== byte)) throw trailingFault({ codec: 'gzip', offset })
  cursor.unread([magic])
  return true
}

async function take(cursor: ByteCursor, count: number): Promise<Uint8Array> {
  const bytes = await takeBytes(cursor, count)
  if (bytes.length < count) throw truncatedFault({ codec: 'gzip', offset: cursor.offset }, 'the rest of the member')
  return bytes
}

async function skipText(cursor: ByteCursor): Promise<void> {
  while ((await take(cursor, 1))[0] !== 0);
}

async function readHeader(cursor: ByteCursor): Promise<void> {
  const place = { codec: 'gzip', offset: cursor.offset }
  const magic = await takeBytes(cursor, 2)
  if (MAGIC.some((byte, index) => index < magic.length && magic[index] !== byte)) throw damagedFault(place, 'this is not a gzip member')
  if (magic.length < 2) throw truncatedFault({ codec: 'gzip', offset: cursor.offset }, 'a gzip header')
  const header = await take(cursor, 8)
  const flags = header[1] ?? 0
  if (header[0] !== 8 || (flags & FLAG.reserved) !== 0) throw damagedFault(place, 'the gzip header has an unknown method or flag')
  await skipOptionalFields(cursor, flags)
}

async function skipOptionalFields(cursor: ByteCursor, flags: number): Promise<void> {
  if ((flags & FLAG.extra) !== 0) {
    const length = await take(cursor, 2)
    await take(cursor, (length[0] ?? 0) + 256 * (length[1] ?? 0))
  }
  if ((flags & FLAG.name) !== 0) await skipText(cursor)
  if ((flags & FLAG.comment) !== 0) await skipText(cursor)
  if ((flags & FLAG.headerCrc) !== 0) await take(cursor, 2)
}

async function* readContent(cursor: ByteCursor): AsyncGenerator<Uint8Array, void, undefined> {
  let sum = 0
  let length = 0
  const content = runEngine({
    codec: 'gzip',
    offset: cursor.offset,
    create: () => createInflateRaw(engineOptions),
    pull: () => cursor.next(),
    giveBack: (rest) => cursor.unread(rest),
  })
  for await (const chunk of content) {
    sum = crc32(chunk, sum)
    length += chunk.length
    yield chunk
  }
  const place = { codec: 'gzip', offset: cursor.offset }
  const trailer = await take(cursor, 8)
  const view = new DataView(trailer.buffer, trailer.byteOffset, 8)
  if (view.getUint32(0, true) !== sum) throw damagedFault(place, 'the CRC-32 of the content does not match')
  if (view.getUint32(4, true) !== length % 2 ** 32) throw damagedFault(place, 'the length of the content does not match')
}
