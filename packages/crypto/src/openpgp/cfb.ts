import { createCipheriv } from 'node:crypto'

/** The ciphers whose streams are read and written here; the library knows the others. */
export type CfbCipher = 'aes128' | 'aes192' | 'aes256'

/** Bytes of a cipher block, and what the loop below works on at once. */
export const CIPHER_BLOCK_BYTES = 16
const WORDS = CIPHER_BLOCK_BYTES / 4

const NODE_NAMES = { aes128: 'aes-128', aes192: 'aes-192', aes256: 'aes-256' } as const

/** Whether a cipher by the library's name is one of these. */
export const isCfbCipher = (name: string): name is CfbCipher => Object.hasOwn(NODE_NAMES, name)

/** Works on whole cipher blocks. All memory begins on a multiple of four bytes, and so does every length end on one of sixteen. */
export type CfbStep = (input: Uint8Array, out: Uint8Array) => void

/**
 * Encrypts `input` into `out`, in cipher feedback mode with an initial vector of zeros (RFC 9580, section 5.13.1). OpenSSL's own CFB
 * is slow. What CFB adds to the content at every place, CBC encryption of that content computes as its result, one block earlier and
 * in assembler; adding the two is cheap.
 */
export function createCfbEncryption(cipher: CfbCipher, key: Uint8Array): CfbStep {
  const zeros = new Uint8Array(CIPHER_BLOCK_BYTES)
  const first = createCipheriv(`${NODE_NAMES[cipher]}-ecb`, key, null).setAutoPadding(false).update(zeros)
  const chain = createCipheriv(`${NODE_NAMES[cipher]}-cbc`, key, first).setAutoPadding(false)
  let mask = words(Uint8Array.from(first))
  return (input, out) => {
    const plain = words(input)
    const result = chain.update(input)
    const chained = words(result)
    const stored = words(out)
    const last = plain.length - WORDS
    addInto(stored, plain.subarray(0, WORDS), mask)
    addInto(stored.subarray(WORDS), plain.subarray(WORDS), chained.subarray(0, last))
    mask = chained.slice(last)
    freeBytes(result)
  }
}

/**
 * Decrypts into `out`. `input` is longer than it by one cipher block, which is the stored block before (zeros at the very beginning):
 * encrypted, each stored block is what was added to the next, and all of them can be computed at once.
 */
export function createCfbDecryption(cipher: CfbCipher, key: Uint8Array): CfbStep {
  const codebook = createCipheriv(`${NODE_NAMES[cipher]}-ecb`, key, null).setAutoPadding(false)
  return (input, out) => {
    const masks = codebook.update(input.subarray(0, input.length - CIPHER_BLOCK_BYTES))
    addInto(words(out), words(input.subarray(CIPHER_BLOCK_BYTES)), words(masks))
    freeBytes(masks)
  }
}

/** Frees what OpenSSL's results lie in at once: left to the garbage collector, which hardly sees it, it piles up to a hundred MiB. */
function freeBytes(bytes: Uint8Array): void {
  const { buffer } = bytes
  if (buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength) buffer.transfer(0)
}

/** Sixteen-byte blocks as words of four. */
function words(bytes: Uint8Array): Int32Array {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : Uint8Array.from(bytes)
  return new Int32Array(aligned.buffer, aligned.byteOffset, aligned.length >> 2)
}

/** `target = left ^ right`, as far as `left` goes: whole cipher blocks. Wider words or a simpler loop are several times slower. */
function addInto(target: Int32Array, left: Int32Array, right: Int32Array): void {
  const count = left.length
  for (let at = 0; at < count; at += WORDS) {
    target[at] = (left[at] as number) ^ (right[at] as number)
    target[at + 1] = (left[at + 1] as number) ^ (right[at + 1] as number)
    target[at + 2] = (left[at + 2] as number) ^ (right[at + 2] as number)
    target[at + 3] = (left[at + 3] as number) ^ (right[at + 3] as number)
  }
}
