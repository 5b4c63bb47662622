import { Fault } from '@waltz/errors'
import type { Lsn, SystemIdentifier, TimelineId } from './names.ts'

/** The header of a WAL page as its bytes say, nothing judged. */
export interface WalPageHeader {
  readonly magic: number
  /** The server that writes this magic: `9.5`, `9.6`, `10` ... `18`; undefined for an unknown magic. */
  readonly serverVersion: string | undefined
  /** Flag bits; see `WAL_PAGE_FLAGS`. */
  readonly flags: number
  readonly timeline: TimelineId
  readonly pageAddress: Lsn
  /** Bytes of a record begun on an earlier page that are still to come, this page's included. */
  readonly remainingBytes: number
  /** 40 for the first page of a segment, 24 for others. */
  readonly headerBytes: number
  /** What only the long header holds: undefined in a short one. */
  readonly long: { readonly systemIdentifier: SystemIdentifier; readonly segmentBytes: number; readonly blockBytes: number } | undefined
}

/** `xlp_info` of xlog_internal.h. */
export const WAL_PAGE_FLAGS = { firstIsContinuation: 0x1, longHeader: 0x2, backupRemovable: 0x4, firstIsOverwrite: 0x8, all: 0xf } as const

export const SHORT_HEADER_BYTES = 24
export const LONG_HEADER_BYTES = 40

/** `XLOG_PAGE_MAGIC` by release (ENG 8.1). */
const VERSIONS: ReadonlyMap<number, string> = new Map([
  [0xd087, '9.5'],
  [0xd093, '9.6'],
  [0xd097, '10'],
  [0xd098, '11'],
  [0xd101, '12'],
  [0xd106, '13'],
  [0xd10d, '14'],
  [0xd110, '15'],
  [0xd113, '16'],
  [0xd116, '17'],
  [0xd118, '18'],
])

/** The server release that writes this page magic, `9.5`, `9.6`, `10` ... `18`; undefined when it is not known. */
export function serverVersionOfWalMagic(magic: number): string | undefined {
  return VERSIONS.get(magic)
}

/**
 * Reads the header at the start of a WAL page (xlog_internal.h; little-endian).
 * @throws Fault `corrupt` `WAL_PAGE_TOO_SHORT` when fewer than 24 bytes are given, or fewer than 40 of a long header.
 */
export function decodeWalPageHeader(bytes: Uint8Array): WalPageHeader {
  const flags = bytes.length < SHORT_HEADER_BYTES ? 0 : bytes[2]! | (bytes[3]! << 8)
  const isLong = (flags & WAL_PAGE_FLAGS.longHeader) !== 0
  const headerBytes = isLong ? LONG_HEADER_BYTES : SHORT_HEADER_BYTES
  if (bytes.length < headerBytes) {
    throw new Fault('corrupt', 'WAL_PAGE_TOO_SHORT', `a WAL page header has ${headerBytes} bytes, here are ${bytes.length}`)
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, headerBytes)
  const magic = view.getUint16(0, true)
  return {
    magic,
    serverVersion: VERSIONS.get(magic),
    flags,
    timeline: view.getUint32(4, true) as TimelineId,
    pageAddress: view.getBigUint64(8, true) as Lsn,
    remainingBytes: view.getUint32(16, true),
    headerBytes,
    long: isLong
      ? {
          systemIdentifier: view.getBigUint64(24, true) as SystemIdentifier,
          segmentBytes: view.getUint32(32, true),
          blockBytes: view.getUint32(36, true),
        }
      : undefined,
  }
}
