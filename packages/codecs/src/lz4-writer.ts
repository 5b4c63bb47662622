import { Xxh32 } from '@node-rs/xxhash'
import type { ByteSource } from '@waltz/bytes'
import { compress } from 'lz4-napi'
import { blocksOf } from './blocks-of.ts'
import { encodeLz4FrameHeader, LZ4_STORED_BIT, type Lz4BlockBytes } from './lz4-frame.ts'
import { adoptNative, asBuffer, freeBytes } from './native-bytes.ts'
import { orderedAhead } from './ordered-ahead.ts'

/** How a frame is written. */
export interface Lz4WriteOptions {
  readonly blockBytes: Lz4BlockBytes
  readonly blocksInFlight: number
}

/** `compress` puts the length of the content before the block, in as many bytes as the frame has for the block's own. */
const PREFIX_BYTES = 4

/**
 * One LZ4 frame: header, blocks in order, end mark, content checksum. The source is read ahead by as many blocks as
 * are in flight; a block that does not shrink is stored. Empty content gives the same 15 bytes as WAL-G's writer (RF 15).
 */
export async function* writeLz4(source: ByteSource, options: Lz4WriteOptions): AsyncGenerator<Uint8Array, void, undefined> {
  const checksum = new Xxh32(0)
  let started = false
  const blocks = orderedAhead(blocksOf(source, options.blockBytes), options.blocksInFlight, (block) => {
    checksum.update(block)
    return encodeBlock(block)
  })
  for await (const encoded of blocks) {
    if (!started) yield encodeLz4FrameHeader(options.blockBytes)
    started = true
    yield* encoded
  }
  if (!started) yield encodeLz4FrameHeader(4_194_304)
  const end = new Uint8Array(8) // four zero bytes are the end mark
  new DataView(end.buffer).setUint32(4, checksum.digest(), true)
  yield end
}

async function encodeBlock(block: Uint8Array): Promise<readonly Uint8Array[]> {
  const result = await compress(asBuffer(block))
  const length = result.length - PREFIX_BYTES
  if (length < block.length) {
    const packed = adoptNative(result)
    new DataView(packed.buffer).setUint32(0, length, true)
    return [packed]
  }
  freeBytes(result)
  const word = new Uint8Array(PREFIX_BYTES)
  new DataView(word.buffer).setUint32(0, LZ4_STORED_BIT + block.length, true)
  return [word, block]
}
