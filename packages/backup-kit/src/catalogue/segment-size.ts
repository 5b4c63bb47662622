import { DEFAULT_SEGMENT_BYTES } from '@waltz/pg-structures'
import { segmentBytesOf } from '@waltz/repository/removal'
import type { CatalogueEntry } from './catalogue-entry.ts'

/** How large the cluster's WAL segments are, and how that is known. */
export interface SegmentSize {
  readonly bytes: number
  /** `backups`: positions and names of backups leave no other size. `setting`: WALG_PG_WAL_SIZE. `default`: nobody said, and 16 MiB is usual. */
  readonly from: 'backups' | 'setting' | 'default'
  /** What the setting says, where the backups contradict it: whoever believed it would take needed WAL for old. */
  readonly contradicted: number | undefined
}

/**
 * The size of WAL segments in bytes. A backup's name holds the segment of its start, so that position and name together tell the size; a
 * setting that contradicts them is wrong for this repository. Needs no request.
 */
export function segmentSizeOf(entries: readonly CatalogueEntry[], stated: number | undefined): SegmentSize {
  const told = segmentBytesOf(entries.flatMap(({ walFileName, startLsn }) => (startLsn === undefined ? [] : [{ walFileName, startLsn }])))
  if (told !== undefined) return { bytes: told, from: 'backups', contradicted: stated === told ? undefined : stated }
  return { bytes: stated ?? DEFAULT_SEGMENT_BYTES, from: stated === undefined ? 'default' : 'setting', contradicted: undefined }
}
