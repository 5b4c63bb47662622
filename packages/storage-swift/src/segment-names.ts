import { isFault } from '@waltz/errors'
import { listItems } from './list.ts'
import type { Place } from './place.ts'

/** A stored segment of an upload of Waltz's. */
export interface NamedSegment {
  /** Of the segment itself. */
  readonly name: string
  /** Of the object that it was stored for. */
  readonly key: string
  readonly id: string
  readonly startedAt: Date
  readonly bytes: number
}

const SEGMENT_NAME = /^(.+)\/(waltz-(\d{13})-[0-9a-f]{16})\/\d{8}$/s

/** Names one upload. */
export function uploadId(now: Date, randomHex: (digits: number) => string): string {
  return `waltz-${String(now.getTime()).padStart(13, '0')}-${randomHex(16)}`
}

/** Where the segments of one upload are. */
export function segmentPrefix(key: string, id: string): string {
  return `${key}/${id}/`
}

/** In the order of the bytes that they hold. */
export function segmentName(key: string, id: string, index: number): string {
  return `${segmentPrefix(key, id)}${String(index).padStart(8, '0')}`
}

/** Segments below a prefix, in the order of their names; those of other programs are passed over. None without their container. */
export async function* listSegments(place: Place, prefix: string, signal: AbortSignal | undefined): AsyncGenerator<NamedSegment> {
  const query = { container: place.segmentContainer, prefix, marker: undefined, delimiter: false, signal }
  try {
    for await (const { item } of listItems(place, query)) {
      const [, key, id, stamp] = SEGMENT_NAME.exec(item.name ?? '') ?? []
      if (item.name === undefined || key === undefined || id === undefined) continue
      yield { name: item.name, key, id, startedAt: new Date(Number(stamp)), bytes: item.bytes ?? 0 }
    }
  } catch (error) {
    if (!(isFault(error) && error.code === 'STORAGE_BUCKET_MISSING')) throw error
  }
}
