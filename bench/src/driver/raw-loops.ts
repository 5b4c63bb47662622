/** What the libraries below the ciphers do in a bare loop, over the same chunks and with nothing around them. */
import { createCipheriv, createDecipheriv } from 'node:crypto'
import { giveBack, type ByteSource, type ByteStage } from '@waltz/bytes'
import type { Direction } from './job.ts'

interface SodiumNative {
  readonly crypto_secretstream_xchacha20poly1305_STATEBYTES: number
  crypto_secretstream_xchacha20poly1305_init_pull(state: Uint8Array, header: Uint8Array, key: Uint8Array): void
  crypto_secretstream_xchacha20poly1305_push(state: Uint8Array, out: Uint8Array, chunk: Uint8Array, ad: null, tag: number): number
  crypto_secretstream_xchacha20poly1305_pull(state: Uint8Array, out: Uint8Array, tag: Uint8Array, chunk: Uint8Array, ad: null): number
}

const SODIUM = { plain: 8192, stored: 8192 + 17, perBlock: 32 } as const
const DARE = { plain: 65_536, stored: 65_536 + 32, perBlock: 4 } as const
const KEY = Buffer.alloc(32, 7)

/** One piece of content: where it lies in the chunk, and where its result goes. */
type Piece = (input: Uint8Array, out: Uint8Array) => void

/** secretstream over pieces of 8 KiB. What it reads back was written by this loop. */
export async function sodiumNativeStage(direction: Direction): Promise<ByteStage> {
  const loaded = (await import('sodium-native')) as unknown as { readonly default: SodiumNative }
  const sodium = loaded.default
  return (source) => {
    const state = Buffer.alloc(sodium.crypto_secretstream_xchacha20poly1305_STATEBYTES)
    const tag = Buffer.alloc(1)
    sodium.crypto_secretstream_xchacha20poly1305_init_pull(state, Buffer.alloc(24, 1), KEY)
    const push: Piece = (input, out) => void sodium.crypto_secretstream_xchacha20poly1305_push(state, out, input, null, 0)
    const pull: Piece = (input, out) => void sodium.crypto_secretstream_xchacha20poly1305_pull(state, out, tag, input, null)
    return direction === 'pack'
      ? pieces(source, { from: SODIUM.plain, to: SODIUM.stored, count: SODIUM.perBlock }, push)
      : pieces(source, { from: SODIUM.stored, to: SODIUM.plain, count: SODIUM.perBlock }, pull)
  }
}

/** AES-256-GCM over pieces of 64 KiB, each with 16 bytes of nonce and padding before it and 16 of tag behind. */
export function nodeCryptoStage(direction: Direction): ByteStage {
  return (source) => {
    let sequence = 0
    const nonce = (): Buffer => {
      const bytes = Buffer.alloc(12)
      bytes.writeUInt32LE(sequence++)
      return bytes
    }
    const seal: Piece = (input, out) => {
      const cipher = createCipheriv('aes-256-gcm', KEY, nonce())
      out.set(cipher.update(input), 16)
      cipher.final()
      out.set(cipher.getAuthTag(), 16 + input.length)
    }
    const open: Piece = (input, out) => {
      const length = input.length - 32
      const decipher = createDecipheriv('aes-256-gcm', KEY, nonce())
      decipher.setAuthTag(input.subarray(16 + length))
      out.set(decipher.update(input.subarray(16, 16 + length)))
      decipher.final()
    }
    return direction === 'pack'
      ? pieces(source, { from: DARE.plain, to: DARE.stored, count: DARE.perBlock }, seal)
      : pieces(source, { from: DARE.stored, to: DARE.plain, count: DARE.perBlock }, open)
  }
}

/** The source must come in chunks of whole pieces, but for the last; a rest of that is passed over. */
async function* pieces(
  source: ByteSource,
  sizes: { readonly from: number; readonly to: number; readonly count: number },
  work: Piece,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { from, to, count } = sizes
  const block = Buffer.allocUnsafeSlow(to * count)
  for await (const chunk of source) {
    let filled = 0
    for (let at = 0; at + from <= chunk.length; at += from) {
      work(chunk.subarray(at, at + from), block.subarray(filled, filled + to))
      filled += to
    }
    giveBack(chunk)
    yield block.subarray(0, filled)
  }
}

/** Bytes of a chunk that holds whole pieces, for a stage and a direction. */
export function wholePieces(stage: string, direction: Direction): number | undefined {
  const sizes = stage === 'sodium-native' ? SODIUM : stage === 'node:crypto' ? DARE : undefined
  return sizes === undefined ? undefined : (direction === 'pack' ? sizes.plain : sizes.stored) * sizes.perBlock
}
