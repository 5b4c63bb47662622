import { isFault } from '@waltz/errors'
import type { ByteSource } from '@waltz/bytes'
import { damagedFault, keyMismatchFault, trailingFault, truncatedFault, unsupportedFormatFault } from '../crypto-faults.ts'
import { createByteReader, type ByteReader } from './byte-reader.ts'
import { isCfbCipher } from './cfb.ts'
import { decryptByLibrary } from './library-stream.ts'
import { PACKET } from './packet-header.ts'
import { placeAt, type Packet } from './packet-reader.ts'
import { readProtected } from './protected-reader.ts'
import { readContent } from './read-content.ts'
import { openSessionKey, readHead, type OpenKeys, type SessionKey } from './session-key.ts'

/** Who works on the content of messages; keys and session keys are always the library's. */
export type OpenPgpEngine = 'own' | 'openpgpjs'

/**
 * Decrypts a message in the binary form, which begins at `offset` of its object.
 * @throws Fault `corrupt` `CRYPTO_KEY_MISMATCH`, `CRYPTO_DAMAGED`, `CRYPTO_TRUNCATED`, `CRYPTO_TRAILING_BYTES`, `unsupported`
 *   `CRYPTO_FORMAT_UNSUPPORTED`. Failures of the source pass through.
 */
export async function* readMessage(
  open: OpenKeys,
  source: ByteSource,
  { engine, offset }: { readonly engine: OpenPgpEngine; readonly offset: number },
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = createByteReader(source, offset)
  let data: Packet | undefined
  try {
    const head = await readHead(reader)
    data = head.data
    const session = await openSessionKey(open, head)
    try {
      yield* readData({ open, reader, data, session, engine })
    } finally {
      session.key.fill(0)
    }
  } catch (error) {
    if (reader.failure !== undefined) throw reader.failure.error
    if (isFault(error)) throw error
    // Whatever zlib or the library says about bytes that were damaged; their words would only tell apart what must not be.
    throw damagedFault(placeAt(data?.offset ?? offset), 'its content is not well-formed')
  } finally {
    await reader.close()
  }
}

interface DataInput {
  readonly open: OpenKeys
  readonly reader: ByteReader
  readonly data: Packet
  readonly session: SessionKey
  readonly engine: OpenPgpEngine
}

async function* readData(input: DataInput): AsyncGenerator<Uint8Array, void, undefined> {
  const { reader, data, session, engine } = input
  const version = (await data.read(1))?.[0]
  if (version === undefined) throw truncatedFault(placeAt(reader.offset), 'the encrypted data')
  if (version !== 1 && (version !== 2 || data.tag !== PACKET.protected)) {
    throw unsupportedFormatFault(placeAt(data.offset), `has encrypted data of version ${version}, which is not known`)
  }
  if (data.tag === PACKET.aead || version === 2) {
    yield* readByLibrary(input, Uint8Array.of(version, ...(await readAeadHead(reader, data))))
    return
  }
  const { cipher } = session
  if (cipher === undefined) throw keyMismatchFault(placeAt(data.offset), 'its session key belongs to another packet')
  if (engine === 'own' && isCfbCipher(cipher)) yield* readChecked(input, readProtected(data, reader, { cipher, key: session.key }))
  else yield* readByLibrary(input, Uint8Array.of(version))
}

/** `start` is what was read of the packet. */
async function* readByLibrary({ open, reader, data, session }: DataInput, start: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield* decryptByLibrary(open.library, { tag: data.tag, body: withStart(start, data), session })
  for (let rest = await data.read(PIECE_BYTES); rest !== undefined; rest = await data.read(PIECE_BYTES));
  const { offset } = reader
  if ((await reader.peek(1)).length > 0) throw trailingFault(placeAt(offset))
}

const PIECE_BYTES = 65_536

/**
 * The content of decrypted blocks. Whatever becomes of it, the blocks are read to their end: their check decides first, so that
 * nothing else is ever said about content that was tampered with.
 */
async function* readChecked(
  input: DataInput,
  blocks: AsyncGenerator<Uint8Array, void, undefined>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { open, reader } = input
  const kept = { [Symbol.asyncIterator]: () => ({ next: () => blocks.next() }) }
  try {
    yield* readContent(kept, { library: open.library, place: () => placeAt(reader.offset) })
  } catch (error) {
    await drain(blocks)
    throw error
  }
  await drain(blocks)
}

async function drain(blocks: AsyncGenerator<Uint8Array, void, undefined>): Promise<void> {
  for (let next = await blocks.next(); next.done !== true; next = await blocks.next());
}

/** Bytes of plain content per chunk, as a power of two less six; more would have to be held in memory. */
const MAX_CHUNK_EXPONENT = 16
/** The cipher, the mode, and the length of chunks (RFC 9580, section 5.13.2). */
const AEAD_HEAD_BYTES = 3

async function readAeadHead(reader: ByteReader, data: Packet): Promise<number[]> {
  const head: number[] = []
  while (head.length < AEAD_HEAD_BYTES) {
    const view = await data.read(AEAD_HEAD_BYTES - head.length)
    if (view === undefined) throw damagedFault(placeAt(data.offset), 'it is too short to be a message')
    head.push(...view)
  }
  const exponent = head.at(-1) ?? 0
  if (exponent > MAX_CHUNK_EXPONENT) {
    throw unsupportedFormatFault(
      placeAt(reader.offset),
      `is cut into chunks of 2^${exponent + 6} bytes, which are too long to be checked in memory`,
    )
  }
  return head
}

async function* withStart(start: Uint8Array, data: Packet): AsyncGenerator<Uint8Array, void, undefined> {
  yield start
  for (let view = await data.read(PIECE_BYTES); view !== undefined; view = await data.read(PIECE_BYTES)) yield view
}
