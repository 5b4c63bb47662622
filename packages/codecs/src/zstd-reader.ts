import type { ByteSource } from '@waltz/bytes'
import { constants, createZstdDecompress } from 'node:zlib'
import { createByteCursor, takeBytes, type ByteCursor } from './byte-cursor.ts'
import { damagedFault, trailingFault, truncatedFault } from './codec-faults.ts'
import { engineOptions } from './engine-options.ts'
import { runEngine, type Engine } from './run-engine.ts'
import { createZstdFrameScanner, isZstdMagic } from './zstd-scanner.ts'

/** 512 MiB, the largest window that WAL-G's reader accepts (RF 6.4). */
const MAX_WINDOW_LOG = 29

/**
 * The content of all zstd frames of an object. Each frame gets an engine of its own and exactly its own bytes, so that
 * the end of the data, a cut and trailing bytes are judged here and not by the engine.
 * @throws Fault `corrupt` `CODEC_TRUNCATED`, `CODEC_DAMAGED`, `CODEC_TRAILING_BYTES`; `unsupported` `CODEC_FORMAT_UNSUPPORTED`.
 */
export async function* readZstd(source: ByteSource): AsyncGenerator<Uint8Array, void, undefined> {
  const cursor = createByteCursor(source)
  try {
    for (let frames = 0; await hasFrame(cursor, frames); frames += 1) yield* readFrame(cursor)
  } finally {
    await cursor.close()
  }
}

/** Whether another frame begins here. An empty object counts as empty content: older releases wrote it so (RF 6.4). */
async function hasFrame(cursor: ByteCursor, framesBefore: number): Promise<boolean> {
  const offset = cursor.offset
  const magic = await takeBytes(cursor, 4)
  if (magic.length === 0) return false
  cursor.unread([magic])
  const place = { codec: 'zstd', offset }
  if (magic.length === 4 && isZstdMagic(new DataView(magic.buffer, magic.byteOffset, 4).getUint32(0, true))) return true
  if (framesBefore > 0) throw trailingFault(place)
  if (magic.length < 4 && [0x28, 0xb5, 0x2f].every((byte, index) => index >= magic.length || magic[index] === byte)) {
    throw truncatedFault({ codec: 'zstd', offset: magic.length }, 'the rest of the frame header')
  }
  throw damagedFault(place, 'this is not a zstd frame')
}

async function* readFrame(cursor: ByteCursor): AsyncGenerator<Uint8Array, void, undefined> {
  const start = cursor.offset
  const scanner = createZstdFrameScanner(start)
  let complete = false
  const pull = async (): Promise<Uint8Array | undefined> => {
    if (complete) return undefined
    const chunk = await cursor.next()
    if (chunk === undefined) throw truncatedFault({ codec: 'zstd', offset: cursor.offset }, 'the rest of the frame')
    const end = scanner.scan(chunk)
    if (end === undefined) return chunk
    complete = true
    if (end < chunk.length) cursor.unread([chunk.subarray(end)])
    return chunk.subarray(0, end)
  }
  const first = await pull()
  if (scanner.skippable) {
    while ((await pull()) !== undefined);
    return
  }
  let ahead: Uint8Array | undefined = first
  yield* runEngine({
    codec: 'zstd',
    offset: start,
    create,
    pull: async () => {
      const chunk = ahead ?? (await pull())
      ahead = undefined
      return chunk
    },
    giveBack: (rest) => {
      if (rest.some((chunk) => chunk.length > 0))
        throw damagedFault({ codec: 'zstd', offset: start }, 'the frame ends before its last block')
    },
  })
}

function create(): Engine {
  return createZstdDecompress({ ...engineOptions, params: { [constants.ZSTD_d_windowLogMax]: MAX_WINDOW_LOG } })
}
