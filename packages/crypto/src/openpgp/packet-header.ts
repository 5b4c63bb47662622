/** Numbers of the packets that matter here (RFC 9580, section 5). */
export const PACKET = {
  publicKeySession: 1,
  signature: 2,
  passwordSession: 3,
  onePassSignature: 4,
  compressed: 8,
  unprotected: 9,
  marker: 10,
  literal: 11,
  trust: 12,
  protected: 18,
  modificationDetection: 19,
  aead: 20,
  padding: 21,
} as const

/** How long a packet, or a part of one, is. */
export interface BodyLength {
  /** Bytes that follow; infinite when the packet goes on to the end of everything. */
  readonly bytes: number
  /** Another length follows these bytes. */
  readonly partial: boolean
}

/** The beginning of a packet. */
export interface PacketHeader extends BodyLength {
  readonly tag: number
  readonly headerBytes: number
}

/** A header has no more bytes than this. */
export const MAX_HEADER_BYTES = 6

/**
 * Reads the header at the start of `bytes`, in the old or the new format (RFC 9580, section 4.2). Undefined when it does not end within
 * them, 'not-a-packet' when they do not begin one.
 */
export function parsePacketHeader(bytes: Uint8Array): PacketHeader | 'not-a-packet' | undefined {
  const first = bytes[0]
  if (first === undefined) return undefined
  if ((first & 0x80) === 0) return 'not-a-packet'
  if ((first & 0x40) === 0) return parseOldHeader(first, bytes)
  const length = parseBodyLength(bytes.subarray(1))
  return length === undefined ? undefined : { ...length, tag: first & 0x3f, headerBytes: length.headerBytes + 1 }
}

function parseOldHeader(first: number, bytes: Uint8Array): PacketHeader | undefined {
  const tag = (first >> 2) & 0x0f
  const lengthType = first & 3
  if (lengthType === 3) return { tag, bytes: Number.POSITIVE_INFINITY, partial: false, headerBytes: 1 }
  const octets = 1 << lengthType
  if (bytes.length < 1 + octets) return undefined
  let length = 0
  for (let at = 1; at <= octets; at += 1) length = length * 256 + (bytes[at] ?? 0)
  return { tag, bytes: length, partial: false, headerBytes: 1 + octets }
}

/** Reads a length of the new format, which is also what stands between the parts of a body; undefined when it is incomplete. */
export function parseBodyLength(bytes: Uint8Array): (BodyLength & { readonly headerBytes: number }) | undefined {
  const first = bytes[0]
  if (first === undefined) return undefined
  if (first < 192) return { bytes: first, partial: false, headerBytes: 1 }
  if (first < 224) {
    const second = bytes[1]
    return second === undefined ? undefined : { bytes: ((first - 192) << 8) + second + 192, partial: false, headerBytes: 2 }
  }
  if (first < 255) return { bytes: 2 ** (first & 0x1f), partial: true, headerBytes: 1 }
  if (bytes.length < 5) return undefined
  const length = new DataView(bytes.buffer, bytes.byteOffset + 1, 4).getUint32(0)
  return { bytes: length, partial: false, headerBytes: 5 }
}

/** The shortest length of the new format, for the last part of a body or a whole one. */
export function encodeBodyLength(length: number): Uint8Array {
  if (length < 192) return Uint8Array.of(length)
  if (length < 8384) return Uint8Array.of(((length - 192) >> 8) + 192, (length - 192) & 0xff)
  return Uint8Array.of(255, length >>> 24, (length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff)
}

/** Whether a packet holds data, and so may be cut into parts or have no stated length. */
export function holdsContent(tag: number): boolean {
  return DATA_PACKETS.has(tag)
}

const DATA_PACKETS: ReadonlySet<number> = new Set([PACKET.compressed, PACKET.unprotected, PACKET.literal, PACKET.protected, PACKET.aead])
