import type { Lsn } from './names.ts'

/** One whole WAL record whose checksum was right. */
export interface WalRecord {
  readonly lsn: Lsn
  /** `xl_tot_len`: header, references and contents, in bytes. */
  readonly totalBytes: number
  /** `xl_rmid`: 0 XLOG, 1 XACT ... 128 and above belong to extensions. */
  readonly resourceManager: number
  /** `xl_info`: the record type in the high four bits, the server's own bits in the low four. */
  readonly info: number
  /** The transaction that wrote it, 0 for none. */
  readonly xid: number
  /**
   * The record's main data, undefined when it has none. A view that is valid during the call only, and cut where the
   * record exceeds `MAX_KEPT_RECORD_BYTES`.
   */
  readonly mainData: Uint8Array | undefined
}

/** A record's fixed header, `SizeOfXLogRecord`. */
export const RECORD_HEADER_BYTES = 24
/** So much of a record is kept for `onRecord`, in bytes. The references and transaction times lie at its start. */
export const MAX_KEPT_RECORD_BYTES = 65_536
/** No server builds a longer record: `XLogRecordMaxSize` and, before PostgreSQL 16, the largest allocation. */
export const MAX_RECORD_BYTES: number = 2 ** 30

export const RM_XLOG = 0
export const RM_XACT = 1
const LAST_BUILT_IN_RM = 21
const FIRST_CUSTOM_RM = 128

/** Whether a resource manager of this number exists (rmgrlist.h of 9.5 to 18; custom ones from 15 on). */
export function isResourceManager(id: number): boolean {
  return id <= LAST_BUILT_IN_RM || id >= FIRST_CUSTOM_RM
}

/** Whether a record is XLOG_SWITCH, after which the rest of the segment is empty. */
export function isSwitch(resourceManager: number, info: number): boolean {
  return resourceManager === RM_XLOG && (info & 0xf0) === 0x40
}

const ID_MAIN_SHORT = 255
const ID_MAIN_LONG = 254
const ID_ORIGIN = 253
const ID_TOP_XID = 252
const MAX_BLOCK_ID = 32

const byteAt = (bytes: Uint8Array, at: number): number => bytes[at] ?? 0
const wordAt = (bytes: Uint8Array, at: number): number => byteAt(bytes, at) | (byteAt(bytes, at + 1) << 8)

/**
 * The bytes that a block reference occupies at `at`, from xlogrecord.h. `compressedBits` are the image bits that mean
 * "compressed", which moved in PostgreSQL 15.
 */
function referenceBytes(bytes: Uint8Array, at: number, compressedBits: number): number {
  const flags = byteAt(bytes, at + 1)
  let length = 8
  if ((flags & 0x10) !== 0) {
    const image = byteAt(bytes, at + 8)
    length += (image & 0x01) !== 0 && (image & compressedBits) !== 0 ? 7 : 5
  }
  return (flags & 0x80) === 0 ? length + 12 : length
}

/** The length of the data and of the image that a block reference at `at` announces. */
function announcedBytes(bytes: Uint8Array, at: number): number {
  const hasImage = (byteAt(bytes, at + 1) & 0x10) !== 0
  return wordAt(bytes, at + 2) + (hasImage ? wordAt(bytes, at + 4) : 0)
}

/**
 * The length of a record's main data, 0 when it has none and undefined when the references make no sense or go on past
 * the bytes given.
 */
function mainDataBytes(bytes: Uint8Array, total: number, walMagic: number): number | undefined {
  const compressedBits = walMagic >= 0xd110 ? 0x1c : 0x02
  let at = RECORD_HEADER_BYTES
  let announced = 0
  while (total - at > announced) {
    const id = bytes[at]
    if (id === undefined) return undefined
    if (id === ID_MAIN_SHORT) return byteAt(bytes, at + 1)
    if (id === ID_MAIN_LONG) return (wordAt(bytes, at + 1) | (wordAt(bytes, at + 3) << 16)) >>> 0
    if (id === ID_ORIGIN) at += 3
    else if (id === ID_TOP_XID) at += 5
    else if (id > MAX_BLOCK_ID) return undefined
    else {
      announced += announcedBytes(bytes, at)
      at += referenceBytes(bytes, at, compressedBits)
    }
  }
  return 0
}

/**
 * A record's main data as a view into `bytes`, the first bytes of the record (its main data is its end). `walMagic` is
 * that of its page. Undefined when there is none, or none of it lies within `bytes`.
 */
export function mainDataOf(bytes: Uint8Array, walMagic: number): Uint8Array | undefined {
  const total = (wordAt(bytes, 0) | (wordAt(bytes, 2) << 16)) >>> 0
  const length = mainDataBytes(bytes, total, walMagic)
  if (length === undefined || length === 0) return undefined
  const start = total - length
  if (start < RECORD_HEADER_BYTES || start >= bytes.length) return undefined
  return bytes.subarray(start, Math.min(total, bytes.length))
}
