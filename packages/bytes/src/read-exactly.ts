import { Fault } from '@waltz/errors'
import type { ByteSource } from './byte-source.ts'
import { concatBytes } from './concat-bytes.ts'

/**
 * Reads the first `length` bytes and closes the source: for headers.
 * @throws Fault `corrupt` `BYTES_TOO_SHORT` when the source ends before.
 */
export async function readExactly(source: ByteSource, length: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let have = 0
  for await (const chunk of source) {
    chunks.push(chunk)
    have += chunk.length
    if (have >= length) return concatBytes(chunks).subarray(0, length)
  }
  if (length === 0) return new Uint8Array(0)
  throw new Fault('corrupt', 'BYTES_TOO_SHORT', `ended after ${have} of ${length} bytes`)
}
