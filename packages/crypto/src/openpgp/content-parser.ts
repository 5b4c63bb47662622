import { damagedFault, unsupportedFormatFault, type CipherPlace } from '../crypto-faults.ts'
import { PACKET, parseBodyLength, parsePacketHeader, type BodyLength, type PacketHeader } from './packet-header.ts'

/** Takes decrypted packets apart: one packet of content, and around it what is passed over. */
export interface ContentParser {
  /** What the content is compressed with (RFC 9580, section 9.4), known with its first byte; undefined for plain content. */
  readonly compression: number | undefined
  /**
   * The bytes of content within `bytes`, moved together in their own memory: a view of `bytes`, often empty. Their format octet, name
   * and date do not matter (RF 7.2).
   */
  push(bytes: Uint8Array): Uint8Array
  /** Says that nothing follows. */
  end(): void
}

/** Signatures are not checked: whoever can write to a repository is not who decides which keys count. */
const PASSED_OVER: ReadonlySet<number> = new Set([PACKET.signature, PACKET.onePassSignature, PACKET.marker, PACKET.padding])
const ENCRYPTED: ReadonlySet<number> = new Set([
  PACKET.publicKeySession,
  PACKET.passwordSession,
  PACKET.unprotected,
  PACKET.protected,
  PACKET.aead,
])
/** From this number on, packets that are not known may be passed over (RFC 9580, section 4.3). */
const FIRST_UNCRITICAL = 40
/** Behind the name of a literal packet. */
const DATE_BYTES = 4

/** Where a parser is. */
interface State {
  readonly place: () => CipherPlace
  /** Bytes of a header or a length that is not complete yet. */
  gathered: number[]
  tag: number | undefined
  /** Bytes of the packet, or of a part of it, that have not been seen. */
  left: number
  partial: boolean
  hasContent: boolean
  /** Bytes of the body that come before the content, and whether the last of them is the length of a name or a compression. */
  before: number
  beforeTells: 'name' | 'compression' | undefined
  compression: number | undefined
}

/**
 * A parser for the packets of one level. `place` tells where in the stored object the reader is.
 * @throws Fault from its methods: `corrupt` `CRYPTO_DAMAGED`, `unsupported` `CRYPTO_FORMAT_UNSUPPORTED`.
 */
export function createContentParser(place: () => CipherPlace): ContentParser {
  const state: State = {
    place,
    gathered: [],
    tag: undefined,
    left: 0,
    partial: false,
    hasContent: false,
    before: 0,
    beforeTells: undefined,
    compression: undefined,
  }
  return {
    get compression() {
      return state.compression
    },
    push(bytes) {
      let content = bytes.subarray(0, 0)
      for (let at = 0; at < bytes.length;) {
        if (state.left === 0) {
          gather(state, bytes[at] ?? 0)
          at += 1
          continue
        }
        const body = bytes.subarray(at, at + Math.min(state.left, bytes.length - at))
        const passed = passOver(state, body)
        const taken = isContent(state.tag) && state.before === 0 ? body.length : passed
        if (taken > passed) content = join(bytes, content, body.subarray(passed))
        at += taken
        state.left -= taken
        if (state.left === 0 && !state.partial) endPacket(state)
      }
      return content
    },
    end() {
      if (state.left === Number.POSITIVE_INFINITY) endPacket(state)
      else if (state.tag !== undefined || state.gathered.length > 0) throw damagedFault(place(), 'its content ends within a packet')
      if (!state.hasContent) throw damagedFault(place(), 'it has no content')
    },
  }
}

const isContent = (tag: number | undefined): boolean => tag === PACKET.literal || tag === PACKET.compressed

/** One byte of a header or of a length between parts. */
function gather(state: State, byte: number): void {
  state.gathered.push(byte)
  const bytes = Uint8Array.from(state.gathered)
  const found = state.tag === undefined ? parsePacketHeader(bytes) : parseBodyLength(bytes)
  if (found === undefined) return
  if (found === 'not-a-packet') throw damagedFault(state.place(), 'its content is not made of packets')
  state.gathered = []
  state.left = found.bytes
  state.partial = found.partial
  if (isHeader(found)) begin(state, found)
  if (state.left === 0 && !state.partial) endPacket(state)
}

const isHeader = (found: BodyLength): found is PacketHeader => 'tag' in found

function begin(state: State, { tag, bytes, partial }: PacketHeader): void {
  state.tag = tag
  if (isContent(tag)) {
    if (state.hasContent) throw damagedFault(state.place(), 'it has two contents')
    state.hasContent = true
    state.before = tag === PACKET.literal ? 2 : 1
    state.beforeTells = tag === PACKET.literal ? 'name' : 'compression'
    return
  }
  if (ENCRYPTED.has(tag)) throw unsupportedFormatFault(state.place(), 'is encrypted twice')
  const known = PASSED_OVER.has(tag) || tag >= FIRST_UNCRITICAL
  if (!known || partial || bytes === Number.POSITIVE_INFINITY) {
    throw damagedFault(state.place(), `a packet of type ${tag} does not belong into it`)
  }
}

function endPacket(state: State): void {
  if (state.before > 0) throw damagedFault(state.place(), 'a packet of it is too short')
  state.tag = undefined
}

/** How many of the next bytes of a body are not content. */
function passOver(state: State, body: Uint8Array): number {
  if (!isContent(state.tag)) return body.length
  const count = Math.min(state.before, body.length)
  state.before -= count
  if (state.before > 0 || count === 0) return count
  const last = body[count - 1] ?? 0
  if (state.beforeTells === 'compression') state.compression = last
  if (state.beforeTells === 'name') state.before = last + DATE_BYTES
  state.beforeTells = undefined
  return count
}

/** `content` and `more` are views of `bytes`; brings the second up to the first. */
function join(bytes: Uint8Array, content: Uint8Array, more: Uint8Array): Uint8Array {
  if (content.length === 0) return more
  const start = content.byteOffset - bytes.byteOffset
  const from = more.byteOffset - bytes.byteOffset
  const end = start + content.length
  if (from !== end) bytes.copyWithin(end, from, from + more.length)
  return bytes.subarray(start, end + more.length)
}
