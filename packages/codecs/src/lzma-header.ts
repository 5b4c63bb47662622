import { takeBytes, type ByteCursor } from './byte-cursor.ts'
import { damagedFault, truncatedFault, unsupportedFormatFault } from './codec-faults.ts'

/** Properties, dictionary size and content size (RF 6.3). */
export const LZMA_HEADER_BYTES = 13
/** Properties are `(pb * 5 + lp) * 9 + lc` with lc up to 8 and lp and pb up to 4. */
const MOST_PROPERTIES = 9 * 5 * 5
const UNKNOWN_SIZE = 0xffff_ffff_ffff_ffffn
/** No content is larger than this; programs that look for the format ask the same. */
const MOST_CONTENT_BYTES = 1n << 48n

/** What an object says of itself. */
export interface LzmaHeader {
  readonly bytes: Uint8Array
  readonly dictionaryBytes: number
  /** Undefined where an end mark tells. */
  readonly contentBytes: bigint | undefined
}

/**
 * Reads the header of an "LZMA alone" object.
 * @throws Fault `corrupt` `CODEC_TRUNCATED` or `CODEC_DAMAGED`; `unsupported` `CODEC_FORMAT_UNSUPPORTED` for a dictionary of more than
 * `maxDictionaryBytes`.
 */
export async function readLzmaHeader(cursor: ByteCursor, maxDictionaryBytes: number): Promise<LzmaHeader> {
  const place = { codec: 'lzma', offset: cursor.offset }
  const bytes = await takeBytes(cursor, LZMA_HEADER_BYTES)
  if ((bytes[0] ?? 0) >= MOST_PROPERTIES) throw damagedFault(place, 'this is not an lzma stream')
  if (bytes.length < LZMA_HEADER_BYTES) throw truncatedFault({ codec: 'lzma', offset: cursor.offset }, 'the rest of the header')
  const view = new DataView(bytes.buffer, bytes.byteOffset, LZMA_HEADER_BYTES)
  const dictionaryBytes = view.getUint32(1, true)
  const size = view.getBigUint64(5, true)
  const contentBytes = size === UNKNOWN_SIZE ? undefined : size
  if (contentBytes !== undefined && contentBytes > MOST_CONTENT_BYTES) throw damagedFault(place, 'this is not an lzma stream')
  if (dictionaryBytes > maxDictionaryBytes) {
    throw unsupportedFormatFault(
      place,
      `needs a dictionary of ${dictionaryBytes} bytes, more than the ${maxDictionaryBytes} that are allowed`,
    )
  }
  return { bytes, dictionaryBytes, contentBytes }
}
