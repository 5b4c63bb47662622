import { unpredictableBytes } from '../random.ts'
import { sourceOf } from '@waltz/bytes'
import { isFault } from '@waltz/errors'
import type { PublicKeyEncryptedSessionKeyPacket, enums, SecretKeyPacket, SecretSubkeyPacket } from 'openpgp'
import { damagedFault, keyMismatchFault, truncatedFault, unsupportedFormatFault } from '../crypto-faults.ts'
import { createByteReader, type ByteReader } from './byte-reader.ts'
import type { CfbCipher } from './cfb.ts'
import type { KeyBlock } from './key-block.ts'
import { cannotEncryptFault, noRecipientFault } from './key-faults.ts'
import type { OpenPgpLibrary } from './library.ts'
import { PACKET } from './packet-header.ts'
import { openPacket, placeAt, readBody, type Packet } from './packet-reader.ts'
import type { BulkKey } from './protected-reader.ts'

/** A library with the keys it works on. */
export interface OpenKeys {
  readonly library: OpenPgpLibrary
  readonly block: KeyBlock
  readonly now: () => Date
}

/** What a message was encrypted with. */
export interface SessionKey {
  /** The library's name of the cipher; undefined when the data packet names it. */
  readonly cipher: string | undefined
  readonly key: Uint8Array
}

const KEY_BYTES = { aes128: 16, aes192: 24, aes256: 32 } as const

/**
 * Checks that something can be written for every key of the block (RF 7.2), now.
 * @throws Fault `invalid` `CRYPTO_KEY_CANNOT_ENCRYPT`.
 */
export async function checkRecipients({ block, now }: OpenKeys): Promise<void> {
  for (const key of block.keys) {
    try {
      await key.getEncryptionKey(undefined, now())
    } catch (error) {
      throw cannotEncryptFault(key.getFingerprint().toUpperCase(), error instanceof Error ? error.message : 'no reason is known')
    }
  }
}

/**
 * A new session key, and the packets that hold it for every recipient.
 * @throws Fault `invalid` `CRYPTO_KEY_CANNOT_ENCRYPT`.
 */
export async function makeSessionKey(open: OpenKeys): Promise<BulkKey & { readonly packets: Uint8Array }> {
  await checkRecipients(open)
  const { library, block, now } = open
  const cipher = await chooseCipher(open)
  const key = unpredictableBytes(KEY_BYTES[cipher])
  const packets = await library.encryptSessionKey({
    data: key,
    algorithm: cipher,
    encryptionKeys: [...block.keys],
    date: now(),
    format: 'binary',
  })
  return { cipher, key, packets }
}

/** AES-128 where every recipient lists it or nothing is common to all, else AES-256: WAL-G's choice (RF 7.2). */
async function chooseCipher({ library, block, now }: OpenKeys): Promise<CfbCipher> {
  const { aes128, aes256 } = library.enums.symmetric
  const lists = await Promise.all(
    block.keys.map(async (key) => {
      // Without a valid user nothing states preferences; whether such a key can encrypt at all was asked before.
      const user = await key.getPrimaryUser(now()).catch(() => undefined)
      return user?.selfCertification.preferredSymmetricAlgorithms ?? []
    }),
  )
  const common = (wanted: enums.symmetric): boolean => lists.every((list) => [...list].includes(wanted))
  return !common(aes128) && common(aes256) ? 'aes256' : 'aes128'
}

/** Session key packets of one message have no more bytes than this; one for RSA of 4096 bits has 527. */
const MAX_SESSION_BYTES = 262_144

/** What stands before the encrypted data. */
export interface MessageHead {
  /** The bodies of the session key packets. */
  readonly sessions: readonly Uint8Array[]
  /** The packet of encrypted data. */
  readonly data: Packet
}

/**
 * Reads a message up to its encrypted data.
 * @throws Fault `corrupt` `CRYPTO_DAMAGED`, `CRYPTO_TRUNCATED`, `unsupported` `CRYPTO_FORMAT_UNSUPPORTED`.
 */
export async function readHead(reader: ByteReader): Promise<MessageHead> {
  if (/^\s*-----BEGIN PGP/.test(Buffer.from(await reader.peek(32)).toString('latin1'))) {
    throw unsupportedFormatFault(placeAt(0), 'is an armoured text; only the binary form is read')
  }
  const start = reader.offset
  const sessions: Uint8Array[] = []
  let passwords = 0
  for (;;) {
    const packet = await openPacket(reader)
    if (packet === undefined) throw truncatedFault(placeAt(reader.offset), 'the encrypted data')
    if (isData(packet)) {
      if (sessions.length === 0 && passwords > 0) throw unsupportedFormatFault(placeAt(0), 'is encrypted with a password, not for a key')
      return { sessions, data: packet }
    }
    const body = await readBody(packet, Math.max(0, MAX_SESSION_BYTES - (reader.offset - start)))
    if (body === undefined) throw damagedFault(placeAt(packet.offset), 'its session keys are too long')
    if (packet.tag === PACKET.publicKeySession) sessions.push(body)
    else if (packet.tag === PACKET.passwordSession) passwords += 1
  }
}

