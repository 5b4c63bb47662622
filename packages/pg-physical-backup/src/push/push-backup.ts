import { abortedFault, Fault, throwIfAborted } from '@waltz/errors'
import { segmentName, segmentNumberOf, type Lsn, type WalFileName } from '@waltz/pg-structures'
import { formatBackupName } from '@waltz/repository'
import { openBackupSession, type BackupEnd, type BackupSession } from './backup-session.ts'
import { claimName, type NameClaim } from './claim-name.ts'
import { copyDataDirectory, type CopiedData } from './copy-data-directory.ts'
import { openDataDirectory, type DataDirectory } from './data-directory.ts'
import { backupDocuments } from './backup-documents.ts'
import { announceBackup, describeBackup } from './publish-backup.ts'
import { pushControlPart, pushLabelPart } from './push-special-parts.ts'
import type { PushedBackup, PushRequest, PushSurroundings, WalOutcome, WalRange } from './push-backup-options.ts'
import type { StoredPart } from './store-part.ts'

/** All that a running backup has got so far. */
export interface RunningBackup {
  readonly name: string
  readonly startedAt: Date
  readonly directory: DataDirectory
  readonly session: BackupSession
  readonly warnings: string[]
}

/**
 * Takes a full backup of a local data directory and announces it. In order: the server enters backup mode, the name is
 * claimed, files are copied, pg_control and the label follow, the WAL of the backup is made sure of, the documents and at
 * last the sentinel are written. Whatever fails, the server leaves backup mode and nothing is announced; what was stored is removed
 * as far as the store lets it.
 * @throws Fault of every kind: what the server, the data directory, the store and the archive say, by their codes.
 */
export async function pushBackup(request: PushRequest, around: PushSurroundings): Promise<PushedBackup> {
  const startedAt = around.now()
  let directory: DataDirectory | undefined
  await using session = await openBackupSession({
    connect: around.connect,
    label: startedAt.toISOString(),
    slotName: `waltz_${around.processId}_${around.randomHex(8)}`,
    aliveCheckIntervalMs: request.aliveCheckIntervalMs,
    sleep: around.sleep,
    precheck: async (facts) => {
      throwIfAborted(request.signal)
      directory = await openDataDirectory(request.dataDirectory, facts, around.sleep)
      await around.wal.admit(facts.systemIdentifier, request.signal)
    },
  })
  if (directory === undefined) throw new Fault('internal', 'ASSERTION_FAILED', 'the data directory is looked at before the backup starts')
  const name = formatBackupName({ segment: firstSegment(session) })
  const warnings = [...session.warnings]
  const warn = (message: string): void => {
    warnings.push(message)
    around.observe({ type: 'warning', message })
  }
  for (const message of session.warnings) around.observe({ type: 'warning', message })
  if (!session.facts.archives && !session.facts.inRecovery) {
    warn('the server does not archive its WAL (archive_mode, archive_command): this backup can be restored, but only to its own end')
  }
  const running: RunningBackup = { name, startedAt, directory, session, warnings }
  const signals = [session.lost, ...(request.signal === undefined ? [] : [request.signal])]
  await using claim = await claimName(name, around, AbortSignal.any(signals))
  const signal = AbortSignal.any([...signals, claim.lost])
  return await runClaimed({ running, claim, request, around, signal })
}

interface ClaimedBackup {
  readonly running: RunningBackup
  readonly claim: NameClaim
  readonly request: PushRequest
  readonly around: PushSurroundings
  readonly signal: AbortSignal
}

async function runClaimed(backup: ClaimedBackup): Promise<PushedBackup> {
  const { running, claim, around, signal } = backup
  around.observe({ type: 'started', name: running.name, startLsn: running.session.startLsn })
  let announcing = false
  try {
    const copied = await copyDataDirectory(running, backup.request, { around, signal })
    try {
      const { end, parts, wal } = await endBackup(backup, copied)
      around.observe({ type: 'phase', phase: 'publishing' })
      const { documents, result } = backupDocuments({ running, request: backup.request, around, copied, end, parts, wal })
      await describeBackup(documents, around, signal)
      announcing = true
      await announceBackup(documents, around, signal)
      return result
    } finally {
      copied.close()
    }
  } catch (error) {
    // From the sentinel on, a failure may be a lost answer: the backup may stand, so nothing of it is touched.
    if (!announcing) {
      await claim.discard().catch((cause: unknown) => {
        around.observe({ type: 'warning', message: `what was stored of ${running.name} stays behind: ${(cause as Error).message}` })
      })
    }
    throw signal.aborted ? abortedFault(signal) : error
  }
}

async function endBackup(backup: ClaimedBackup, copied: CopiedData): Promise<{ end: BackupEnd; parts: StoredPart[]; wal: WalOutcome }> {
  const { running, request, around, signal } = backup
  const target = { store: around.store, format: around.format, backupName: running.name, signal }
  const control = await pushControlPart(running.directory.path, target, { around, owners: copied.owners })
  around.observe({ type: 'phase', phase: 'stopping' })
  const end = await running.session.finish(request.stopTimeoutMs)
  const label = await pushLabelPart(end, target)
  around.observe({ type: 'phase', phase: 'checking-wal' })
  const wal = await around.wal.ensure(walRange(running, end), signal)
  throwIfAborted(signal)
  return { end, parts: [...copied.parts, control, label], wal }
}

/** The segment in the backup's name: of the start position, on a standby of the byte before it (RF 1.3). */
function firstSegment(session: BackupSession): WalFileName {
  const { timeline, walSegmentBytes, inRecovery } = session.facts
  const lsn = inRecovery ? ((session.startLsn - 1n) as Lsn) : session.startLsn
  return segmentName(timeline, segmentNumberOf(lsn, walSegmentBytes), walSegmentBytes)
}

function walRange({ session, directory }: RunningBackup, end: BackupEnd): WalRange {
  const { timeline, walSegmentBytes, inRecovery } = session.facts
  const first = segmentNumberOf(session.startLsn, walSegmentBytes)
  const last = segmentNumberOf((end.finishLsn - 1n) as Lsn, walSegmentBytes)
  const offset = (session.startLsn % BigInt(walSegmentBytes)).toString(16).toUpperCase().padStart(8, '0')
  return {
    timeline,
    segmentBytes: walSegmentBytes,
    first,
    end: last + 1,
    backupHistory: inRecovery ? undefined : (`${segmentName(timeline, first, walSegmentBytes)}.${offset}.backup` as WalFileName),
    timelineHistory: timeline === 1 ? undefined : (`${timeline.toString(16).toUpperCase().padStart(8, '0')}.history` as WalFileName),
    walDirectory: `${directory.path}/pg_wal`,
    inRecovery,
    async isComplete(segmentNumber) {
      const position = await session.walPosition()
      // A primary switches to a new segment when the backup ends, so all of the range is complete.
      return !position.inRecovery || position.lsn >= BigInt(segmentNumber + 1) * BigInt(walSegmentBytes)
    },
  }
}
