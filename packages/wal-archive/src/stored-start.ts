import type { ArchiveContext } from './context.ts'
import { openStored } from './open-stored.ts'
import { judgeSegmentStart, readSegmentHead, type SegmentStart } from './segment-start.ts'

/** How content of the archive that cannot be what its name says is reported. */
export const wrongContent = {
  kind: 'corrupt',
  code: 'WAL_CONTENT_WRONG',
  hint: 'the object in the archive is damaged or was exchanged; restore it from a copy',
} as const

/**
 * The header of a stored segment, from the first block of the object.
 * @throws Fault of the store or the codec; `corrupt` `WAL_CONTENT_WRONG` when it is not the header of that segment.
 */
export async function readStoredStart(
  context: ArchiveContext,
  file: { readonly name: string; readonly storedName: string },
  signal?: AbortSignal,
): Promise<SegmentStart> {
  await using opened = await openStored(context, file, signal)
  return judgeSegmentStart(await readSegmentHead(opened.source), { name: file.name, fault: wrongContent })
}