function isData({ tag, offset }: Packet): boolean {
  if (tag === PACKET.protected || tag === PACKET.aead) return true
  if (tag === PACKET.unprotected)
    throw unsupportedFormatFault(placeAt(offset), 'has no protection against changes, and is not read for that')
  if (tag === PACKET.literal || tag === PACKET.compressed || tag === PACKET.onePassSignature) {
    throw unsupportedFormatFault(placeAt(offset), 'is an OpenPGP message that is not encrypted')
  }
  const mayPrecede = tag === PACKET.publicKeySession || tag === PACKET.passwordSession || tag === PACKET.marker || tag === PACKET.padding
  if (mayPrecede) return false
  throw damagedFault(placeAt(offset), `a packet of type ${tag} does not belong there`)
}

/** The session key packets that lie within the first bytes of an object; none when it is not an encrypted message. */
export async function readHeadOf(head: Uint8Array): Promise<readonly Uint8Array[]> {
  const reader = createByteReader(sourceOf(head))
  const sessions: Uint8Array[] = []
  try {
    for (let packet = await openPacket(reader); packet !== undefined && !isData(packet); packet = await openPacket(reader)) {
      const body = await readBody(packet, head.length)
      if (packet.tag === PACKET.publicKeySession && body !== undefined) sessions.push(body)
    }
  } catch (error) {
    if (!isFault(error)) throw error
    // Cut off here, or no message at all: what was whole before counts.
  }
  return sessions
}

/**
 * Opens the session key of a message.
 * @throws Fault `corrupt` `CRYPTO_KEY_MISMATCH`.
 */
export async function openSessionKey(open: OpenKeys, head: MessageHead): Promise<SessionKey> {
  const opened = await trySessionKeys(open, head.sessions)
  if (opened.key !== undefined) return opened.key
  const { secrets } = open.block
  const meant = opened.wanted.some((id) => id === ANYBODY || secrets.some((secret) => secret.keyId === id))
  if (!meant) throw noRecipientFault(opened.wanted, [...new Set(secrets.map(({ keyId }) => keyId))])
  throw keyMismatchFault(placeAt(0), 'none of its session keys can be opened')
}

const ANYBODY = '0000000000000000'

/** What trying the keys at hand on session key packets came to. */
export interface SessionAttempt {
  readonly key: SessionKey | undefined
  /** The ids of the keys that the message is for. */
  readonly wanted: readonly string[]
}

/** What the library's types leave out of a packet with a session key. */
interface SessionPacket {
  readonly publicKeyID: { toHex(): string }
  readonly sessionKeyAlgorithm: enums.symmetric | null
  readonly sessionKey: Uint8Array
  decrypt(key: SecretKeyPacket | SecretSubkeyPacket): Promise<void>
}

/** Tries every private key that a packet names, or all of them where it names none. */
export async function trySessionKeys({ library, block }: OpenKeys, sessions: readonly Uint8Array[]): Promise<SessionAttempt> {
  const wanted: string[] = []
  for (const body of sessions) {
    const packet = parseSession(library, body)
    if (packet === undefined) continue
    const id = packet.publicKeyID.toHex().toUpperCase()
    wanted.push(id)
    for (const secret of block.secrets) {
      if (id !== ANYBODY && id !== secret.keyId) continue
      // Each attempt has a packet of its own, since the library keeps its results in it.
      const key = await tryOne(library, body, secret.packet)
      if (key !== undefined) return { key, wanted }
    }
  }
  return { key: undefined, wanted: [...new Set(wanted)] }
}

/** Undefined for forms that the library does not know: another packet may be for us. */
function parseSession(library: OpenPgpLibrary, body: Uint8Array): SessionPacket | undefined {
  const packet: PublicKeyEncryptedSessionKeyPacket = new library.PublicKeyEncryptedSessionKeyPacket()
  try {
    packet.read(body)
    return packet as unknown as SessionPacket
  } catch {
    return undefined
  }
}

async function tryOne(
  library: OpenPgpLibrary,
  body: Uint8Array,
  secret: SecretKeyPacket | SecretSubkeyPacket,
): Promise<SessionKey | undefined> {
  const packet = parseSession(library, body)
  try {
    await packet?.decrypt(secret)
    if (packet === undefined) return undefined
    const number = packet.sessionKeyAlgorithm
    return { cipher: number === null ? undefined : library.enums.read(library.enums.symmetric, number), key: packet.sessionKey }
  } catch {
    return undefined
  }
}
