import { giveBack, lendBytes, type ByteSource } from '@waltz/bytes'
import { crc32 } from 'node:zlib'
import { adler32 } from './adler32.ts'
import { createByteCursor, takeBytes, type ByteCursor } from './byte-cursor.ts'
import { damagedFault, trailingFault, truncatedFault, unsupportedFormatFault } from './codec-faults.ts'
import { decodeLzoBlock } from './lzo-block.ts'
import { freeBytes } from './native-bytes.ts'

/** Begins every file of the `lzop` program (RF 6.7). */
export const LZOP_MAGIC: readonly number[] = [0x89, 0x4c, 0x5a, 0x4f, 0x00, 0x0d, 0x0a, 0x1a, 0x0a]

/** Flags of the header; lzop 1.04, conf.h. */
const FLAG = {
  adlerOfContent: 0x1,
  adlerOfStored: 0x2,
  extraField: 0x40,
  crcOfContent: 0x100,
  crcOfStored: 0x200,
  multipart: 0x400,
  filter: 0x800,
  crcOfHeader: 0x1000,
} as const
/** From this version on the header has the version needed, a level and more of the time. */
const VERSION_WITH_LEVEL = 0x0940
const OLDEST_VERSION = 0x0900
/** The newest that is known; a file that needs a newer one has something unknown in it. */
const NEWEST_VERSION = 0x1040
/** LZO1X-1, LZO1X-1(15) and LZO1X-999, which one decoder reads. */
const METHODS = [1, 2, 3]
/** The largest block that lzop reads or writes. */
const MOST_BLOCK_BYTES = 64 * 1_048_576
const MOST_EXTRA_BYTES = 1_048_576

/**
 * The content of all lzop files in an object, a block at a time, with every checksum that they carry verified. Chunks
 * of the source are given back, and those of the content are lent.
 * @throws Fault `corrupt` `CODEC_TRUNCATED`, `CODEC_DAMAGED`, `CODEC_TRAILING_BYTES`; `unsupported` `CODEC_FORMAT_UNSUPPORTED`.
 */
export async function* readLzo(source: ByteSource): AsyncGenerator<Uint8Array, void, undefined> {
  const cursor = createByteCursor(source)
  try {
    for (let files = 0; await hasFile(cursor, files); files += 1) {
      const flags = await readHeader(cursor)
      for (let block = await readBlock(cursor, flags); block !== undefined; block = await readBlock(cursor, flags)) yield block
    }
  } finally {
    await cursor.close()
  }
}

async function hasFile(cursor: ByteCursor, filesBefore: number): Promise<boolean> {
  const offset = cursor.offset
  const magic = await takeBytes(cursor, LZOP_MAGIC.length)
  if (magic.length === 0 && filesBefore > 0) return false
  const same = magic.every((byte, index) => byte === LZOP_MAGIC[index])
  if (same && magic.length === LZOP_MAGIC.length) return true
  if (filesBefore > 0) throw trailingFault({ codec: 'lzo', offset })
  if (same) throw truncatedFault({ codec: 'lzo', offset: magic.length }, 'the header')
  throw damagedFault({ codec: 'lzo', offset }, 'this is not an lzop file')
}

/** What the header says that matters here. */
interface LzoHeader {
  readonly needed: number
  readonly method: number
  readonly flags: number
}

/** The header without its magic: checks it and gives the flags. */
async function readHeader(cursor: ByteCursor): Promise<number> {
  const place = { codec: 'lzo', offset: cursor.offset }
  const header = await parseHeader(cursor)
  const why = unreadable(header)
  if (why !== undefined) throw unsupportedFormatFault(place, why)
  if ((header.flags & FLAG.extraField) !== 0) await readExtraField(cursor, header.flags)
  return header.flags
}

function unreadable({ needed, method, flags }: LzoHeader): string | undefined {
  if (needed > NEWEST_VERSION) return `needs lzop 0x${needed.toString(16)}`
  if (!METHODS.includes(method)) return `uses the unknown method ${method}`
  if ((flags & FLAG.filter) !== 0) return 'uses a filter'
  return (flags & FLAG.multipart) === 0 ? undefined : 'is one of several parts'
}

