import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { decodeControlFile, type ControlFile, type SystemIdentifier, type TimelineId } from '@waltz/pg-structures'
import type { Invocation } from '../command.ts'

const ATTEMPTS = 5
const PAUSE_MS = 10

/** What pg_control says of the cluster in whose data directory a command runs. */
export interface LocalCluster {
  readonly systemIdentifier?: SystemIdentifier
  readonly segmentBytes?: number
  readonly timeline?: TimelineId
}

/**
 * PostgreSQL runs archive_command and restore_command in the data directory. Elsewhere, and where pg_control cannot be
 * read, nothing is known: the commands then work without the checks that need it.
 */
export async function readLocalCluster({ io, log }: Invocation): Promise<LocalCluster> {
  const path = join(io.cwd, 'global/pg_control')
  try {
    const control = await readControl(path)
    if (control.crcValid) {
      return { systemIdentifier: control.systemIdentifier, segmentBytes: control.walSegmentBytes, timeline: control.timeline }
    }
    log.warn(`${path} has a wrong checksum: nothing is known of the cluster in this directory`)
  } catch (error) {
    const absent = error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')
    if (!absent) log.warn(`${path} cannot be read, so nothing is known of the cluster in this directory: ${String(error)}`)
  }
  return {}
}

/** The server may be writing the file right now; a read that saw half of it is done again. */
async function readControl(path: string): Promise<ControlFile> {
  for (let attempt = 1; ; attempt += 1) {
    const control = decodeControlFile(readFileSync(path))
    if (control.crcValid || attempt === ATTEMPTS) return control
    await delay(PAUSE_MS)
  }
}
