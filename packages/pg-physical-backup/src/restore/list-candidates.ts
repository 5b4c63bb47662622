import { isFault } from '@waltz/errors'
import type { BackupCatalog, BackupSummary } from '@waltz/repository'
import type { CallOptions } from '@waltz/storage'
import { createBoundedTasks } from './bounded-tasks.ts'
import type { BackupCandidate } from './choose-backup.ts'

const readsAtOnce = 8

/**
 * All backups as candidates, and a warning for each sentinel that is damaged or gone.
 * @throws what the store says when a sentinel could not be read: a backup that nobody could look at must not be passed over.
 */
export async function listCandidates(
  catalog: BackupCatalog,
  options: CallOptions,
): Promise<{ readonly candidates: readonly BackupCandidate[]; readonly warnings: readonly string[] }> {
  const candidates: BackupCandidate[] = []
  const warnings: string[] = []
  const reads = createBoundedTasks(readsAtOnce)
  const readOne = async (summary: BackupSummary): Promise<void> => {
    try {
      const candidate = await readCandidate(catalog, summary, options)
      if (candidate !== undefined) candidates.push(candidate)
    } catch (error) {
      if (!isFault(error, 'corrupt') && !isFault(error, 'not-found')) throw error
      warnings.push(`backup ${summary.name} was not considered: ${error.message}`)
    }
  }
  for await (const summary of catalog.list(options)) await reads.add(() => readOne(summary))
  await reads.finish()
  return { candidates, warnings }
}

/** When a backup ended: its sentinel says it since release 1.1.1, before that the time at which the sentinel was stored. */
export function finishedAtMs(finishTime: string | undefined, storedAt: Date): number {
  const parsed = finishTime === undefined ? Number.NaN : Date.parse(finishTime)
  // Date keeps milliseconds; what it cuts off must not make a backup look earlier than it was.
  return Number.isNaN(parsed) || parsed <= 0 ? storedAt.getTime() : parsed + (/\.\d{4,}/.test(finishTime ?? '') ? 1 : 0)
}

/** The timeline in a backup's name; undefined for a name without one. */
export function timelineOfBackup(walFileName: string): number | undefined {
  return /^[0-9A-F]{24}$/.test(walFileName) ? Number.parseInt(walFileName.slice(0, 8), 16) : undefined
}

async function readCandidate(catalog: BackupCatalog, summary: BackupSummary, options: CallOptions): Promise<BackupCandidate | undefined> {
  const timeline = timelineOfBackup(summary.walFileName)
  if (timeline === undefined) return undefined
  const sentinel = await catalog.readSentinel(summary.name, options)
  return {
    name: summary.name,
    timeline,
    startLsn: sentinel.startLsn,
    finishLsn: sentinel.finishLsn,
    finishedAtMs: finishedAtMs(sentinel.finishTime, summary.modifiedAt),
    increment: sentinel.increment !== undefined,
  }
}