async function parseHeader(cursor: ByteCursor): Promise<LzoHeader> {
  const place = { codec: 'lzo', offset: cursor.offset }
  const parts: Uint8Array[] = []
  const take = async (count: number): Promise<DataView> => {
    const bytes = await exactly(cursor, count, 'the rest of the header')
    parts.push(bytes)
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }
  const version = (await take(4)).getUint16(0)
  if (version < OLDEST_VERSION) throw damagedFault(place, `the header has the impossible version 0x${version.toString(16)}`)
  const withLevel = version >= VERSION_WITH_LEVEL
  const needed = withLevel ? (await take(2)).getUint16(0) : version
  const method = (await take(withLevel ? 2 : 1)).getUint8(0)
  const flags = (await take(4)).getUint32(0)
  if ((flags & FLAG.filter) !== 0) await take(4)
  await take(withLevel ? 12 : 8) // mode and time of the file
  await take((await take(1)).getUint8(0)) // its name
  if ((await uint32(cursor, 'the checksum of the header')) !== sumOf(Buffer.concat(parts), flags))
    throw damagedFault(place, 'the header does not match its checksum')
  return { needed, method, flags }
}

/** The checksum of parts of the header. */
function sumOf(bytes: Uint8Array, flags: number): number {
  return (flags & FLAG.crcOfHeader) === 0 ? adler32(bytes) : crc32(bytes)
}

async function readExtraField(cursor: ByteCursor, flags: number): Promise<void> {
  const place = { codec: 'lzo', offset: cursor.offset }
  const length = await exactly(cursor, 4, 'an extra field')
  const bytes = new DataView(length.buffer, length.byteOffset).getUint32(0)
  if (bytes > MOST_EXTRA_BYTES) throw damagedFault(place, `an extra field of ${bytes} bytes`)
  const whole = Buffer.concat([length, await exactly(cursor, bytes, 'an extra field')])
  if ((await uint32(cursor, 'the checksum of an extra field')) !== sumOf(whole, flags))
    throw damagedFault(place, 'an extra field does not match its checksum')
}

/** The content of the next block; undefined at the end mark. */
async function readBlock(cursor: ByteCursor, flags: number): Promise<Uint8Array | undefined> {
  const place = { codec: 'lzo', offset: cursor.offset }
  const contentBytes = await uint32(cursor, 'a block or the end mark')
  if (contentBytes === 0) return undefined
  const storedBytes = await uint32(cursor, 'the size of a block')
  if (contentBytes > MOST_BLOCK_BYTES || storedBytes > contentBytes || storedBytes === 0)
    throw damagedFault(place, `a block of ${storedBytes} bytes for ${contentBytes} bytes of content`)
  const ofContent = await readSums(cursor, [flags & FLAG.adlerOfContent, flags & FLAG.crcOfContent])
  const packed = storedBytes < contentBytes
  const ofStored = packed ? await readSums(cursor, [flags & FLAG.adlerOfStored, flags & FLAG.crcOfStored]) : []
  const offset = cursor.offset
  const stored = await exactly(cursor, storedBytes, 'the rest of a block')
  if (!matches(stored, ofStored)) throw damagedFault(place, 'a block does not match its checksum')
  const content = packed ? lendBytes(decodeLzoBlock(stored, contentBytes, offset), freeBytes) : stored
  if (!matches(content, ofContent)) throw damagedFault(place, 'the content of a block does not match its checksum')
  if (packed) giveBack(stored)
  return content
}

/** Adler-32 and CRC-32, each where its flag is set. */
async function readSums(cursor: ByteCursor, [adler = 0, crc = 0]: readonly number[]): Promise<readonly (number | undefined)[]> {
  const first = adler === 0 ? undefined : await uint32(cursor, 'the checksum of a block')
  return [first, crc === 0 ? undefined : await uint32(cursor, 'the checksum of a block')]
}

function matches(bytes: Uint8Array, [adler, crc]: readonly (number | undefined)[]): boolean {
  return (adler === undefined || adler === adler32(bytes)) && (crc === undefined || crc === crc32(bytes))
}

async function exactly(cursor: ByteCursor, count: number, what: string): Promise<Uint8Array> {
  const bytes = await takeBytes(cursor, count)
  if (bytes.length < count) throw truncatedFault({ codec: 'lzo', offset: cursor.offset }, what)
  return bytes
}

async function uint32(cursor: ByteCursor, what: string): Promise<number> {
  const bytes = await exactly(cursor, 4, what)
  const value = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0)
  giveBack(bytes)
  return value
}
