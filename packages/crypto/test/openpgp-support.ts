import { createCipheriv, createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { concatBytes } from '@waltz/bytes'
import { openpgp, type OpenPgpOptions } from '../src/openpgp.ts'
import type { Cipher } from '../src/cipher.ts'

const fixtures = new URL('fixtures/openpgp/', import.meta.url)

/** What is recorded of an object that WAL-G wrote; `sha256` is that of its decompressed content. */
export interface RecordedObject {
  readonly path: string
  readonly key: string
  readonly size: number
  readonly sha256: string
  readonly passphrase?: string
}

export const recorded: { readonly objects: readonly RecordedObject[]; readonly small: readonly RecordedObject[] } = JSON.parse(
  readFileSync(new URL('expected.json', fixtures), 'utf8'),
)

/** The text of a key of the fixtures. */
export const keyText = (name: string): string => readFileSync(new URL(`keys/${name}`, fixtures), 'utf8')

/** A stored object of the fixtures. */
export const storedObject = (path: string): Uint8Array => new Uint8Array(readFileSync(new URL(path, fixtures)))

/** A cipher from a key of the fixtures. */
export function cipherOf(name: string, more: Partial<OpenPgpOptions> = {}): Promise<Cipher> {
  return openpgp({ armoredKeys: keyText(name), now: () => new Date(), ...more })
}

/** How packets are framed by `packet`. */
export interface Framing {
  /** Octet and length as before OpenPGP had parts; the length type 3 states none. */
  readonly oldFormat?: 0 | 1 | 2 | 3
  /** Lengths of the first parts, as powers of two; the rest follows as the last. */
  readonly parts?: readonly number[]
}

/** Any packet in any framing that the format has. */
export function packet(tag: number, body: Uint8Array, { oldFormat, parts = [] }: Framing = {}): Uint8Array {
  if (oldFormat !== undefined) {
    const octets = oldFormat === 3 ? 0 : 1 << oldFormat
    const length = Array.from({ length: octets }, (_, index) => Math.floor(body.length / 256 ** (octets - 1 - index)) & 0xff)
    return concatBytes([Uint8Array.of(0x80 | (tag << 2) | oldFormat, ...length), body])
  }
  const pieces: Uint8Array[] = [Uint8Array.of(0xc0 | tag)]
  let at = 0
  for (const exponent of parts) {
    if (body.length - at < 2 ** exponent) break
    pieces.push(Uint8Array.of(0xe0 | exponent), body.subarray(at, at + 2 ** exponent))
    at += 2 ** exponent
  }
  const last = Buffer.alloc(5, 0xff)
  last.writeUInt32BE(body.length - at, 1)
  return concatBytes([...pieces, last, body.subarray(at)])
}

/** A literal packet. */
export const literal = (content: Uint8Array, framing: Framing = {}, format = 'b', name = ''): Uint8Array =>
  packet(11, concatBytes([Buffer.from(format), Uint8Array.of(name.length), Buffer.from(name), Uint8Array.of(1, 2, 3, 4), content]), framing)

const NODE_CFB = { aes128: ['aes-128-cfb', 16], aes192: ['aes-192-cfb', 24], aes256: ['aes-256-cfb', 32] } as const

/** What `seal` may vary. */
export interface Sealing {
  readonly cipher?: keyof typeof NODE_CFB
  readonly framing?: Framing
  readonly wildcard?: boolean
  readonly key?: string
}

/** A whole message around packets, made with OpenSSL's CFB and the library's session keys: an implementation besides the one tested. */
export async function seal(
  packets: Uint8Array,
  { cipher = 'aes256', framing = {}, wildcard = false, key = 'ecc.sec.asc' }: Sealing = {},
): Promise<Uint8Array> {
  const library = await import('openpgp')
  const [name, keyBytes] = NODE_CFB[cipher]
  const session = randomBytes(keyBytes)
  const encryptionKeys = await library.readKeys({ armoredKeys: keyText(key) })
  const sessions = await library.encryptSessionKey({ data: session, algorithm: cipher, encryptionKeys, wildcard, format: 'binary' })
  const random = randomBytes(16)
  const open = Buffer.concat([random, random.subarray(14), packets, Buffer.from([0xd3, 0x14])])
  const plain = Buffer.concat([open, createHash('sha1').update(open).digest()])
  const stored = createCipheriv(name, session, Buffer.alloc(16)).update(plain)
  return concatBytes([sessions, packet(18, concatBytes([Uint8Array.of(1), stored]), framing)])
}
