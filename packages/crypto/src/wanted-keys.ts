import type { Framing } from './framing.ts'
import { PACKET, parsePacketHeader } from './openpgp/packet-header.ts'

const ENVELOPE_MAGIC_BYTES = 16
const MAX_KEY_ID_BYTES = 256

/**
 * Which keys an object asks for, as far as its first bytes tell: the ids in the session key packets of an OpenPGP message in upper-case
 * hexadecimal, or the key id in the header of an envelope. Never throws; what is damaged names no keys.
 */
export function wantedKeys(framing: Framing | undefined, head: Uint8Array): readonly string[] {
  if (framing === 'openpgp') return recipients(head)
  return framing === 'envelope-openpgp' ? envelopeKey(head) : []
}

function recipients(head: Uint8Array): readonly string[] {
  const found: string[] = []
  for (let at = 0; at < head.length;) {
    const header = parsePacketHeader(head.subarray(at))
    if (header === undefined || header === 'not-a-packet' || header.tag !== PACKET.publicKeySession) break
    const body = head.subarray(at + header.headerBytes)
    if (body[0] === 3 && body.length >= 9) found.push(Buffer.from(body.subarray(1, 9)).toString('hex').toUpperCase())
    if (header.partial) break
    at += header.headerBytes + header.bytes
  }
  return found
}

function envelopeKey(head: Uint8Array): readonly string[] {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.length)
  if (bytes.length < ENVELOPE_MAGIC_BYTES + 4) return []
  const length = bytes.readUInt32LE(ENVELOPE_MAGIC_BYTES)
  const text = bytes.subarray(ENVELOPE_MAGIC_BYTES + 4, ENVELOPE_MAGIC_BYTES + 4 + length).toString('latin1')
  return length <= MAX_KEY_ID_BYTES && text.length === length && /^[0-9A-F,]+$/.test(text) ? text.split(',') : []
}
