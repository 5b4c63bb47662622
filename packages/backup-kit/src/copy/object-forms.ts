import { createHash, type Hash } from 'node:crypto'
import type { ByteSource } from '@waltz/bytes'
import type { ObjectInfo } from '@waltz/storage'

/** The bytes of a source; `atEnd` is asked once all have gone by and before the last chunk is handed on. */
export async function* withheld(source: ByteSource, atEnd: () => void): AsyncGenerator<Uint8Array, void, undefined> {
  let last: Uint8Array | undefined
  for await (const chunk of source) {
    if (last !== undefined) yield last
    last = chunk
  }
  atEnd()
  if (last !== undefined) yield last
}

/** Measures the MD5 of what goes by. */
export interface TagMeter {
  through(source: ByteSource): ByteSource
  /** Undefined where this Node has no MD5. */
  tag(): string | undefined
}

/** A meter for the one hash that storages give back as an etag. It compares copies; nothing secret depends on it. */
export function createTagMeter(): TagMeter {
  const hash = md5()
  return {
    async *through(source) {
      for await (const chunk of source) {
        hash?.update(chunk)
        yield chunk
      }
    },
    tag: () => hash?.digest('hex'),
  }
}

/** Builds that follow FIPS have none. */
function md5(): Hash | undefined {
  try {
    return createHash('md5')
  } catch {
    return undefined
  }
}

/** The MD5 that an etag may be: 32 hex digits, as S3 and Swift have it for objects that were stored in one request. */
export function md5TagOf({ etag }: Pick<ObjectInfo, 'etag'>): string | undefined {
  const bare = etag?.replaceAll('"', '').toLowerCase()
  return bare !== undefined && /^[0-9a-f]{32}$/.test(bare) ? bare : undefined
}

/** Whether both storages say that they hold the same bytes. */
export function sameTag(one: ObjectInfo, other: ObjectInfo): boolean {
  const tag = md5TagOf(one)
  return tag !== undefined && one.size === other.size && tag === md5TagOf(other)
}
