import type { ByteSource } from './byte-source.ts'
import { concatBytes } from './concat-bytes.ts'
import { limitBytes } from './limit-bytes.ts'

/**
 * Collects a small object into memory. `limit`, in bytes, has no default on purpose: every caller must choose one.
 * @throws Fault `corrupt` `BYTES_LIMIT_EXCEEDED` when the source holds more.
 */
export async function readAll(source: ByteSource, limit: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of limitBytes(source, limit)) chunks.push(chunk)
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : concatBytes(chunks)
}
