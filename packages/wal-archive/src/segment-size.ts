import { MIN_SEGMENT_BYTES } from '@waltz/pg-structures'
import type { ArchiveContext } from './context.ts'
import { matchStoredName } from './stored-name.ts'
import { readStoredStart } from './stored-start.ts'
import { listWal } from './wal-listing.ts'

/**
 * The size of the archive's segments: as the caller said, else as the header of the first archived segment that can be read says.
 * An archive without segments gives the smallest size there is, with which nothing can be overlooked.
 * @throws Fault of the store or the codec; `corrupt` `WAL_CONTENT_WRONG`.
 */
export async function segmentBytesOf(context: ArchiveContext, signal?: AbortSignal): Promise<number> {
  if (context.segmentBytes !== undefined) return context.segmentBytes
  for await (const listed of listWal(context, { signal })) {
    const readable = matchStoredName(listed.name, listed.storedName, context.format.extensions).kind === 'readable'
    if (listed.parts.kind === 'segment' && readable) return (await readStoredStart(context, listed, signal)).segmentBytes
  }
  return MIN_SEGMENT_BYTES
}
