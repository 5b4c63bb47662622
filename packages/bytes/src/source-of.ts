import type { ByteSource } from './byte-source.ts'

/** A source of the given chunks, in order; text is encoded as UTF-8 and empty chunks are left out. */
export async function* sourceOf(...chunks: readonly (Uint8Array | string)[]): AsyncGenerator<Uint8Array, void, undefined> {
  const encoder = new TextEncoder()
  for (const chunk of chunks) if (chunk.length > 0) yield typeof chunk === 'string' ? encoder.encode(chunk) : chunk
}

/** A source that ends at once. */
export function emptySource(): ByteSource {
  return sourceOf()
}
