import { lendBytes, type ByteSource } from '@waltz/bytes'

/** Memory that an engine fills bit by bit. */
interface Memory {
  readonly buffer: ArrayBufferLike
  /** Chunks of it that were not given back. */
  lent: number
  /** The engine has gone on to another. */
  left: boolean
}

/**
 * Lends what a compressor of `node:zlib` makes. Its chunks lie one behind the other in memory of the engine's, which takes new memory when
 * that is full: freed when all its chunks were given back, it does not wait for the garbage collector, which lets tens of MiB pile up.
 */
export async function* lendOutput(output: ByteSource): AsyncGenerator<Uint8Array, void, undefined> {
  let memory: Memory | undefined
  for await (const chunk of output) {
    if (memory?.buffer !== chunk.buffer) {
      if (memory !== undefined) leave(memory)
      memory = { buffer: chunk.buffer, lent: 0, left: false }
    }
    const own = memory
    own.lent += 1
    yield lendBytes(chunk, () => {
      own.lent -= 1
      freeUnused(own)
    })
  }
  if (memory !== undefined) leave(memory)
}

function leave(memory: Memory): void {
  memory.left = true
  freeUnused(memory)
}

function freeUnused({ buffer, lent, left }: Memory): void {
  if (left && lent === 0 && buffer instanceof ArrayBuffer && buffer.byteLength >= LEAST_OWN_BYTES) buffer.transfer(0)
}

/** Smaller memory may be Node's own pool, which it cuts small buffers from. */
const LEAST_OWN_BYTES = 65_536
