import { concatBytes } from '@waltz/bytes'
import { damagedFault, truncatedFault, type CipherPlace } from '../crypto-faults.ts'
import type { ByteReader } from './byte-reader.ts'
import { MAX_HEADER_BYTES, holdsContent, parseBodyLength, parsePacketHeader, type BodyLength } from './packet-header.ts'

/** One packet whose body has not been read yet. */
export interface Packet {
  readonly tag: number
  /** Where its header begins in the stored object. */
  readonly offset: number
  /** Between 1 and `max` bytes of its body, across its parts; undefined at its end. Valid until the next call. */
  read(max: number): Promise<Uint8Array | undefined>
}

/**
 * Begins the next packet of a stored message; undefined when there are no more bytes.
 * @throws Fault `corrupt` `CRYPTO_DAMAGED`, `CRYPTO_TRUNCATED`, also from the packet's `read`.
 */
export async function openPacket(reader: ByteReader): Promise<Packet | undefined> {
  const offset = reader.offset
  const bytes = await reader.peek(MAX_HEADER_BYTES)
  if (bytes.length === 0) return undefined
  const header = parsePacketHeader(bytes)
  if (header === 'not-a-packet') throw damagedFault(placeAt(offset), 'no OpenPGP packet begins here')
  if (header === undefined) throw truncatedFault(placeAt(offset + bytes.length), 'the rest of the header of a packet')
  if ((header.partial || header.bytes === Number.POSITIVE_INFINITY) && !holdsContent(header.tag)) {
    throw damagedFault(placeAt(offset), `a packet of type ${header.tag} must state its length`)
  }
  reader.skip(header.headerBytes)
  return { tag: header.tag, offset, read: bodyOf(reader, header) }
}

function bodyOf(reader: ByteReader, header: BodyLength): Packet['read'] {
  let left = header.bytes
  let partial = header.partial
  return async (max) => {
    while (left === 0 && partial) {
      const bytes = await reader.peek(MAX_HEADER_BYTES - 1)
      const next = parseBodyLength(bytes)
      if (next === undefined) throw truncatedFault(placeAt(reader.offset + bytes.length), 'the next part of the message')
      reader.skip(next.headerBytes)
      left = next.bytes
      partial = next.partial
    }
    if (left === 0) return undefined
    const view = await reader.read(Math.min(max, left))
    if (view === undefined) {
      if (left !== Number.POSITIVE_INFINITY) throw truncatedFault(placeAt(reader.offset), `${left} more bytes of the message`)
      left = 0
      return undefined
    }
    left -= view.length
    return view
  }
}

/** The whole body of a small packet; undefined when it has more than `maxBytes`. */
export async function readBody(packet: Packet, maxBytes: number): Promise<Uint8Array | undefined> {
  const parts: Uint8Array[] = []
  let length = 0
  for (let view = await packet.read(maxBytes); view !== undefined; view = await packet.read(maxBytes)) {
    length += view.length
    if (length > maxBytes) return undefined
    parts.push(Uint8Array.from(view)) // `slice` of a Buffer would not be a copy
  }
  return concatBytes(parts)
}

/** A place in the stored object. */
export const placeAt = (offset: number): CipherPlace => ({ scheme: 'openpgp', offset })
