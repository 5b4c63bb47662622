import { createHash, timingSafeEqual } from 'node:crypto'
import { CHUNK_BYTES, createBlockPool, giveBack, lendBytes, type BlockPool } from '@waltz/bytes'
import { breathing } from '../breathing.ts'
import { damagedFault, trailingFault } from '../crypto-faults.ts'
import type { ByteReader } from './byte-reader.ts'
import { CIPHER_BLOCK_BYTES, createCfbDecryption, type CfbCipher } from './cfb.ts'
import { placeAt, type Packet } from './packet-reader.ts'

/** Random bytes and a repetition of the last two, before the first packet. */
export const PREFIX_BYTES: number = CIPHER_BLOCK_BYTES + 2
/** The modification detection packet: two bytes of header and a SHA-1. */
export const DETECTION_HEADER: Uint8Array = Uint8Array.of(0xd3, 0x14)
export const DETECTION_BYTES = 22

/** What a packet is decrypted with. */
export interface BulkKey {
  readonly cipher: CfbCipher
  readonly key: Uint8Array
}

/** Stored bytes that are decrypted at once. */
const BLOCK_BYTES = CHUNK_BYTES
/** Room before a decrypted block for the end of the one before, which may have been the modification detection packet. */
const ROOM_BYTES = 32

/**
 * The packets inside of an integrity protected packet of version 1, whose version octet has been read (RFC 9580, section 5.13.1).
 * Chunks are lent. The repetition in the prefix is not looked at: a key that is wrong shows at the end, and answers about it have been
 * used against other programs. The last chunk, which is the only one of a small message, is handed out after the check.
 * @throws Fault `corrupt` `CRYPTO_DAMAGED` when the check fails, `CRYPTO_TRUNCATED`, `CRYPTO_TRAILING_BYTES`.
 */
export async function* readProtected(packet: Packet, reader: ByteReader, bulk: BulkKey): AsyncGenerator<Uint8Array, void, undefined> {
  const decrypt = createCfbDecryption(bulk.cipher, bulk.key)
  const pool = createBlockPool(ROOM_BYTES + BLOCK_BYTES, { maxSpare: 2 })
  const breathe = breathing()
  const hash = createHash('sha1')
  const stored = new Uint8Array(CIPHER_BLOCK_BYTES + BLOCK_BYTES)
  let held: Uint8Array = new Uint8Array(0)
  let prefix = PREFIX_BYTES
  for (let last = false; !last; prefix = 0) {
    const count = await fill(packet, stored)
    last = count < BLOCK_BYTES
    if (held.length + count < prefix + DETECTION_BYTES) throw damagedFault(placeAt(packet.offset), 'it is too short to be a message')
    const block = decryptBlock({ decrypt, pool, stored, count, held })
    stored.copyWithin(0, BLOCK_BYTES)
    const open = block.bytes.subarray(0, block.bytes.length - DETECTION_BYTES)
    hash.update(open)
    held = Uint8Array.from(block.bytes.subarray(open.length)) // a copy: `slice` of a Buffer is none
    if (last) {
      const sum = hash.update(held.subarray(0, DETECTION_HEADER.length)).digest()
      await checkEnd(reader, packet, timingSafeEqual(held, Buffer.concat([DETECTION_HEADER, sum])))
    }
    if (open.length > prefix) yield lendBytes(open.subarray(prefix), () => giveBack(block.memory))
    else giveBack(block.memory)
    await breathe(BLOCK_BYTES)
  }
}

/** Reads the next stored block behind the first bytes of `stored`; how many bytes it has. */
async function fill(packet: Packet, stored: Uint8Array): Promise<number> {
  let at = CIPHER_BLOCK_BYTES
  while (at < stored.length) {
    const view = await packet.read(stored.length - at)
    if (view === undefined) break
    stored.set(view, at)
    at += view.length
  }
  return at - CIPHER_BLOCK_BYTES
}

interface BlockInput {
  readonly decrypt: ReturnType<typeof createCfbDecryption>
  readonly pool: BlockPool
  readonly stored: Uint8Array
  readonly count: number
  readonly held: Uint8Array
}

/** What was held back of the block before, and this block, in one piece. */
function decryptBlock({ decrypt, pool, stored, count, held }: BlockInput): { readonly memory: Uint8Array; readonly bytes: Uint8Array } {
  const memory = pool.take()
  const whole = Math.ceil(count / CIPHER_BLOCK_BYTES) * CIPHER_BLOCK_BYTES
  if (whole > 0) decrypt(stored.subarray(0, CIPHER_BLOCK_BYTES + whole), memory.subarray(ROOM_BYTES, ROOM_BYTES + whole))
  memory.set(held, ROOM_BYTES - held.length)
  return { memory, bytes: memory.subarray(ROOM_BYTES - held.length, ROOM_BYTES + count) }
}

async function checkEnd(reader: ByteReader, packet: Packet, intact: boolean): Promise<void> {
  if (!intact) {
    throw damagedFault(placeAt(packet.offset), 'the check at its end does not match: some byte after this place was changed')
  }
  const { offset } = reader
  if ((await reader.peek(1)).length > 0) throw trailingFault(placeAt(offset))
}
