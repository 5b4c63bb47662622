/**
 * Says what the names of WAL files mean and, where the file is there, what its first page says:
 *
 *   node read-wal-names.ts 0000000100000016000000B3 00000002.history "$PGDATA"/pg_wal/0000*
 */
import { existsSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { basename } from 'node:path'
import {
  checkSegmentHeader,
  classifyWalFileName,
  DEFAULT_SEGMENT_BYTES,
  decodeWalPageHeader,
  formatLsn,
  parseWalFileName,
  segmentNumberFromName,
  segmentStart,
  type WalFileName,
} from '@waltz/pg-structures'

for (const path of process.argv.slice(2)) {
  const name = basename(path)
  console.log(`${name}: ${await describe(name, path)}`)
}

async function describe(name: string, path: string): Promise<string> {
  const kind = classifyWalFileName(name)
  switch (kind?.kind) {
    case 'segment':
      return existsSync(path)
        ? await describeContent(parseWalFileName(name), path)
        : positionOf(parseWalFileName(name), DEFAULT_SEGMENT_BYTES)
    case 'partial':
      return `the unfinished last segment of timeline ${kind.timeline}`
    case 'timeline-history':
      return `where timeline ${kind.timeline} comes from`
    case 'backup-history':
      return `a backup began in segment ${kind.segment}`
    default:
      return 'not the name of a WAL file'
  }
}

/** The size of segments is not in the name; 16 MiB unless the cluster was made with another. */
function positionOf(name: WalFileName, segmentBytes: number): string {
  const start = segmentStart(segmentNumberFromName(name, segmentBytes), segmentBytes)
  return `WAL from ${formatLsn(start)}, in segments of ${segmentBytes / 1_048_576} MiB`
}

async function describeContent(name: WalFileName, path: string): Promise<string> {
  await using file = await open(path)
  const { buffer, bytesRead } = await file.read({ buffer: new Uint8Array(40) })
  const bytes = buffer.subarray(0, bytesRead)
  const [problem] = checkSegmentHeader({ bytes, name })
  if (problem !== undefined) return `damaged: ${problem.message}`
  const { serverVersion, long } = decodeWalPageHeader(bytes)
  return `${positionOf(name, long?.segmentBytes ?? DEFAULT_SEGMENT_BYTES)}, written by PostgreSQL ${serverVersion}, cluster ${long?.systemIdentifier}`
}
