import { damagedFault } from './codec-faults.ts'

/** Distances that are kept out of the instruction's own bits (LZO stream format, Linux Documentation/staging/lzo.rst). */
const FAR_BASE = 0x4000
const AFTER_LITERALS_BASE = 0x800

/** A block being decoded: where reading and writing stand, and how to name a failure. */
interface BlockState {
  readonly input: Uint8Array
  readonly output: Uint8Array
  readonly offset: number
  in: number
  out: number
}

/**
 * Decodes one LZO1X block, whose content has exactly `contentBytes` bytes. `offset` is where the block lies in the object.
 * @throws Fault `corrupt` `CODEC_DAMAGED` when an instruction reads or writes out of bounds, or when the block ends too early or too late.
 */
export function decodeLzoBlock(input: Uint8Array, contentBytes: number, offset: number): Uint8Array {
  const state: BlockState = { input, output: new Uint8Array(contentBytes), offset, in: 0, out: 0 }
  // How many literals the instruction before has copied: 0, 1 to 3, or 4 for a run of 4 and more. It decides what small instructions mean.
  let literals = 0
  const first = input[0] ?? 0
  if (first > 17) {
    state.in = 1
    literals = Math.min(4, first - 17)
    copyLiterals(state, first - 17)
  }
  for (;;) {
    const instruction = nextByte(state)
    if (instruction < 16 && literals === 0) {
      copyLiterals(state, 3 + runLength(state, instruction, 15))
      literals = 4
      continue
    }
    const match = matchOf(state, instruction, literals)
    if (match === undefined) break
    copyMatch(state, match.distance, match.length)
    literals = (input[state.in - 2] ?? 0) & 3
    if (literals > 0) copyLiterals(state, literals)
  }
  if (state.in !== input.length) throw broken(state, `${input.length - state.in} bytes follow its end`)
  if (state.out !== contentBytes) throw broken(state, `it holds ${state.out} bytes where ${contentBytes} were announced`)
  return state.output
}

/** What an instruction asks to be repeated; undefined for the end of the block. */
function matchOf(state: BlockState, instruction: number, literals: number): { distance: number; length: number } | undefined {
  if (instruction >= 64) return { length: (instruction >> 5) + 1, distance: 1 + ((instruction >> 2) & 7) + (nextByte(state) << 3) }
  if (instruction >= 32) {
    const length = 2 + runLength(state, instruction & 31, 31)
    return { length, distance: 1 + (nextUint16(state) >> 2) }
  }
  if (instruction >= 16) {
    const length = 2 + runLength(state, instruction & 7, 7)
    const distance = ((instruction & 8) << 11) + (nextUint16(state) >> 2)
    if (distance > 0) return { length, distance: FAR_BASE + distance }
    if (length !== 3) throw broken(state, 'its end mark is malformed')
    return undefined
  }
  const near = 1 + (instruction >> 2) + (nextByte(state) << 2)
  return literals === 4 ? { length: 3, distance: AFTER_LITERALS_BASE + near } : { length: 2, distance: near }
}

/** A length that goes on in further bytes when its own bits are zero: each zero byte adds 255, the first other one ends it. */
function runLength(state: BlockState, bits: number, base: number): number {
  if (bits !== 0) return bits
  let length = base
  let byte = nextByte(state)
  for (; byte === 0; byte = nextByte(state)) {
    length += 255
    if (length > state.output.length) throw broken(state, 'a run is longer than its content')
  }
  return length + byte
}

function nextByte(state: BlockState): number {
  const byte = state.input[state.in]
  if (byte === undefined) throw broken(state, 'it ends within an instruction')
  state.in += 1
  return byte
}

function nextUint16(state: BlockState): number {
  const low = nextByte(state)
  return low + (nextByte(state) << 8)
}

function copyLiterals(state: BlockState, count: number): void {
  const end = state.in + count
  if (end > state.input.length) throw broken(state, 'it ends within literals')
  if (state.out + count > state.output.length) throw broken(state, 'it holds more than was announced')
  // A typed-array copy has a price that short runs do not pay back.
  if (count < 32) for (let at = 0; at < count; at += 1) state.output[state.out + at] = state.input[state.in + at] ?? 0
  else state.output.set(state.input.subarray(state.in, end), state.out)
  state.in = end
  state.out += count
}

function copyMatch(state: BlockState, distance: number, length: number): void {
  const { output, out } = state
  if (distance > out) throw broken(state, 'it refers to bytes before its beginning')
  if (out + length > output.length) throw broken(state, 'it holds more than was announced')
  // Source and target may overlap: then what was just written is repeated, byte by byte.
  if (distance >= length && length >= 32) output.copyWithin(out, out - distance, out - distance + length)
  else for (let at = out; at < out + length; at += 1) output[at] = output[at - distance] ?? 0
  state.out += length
}

function broken({ offset, in: at }: BlockState, what: string): Error {
  return damagedFault({ codec: 'lzo', offset: offset + at }, `a block does not decode: ${what}`)
}
