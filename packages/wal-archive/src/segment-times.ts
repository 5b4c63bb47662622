import { Fault } from '@waltz/errors'
import { classifyWalFileName, createSegmentTimeScan, type SegmentTimes } from '@waltz/pg-structures'
import { CHUNK_BYTES, coalesce } from '@waltz/bytes'
import type { ArchiveContext } from './context.ts'
import { openArchived } from './open-archived.ts'
import { judgeSegmentStart } from './segment-start.ts'
import { wrongContent } from './stored-start.ts'

/** Reads the moments (commits, aborts, restore points) of one archived segment. See `WalArchive.segmentTimes`. */
export async function readSegmentTimes(context: ArchiveContext, name: string, signal?: AbortSignal): Promise<SegmentTimes> {
  const parts = classifyWalFileName(name)
  if (parts?.kind !== 'segment' && parts?.kind !== 'partial') {
    throw new Fault('invalid', 'WAL_NAME_INVALID', `"${name}" is not the name of a WAL segment`, { hint: 'give 24 hex digits' })
  }
  await using opened = await openArchived(context, name, signal)
  if (opened === undefined) {
    throw new Fault('not-found', 'WAL_NOT_FOUND', `${name} is not in ${context.store.location}`, { context: { name } })
  }
  let scan: ReturnType<typeof createSegmentTimeScan> | undefined
  for await (const chunk of coalesce(opened.source, CHUNK_BYTES)) {
    scan ??= startScan(name, chunk)
    scan.push(chunk)
  }
  return (scan ?? startScan(name, new Uint8Array(0))).finish()
}

function startScan(name: string, head: Uint8Array): ReturnType<typeof createSegmentTimeScan> {
  const { segmentBytes, blockBytes } = judgeSegmentStart(head, { name, fault: wrongContent })
  return createSegmentTimeScan({ segmentBytes, blockBytes })
}
