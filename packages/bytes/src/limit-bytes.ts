import { Fault } from '@waltz/errors'
import type { ByteSource } from './byte-source.ts'

/**
 * Passes at most `limit` bytes on and fails at the first byte beyond: the guard against an object that unpacks into
 * more than it may.
 * @throws Fault `corrupt` `BYTES_LIMIT_EXCEEDED` from the iteration.
 */
export async function* limitBytes(source: ByteSource, limit: number): AsyncGenerator<Uint8Array, void, undefined> {
  let seen = 0
  for await (const chunk of source) {
    seen += chunk.length
    if (seen > limit) throw new Fault('corrupt', 'BYTES_LIMIT_EXCEEDED', `more than ${limit} bytes`)
    yield chunk
  }
}
