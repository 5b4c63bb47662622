import { createXxh32 } from './xxh32.ts'
import type { FileReader } from './file-reader.ts'

/**
 * Decodes the one LZ4 frame that an object must consist of (RF 6.2): version 1, independent blocks, content checksum, no
 * dictionary, nothing behind it. WAL-G reads the first frame and ignores what follows; here that is an error.
 * @throws Error saying what is wrong.
 */
export async function* decodeLz4Frame(file: FileReader): AsyncGenerator<Uint8Array> {
  const start = await file.read(7)
  if (start.readUInt32LE(0) !== 0x184d_2204) throw new Error('does not begin with an LZ4 frame')
  const flags = start.readUInt8(4)
  const blockBytes = { 4: 65_536, 5: 262_144, 6: 1_048_576, 7: 4_194_304 }[(start.readUInt8(5) >> 4) & 7]
  if (flags >> 6 !== 1) throw new Error('LZ4 frame version is not 1')
  if ((flags & 0x20) === 0) throw new Error('LZ4 blocks depend on each other')
  if ((flags & 0x04) === 0) throw new Error('LZ4 frame without content checksum')
  if ((flags & 0x1b) !== 0) throw new Error('LZ4 frame with block checksums, content size or a dictionary')
  if (blockBytes === undefined || (start.readUInt8(5) & 0x8f) !== 0) throw new Error('LZ4 frame with an unknown block size')
  const header = createXxh32()
  header.update(start.subarray(4, 6))
  if (((header.digest() >>> 8) & 0xff) !== start.readUInt8(6)) throw new Error('LZ4 frame with a wrong header checksum')
  const content = createXxh32()
  for (;;) {
    const word = (await file.read(4)).readUInt32LE(0)
    if (word === 0) break
    const stored = await file.read(word & 0x7fff_ffff)
    const plain = word >>> 31 === 1 ? stored : decodeLz4Block(stored, blockBytes)
    if (plain.length > blockBytes) throw new Error('LZ4 block larger than the frame says')
    content.update(plain)
    if (plain.length > 0) yield plain
  }
  const checksum = (await file.read(4)).readUInt32LE(0)
  if (checksum !== content.digest()) throw new Error('LZ4 content checksum is wrong')
  if (file.remaining() > 0) throw new Error(`${file.remaining()} bytes behind the LZ4 frame`)
}

/** Decodes one block that stands alone. */
export function decodeLz4Block(block: Uint8Array, limit: number): Uint8Array {
  const out = Buffer.allocUnsafe(limit)
  let from = 0
  let to = 0
  const length = (nibble: number): number => {
    let total = nibble
    if (nibble === 15) {
      let byte = 255
      while (byte === 255) {
        byte = block[from++] ?? -1
        if (byte < 0) throw new Error('LZ4 block ends early')
        total += byte
      }
    }
    return total
  }
  while (from < block.length) {
    const token = block[from++] ?? 0
    const literals = length(token >> 4)
    if (from + literals > block.length || to + literals > limit) throw new Error('LZ4 literals reach outside their block')
    out.set(block.subarray(from, from + literals), to)
    from += literals
    to += literals
    if (from === block.length) return out.subarray(0, to)
    const offset = (block[from] ?? 0) | ((block[from + 1] ?? 0) << 8)
    from += 2
    const match = length(token & 15) + 4
    if (offset === 0 || offset > to || to + match > limit) throw new Error('LZ4 match reaches outside its block')
    if (offset >= match) out.copyWithin(to, to - offset, to - offset + match)
    else for (let index = 0; index < match; index += 1) out[to + index] = out[to + index - offset] ?? 0
    to += match
  }
  throw new Error('LZ4 block does not end in literals')
}
