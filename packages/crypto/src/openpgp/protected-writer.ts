import { createHash } from 'node:crypto'
import { CHUNK_BYTES, coalesce, concatBytes, createBlockPool, giveBack, lendBytes, type ByteSource } from '@waltz/bytes'
import { breathing } from '../breathing.ts'
import { CIPHER_BLOCK_BYTES, createCfbEncryption } from './cfb.ts'
import { PACKET, encodeBodyLength } from './packet-header.ts'
import { DETECTION_HEADER, type BulkKey } from './protected-reader.ts'

/** Bytes per part of both packets, a power of two, and the octet that says so (RFC 9580, section 4.2.1.4). */
const PART_BYTES = CHUNK_BYTES
const PART_OCTET = 0xe0 | Math.log2(PART_BYTES)
const PROTECTED_OCTET = 0xc0 | PACKET.protected
const LITERAL_OCTET = 0xc0 | PACKET.literal
const VERSION_OCTET = 1
/** Binary content, no name, no date (RF 7.2). GnuPG takes only this format octet as it is. */
const LITERAL_HEADER: Uint8Array = Uint8Array.of(0x62, 0, 0, 0, 0, 0)

/** What comes before the content. */
export interface MessageStart {
  /** Whole packets. */
  readonly sessions: Uint8Array
  /** Sixteen bytes that nobody can guess, encrypted first. */
  readonly random: Uint8Array
}

/**
 * A message: session keys, then an integrity protected packet of version 1 around one literal packet, both in parts of 256 KiB
 * (RF 7.2). Holds about six parts; what it hands out is lent.
 */
export async function* writeProtected(source: ByteSource, bulk: BulkKey, start: MessageStart): AsyncGenerator<Uint8Array, void, undefined> {
  const blocks = createBlocks(bulk, start.sessions)
  const { random } = start
  const breathe = breathing()
  blocks.append(random)
  blocks.append(random.subarray(random.length - 2))
  blocks.append(Uint8Array.of(LITERAL_OCTET))
  for await (const bytes of literalBody(source)) {
    blocks.append(bytes)
    giveBack(bytes)
    yield* blocks.ready()
    await breathe(bytes.length)
  }
  yield* blocks.finish()
}

/**
 * The body of the literal packet, with lengths. Parts of it begin six bytes before a chunk does, so the next length has its place six
 * bytes before the end of every whole chunk, and depends on the chunk after it.
 */
async function* literalBody(source: ByteSource): AsyncGenerator<Uint8Array, void, undefined> {
  const header = LITERAL_HEADER
  let before: Uint8Array | undefined
  for await (const chunk of coalesce(source, PART_BYTES)) {
    const length = chunk.length === PART_BYTES ? Uint8Array.of(PART_OCTET) : encodeBodyLength(header.length + chunk.length)
    if (before === undefined) {
      yield length
      yield header
    } else yield* withLength(before, length)
    before = chunk
  }
  const none = encodeBodyLength(header.length)
  if (before === undefined) {
    yield none
    yield header
  } else if (before.length === PART_BYTES) yield* withLength(before, none)
  else yield before
}

function* withLength(chunk: Uint8Array, length: Uint8Array): Generator<Uint8Array, void, undefined> {
  const at = chunk.length - LITERAL_HEADER.length
  yield chunk.subarray(0, at)
  yield length
  yield lendBytes(chunk.subarray(at), () => giveBack(chunk))
}

/** Gathers content into blocks and encrypts them. */
interface Blocks {
  append(bytes: Uint8Array): void
  /** Chunks of the packet that can be handed out. */
  ready(): Generator<Uint8Array, void, undefined>
  /** Appends the check, and hands out the rest. */
  finish(): Generator<Uint8Array, void, undefined>
}

function createBlocks(bulk: BulkKey, sessions: Uint8Array): Blocks {
  const encrypt = createCfbEncryption(bulk.cipher, bulk.key)
  const pool = createBlockPool(PART_BYTES + CIPHER_BLOCK_BYTES, { maxSpare: 2 })
  const hash = createHash('sha1')
  const plain = new Uint8Array(PART_BYTES)
  const chunks: Uint8Array[] = []
  let filled = 0
  /** The last whole block: what stands before its last byte depends on what follows it. */
  let waiting: Uint8Array | undefined

  const release = (length: Uint8Array): void => {
    // The version octet is part of the body, so every part begins with the last byte of a block. Of a whole packet it is the first.
    if (waiting === undefined) chunks.push(concatBytes([sessions, Uint8Array.of(PROTECTED_OCTET, ...length, VERSION_OCTET)]))
    else {
      const memory = waiting
      const last = memory[PART_BYTES - 1] ?? 0
      memory.set(length, PART_BYTES - 1)
      memory[PART_BYTES - 1 + length.length] = last
      chunks.push(lendBytes(memory.subarray(0, PART_BYTES + length.length), () => giveBack(memory)))
    }
    waiting = undefined
  }
  const seal = (hashed: boolean): void => {
    if (!hashed) hash.update(plain)
    release(Uint8Array.of(PART_OCTET))
    waiting = pool.take()
    encrypt(plain, waiting.subarray(0, PART_BYTES))
    filled = 0
  }
  const append = (bytes: Uint8Array, hashed: boolean): void => {
    for (let at = 0; at < bytes.length;) {
      const count = Math.min(PART_BYTES - filled, bytes.length - at)
      plain.set(count === bytes.length ? bytes : bytes.subarray(at, at + count), filled)
      filled += count
      at += count
      if (filled === PART_BYTES) seal(hashed)
    }
  }
  const ready = function* (): Generator<Uint8Array, void, undefined> {
    for (let next = chunks.shift(); next !== undefined; next = chunks.shift()) yield next
  }
  return {
    append: (bytes) => append(bytes, false),
    ready,
    *finish() {
      append(DETECTION_HEADER, false)
      // The check is not computed of itself: a block that it completes was hashed as far as it must.
      append(hash.update(plain.subarray(0, filled)).digest(), true)
      release(encodeBodyLength(1 + filled))
      if (filled > 0) chunks.push(encryptRest())
      plain.fill(0)
      yield* ready()
    },
  }

  function encryptRest(): Uint8Array {
    const whole = Math.ceil(filled / CIPHER_BLOCK_BYTES) * CIPHER_BLOCK_BYTES
    const out = new Uint8Array(whole)
    encrypt(plain.subarray(0, whole), out)
    return out.subarray(0, filled)
  }
}
