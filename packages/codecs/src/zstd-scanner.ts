import { damagedFault, unsupportedFormatFault, type CodecPlace } from './codec-faults.ts'

const FRAME_MAGIC = 0xfd2fb528
const SKIPPABLE_MAGIC = 0x184d2a50
const CONTENT_SIZE_BYTES = [0, 2, 4, 8] as const
/** The longest field that is collected: window descriptor and content size. */
const LONGEST_FIELD_BYTES = 9

/** Finds the end of one frame in bytes that arrive in pieces. */
export interface ZstdFrameScanner {
  /** Looks at the next piece. Returns the position just behind the frame, or undefined when the frame goes on. */
  scan(chunk: Uint8Array): number | undefined
  /** Whether the frame is a skippable one, which holds no content; known once its magic has been seen. */
  readonly skippable: boolean
}

/** Fields are collected byte by byte and then read; what lies between them is skipped. */
interface ScanState {
  readonly start: number
  seen: number
  field: 'magic' | 'skippable-size' | 'descriptor' | 'header-rest' | 'block-header'
  need: number
  have: number
  readonly held: DataView
  /** Bytes to pass over before the next field. */
  skip: number
  /** Nothing follows what is being skipped. */
  last: boolean
  skippable: boolean
  checksumBytes: number
}

/** True for a number that begins a frame of either kind, RFC 8878 section 3.1. */
export function isZstdMagic(magic: number): boolean {
  return magic === FRAME_MAGIC || isSkippable(magic)
}

/**
 * Walks the structure of a Zstandard frame (RFC 8878 section 3.1.1) without decoding it: header, then block after
 * block by the length each states. This tells a complete frame from a cut one and its end from what follows, which
 * `node:zlib` does not say in every Node release. `start` is the offset of the frame in the object, for messages.
 * `scan` throws Fault `corrupt` `CODEC_DAMAGED` or `unsupported` `CODEC_FORMAT_UNSUPPORTED`.
 */
export function createZstdFrameScanner(start: number): ZstdFrameScanner {
  const held = new DataView(new ArrayBuffer(LONGEST_FIELD_BYTES))
  const state: ScanState = {
    start,
    seen: 0,
    field: 'magic',
    need: 4,
    have: 0,
    held,
    skip: 0,
    last: false,
    skippable: false,
    checksumBytes: 0,
  }
  return {
    get skippable() {
      return state.skippable
    },
    scan: (chunk) => scan(state, chunk),
  }
}

function scan(state: ScanState, chunk: Uint8Array): number | undefined {
  let at = 0
  for (;;) {
    const passed = Math.min(state.skip, chunk.length - at)
    state.skip -= passed
    at += passed
    state.seen += passed
    if (state.skip > 0) return undefined
    if (state.last) return at
    while (state.have < state.need && at < chunk.length) {
      state.held.setUint8(state.have, chunk[at] ?? 0)
      state.have += 1
      state.seen += 1
      at += 1
    }
    if (state.have < state.need) return undefined
    readField(state)
  }
}

function readField(state: ScanState): void {
  if (state.field === 'magic') readMagic(state)
  else if (state.field === 'descriptor') readDescriptor(state)
  else if (state.field === 'header-rest') expect(state, 'block-header', 3)
  else if (state.field === 'block-header') readBlockHeader(state)
  else {
    state.skip = state.held.getUint32(0, true)
    state.last = true
  }
}

function expect(state: ScanState, field: ScanState['field'], need: number): void {
  state.field = field
  state.need = need
  state.have = 0
}

function placeOf(state: ScanState): CodecPlace {
  return { codec: 'zstd', offset: state.start + state.seen }
}

function isSkippable(magic: number): boolean {
  return (magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC
}

function readMagic(state: ScanState): void {
  const magic = state.held.getUint32(0, true)
  state.skippable = isSkippable(magic)
  if (!isZstdMagic(magic)) throw damagedFault({ codec: 'zstd', offset: state.start }, 'this is not a zstd frame')
  if (state.skippable) expect(state, 'skippable-size', 4)
  else expect(state, 'descriptor', 1)
}

function readDescriptor(state: ScanState): void {
  const descriptor = state.held.getUint8(0)
  if ((descriptor & 0x08) !== 0) throw damagedFault(placeOf(state), 'a reserved bit of the frame header is set')
  if ((descriptor & 0x03) !== 0) throw unsupportedFormatFault(placeOf(state), 'needs a dictionary')
  const singleSegment = (descriptor & 0x20) !== 0
  state.checksumBytes = (descriptor & 0x04) === 0 ? 0 : 4
  const sizeFlag = descriptor >>> 6
  const sizeBytes = sizeFlag === 0 && singleSegment ? 1 : (CONTENT_SIZE_BYTES[sizeFlag] ?? 0)
  expect(state, 'header-rest', (singleSegment ? 0 : 1) + sizeBytes)
}

function readBlockHeader(state: ScanState): void {
  const header = state.held.getUint16(0, true) | (state.held.getUint8(2) << 16)
  const type = (header >>> 1) & 3
  if (type === 3) throw damagedFault(placeOf(state), 'a block has the reserved type')
  state.last = (header & 1) === 1
  state.skip = (type === 1 ? 1 : header >>> 3) + (state.last ? state.checksumBytes : 0)
  expect(state, 'block-header', 3)
}
