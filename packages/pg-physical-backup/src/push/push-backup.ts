import { abortedFault, Fault, throwIfAborted } from '@waltz/errors'
import {
  backupHistoryName,
  segmentName,
  segmentNumberBefore,
  segmentNumberOf,
  segmentStart,
  timelineHistoryName,
  type WalFileName,
} from '@waltz/pg-structures'
import { formatBackupName } from '@waltz/repository'
import { untilAborted } from '@waltz/storage'
import { openBackupSession, type BackupSession } from './backup-session.ts'
import { claimName, type NameClaim } from './claim-name.ts'
import { copyDataDirectory, type CopiedData } from './copy-data-directory.ts'
import { openDataDirectory, type DataDirectory } from './data-directory.ts'
import type { BackupEnd } from './end-backup-mode.ts'
import { backupDocuments } from './backup-documents.ts'
import { announceBackup, confirmParts, describeBackup } from './publish-backup.ts'
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
    signal: request.signal,
    precheck: async (facts) => {
      directory = await openDataDirectory(request.dataDirectory, facts, (ms) => around.sleep(ms, request.signal))
      await around.wal.admit(facts.systemIdentifier, request.signal)
    },
  })
  if (directory === undefined) throw new Fault('internal', 'ASSERTION_FAILED', 'the data directory is looked at before the backup starts')
  const name = formatBackupName({ segment: firstSegment(session) })
  const running: RunningBackup = { name, startedAt, directory, session, warnings: [] }
  for (const message of earlyWarnings(session)) {
    running.warnings.push(message)
    around.observe({ type: 'warning', message })
  }
  const signals = [session.lost, ...(request.signal === undefined ? [] : [request.signal])]
  await using claim = await claimName(name, around, AbortSignal.any(signals))
  const signal = AbortSignal.any([...signals, claim.lost])
  return await runClaimed({ running, claim, request, around, signal })
}

function earlyWarnings({ facts, warnings }: BackupSession): readonly string[] {
  if (facts.archives || facts.inRecovery) return warnings
  return [
    ...warnings,
    'the server does not archive its WAL (archive_mode, archive_command): this backup can be restored, but only to its own end',
  ]
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
  const progress = { announcing: false }
  try {
    const copied = await copyDataDirectory(running, backup.request, { around, signal })
    try {
      return await finishClaimed(backup, copied, progress)
    } finally {
      copied.close()
    }
  } catch (error) {
    const failure = signal.aborted ? abortedFault(signal) : error
    // From the sentinel on, a failure may be a lost answer: the backup may stand, so nothing of it is touched.
    const left = progress.announcing ? 'whether it is announced is not known, backup-list tells' : await discarded(claim)
    if (left !== undefined) around.observe({ type: 'warning', message: `what was stored of ${running.name} stays behind: ${left}` })
    throw failure
  }
}

async function finishClaimed(backup: ClaimedBackup, copied: CopiedData, progress: { announcing: boolean }): Promise<PushedBackup> {
  const { running, claim, request, around, signal } = backup
  const { end, parts, wal } = await endBackup(backup, copied)
  // The server has nothing more to do with it, and what becomes of the connection does not matter any more.
  await running.session[Symbol.asyncDispose]()
  around.observe({ type: 'phase', phase: 'publishing' })
  const { documents, result } = backupDocuments({ running, request, around, copied, end, parts, wal })
  await describeBackup(documents, around, signal)
  await confirmParts(documents, around, signal)
  await claim.confirm(signal)
  throwIfAborted(signal)
  progress.announcing = true
  await announceBackup(documents, around)
  return result
}

/** Why something stays behind, or undefined. */
async function discarded(claim: NameClaim): Promise<string | undefined> {
  try {
    await claim.discard()
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

async function endBackup(backup: ClaimedBackup, copied: CopiedData): Promise<{ end: BackupEnd; parts: StoredPart[]; wal: WalOutcome }> {
  const { running, request, around, signal } = backup
  const target = { store: around.store, format: around.format, backupName: running.name, sleep: around.sleep, signal }
  const control = await pushControlPart(running.directory.path, target, { around, owners: copied.owners })
  around.observe({ type: 'phase', phase: 'stopping' })
  const end = await untilAborted(running.session.finish(request.stopTimeoutMs), signal)
  const label = await pushLabelPart(end, target)
  around.observe({ type: 'phase', phase: 'checking-wal' })
  const wal = await around.wal.ensure(walRange(running, end), signal)
  throwIfAborted(signal)
  return { end, parts: [...copied.parts, control, label], wal }
}

/** The segment in the backup's name: of the start position, on a standby of the byte before it (RF 1.3). */
function firstSegment({ facts, startLsn }: BackupSession): WalFileName {
  const { timeline, walSegmentBytes, inRecovery } = facts
  const number = inRecovery ? segmentNumberBefore(startLsn, walSegmentBytes) : segmentNumberOf(startLsn, walSegmentBytes)
  return segmentName(timeline, number, walSegmentBytes)
}

function walRange({ session, directory }: RunningBackup, end: BackupEnd): WalRange {
  const { timeline, walSegmentBytes, inRecovery } = session.facts
  return {
    timeline,
    segmentBytes: walSegmentBytes,
    first: segmentNumberOf(session.startLsn, walSegmentBytes),
    end: segmentNumberBefore(end.finishLsn, walSegmentBytes) + 1,
    backupHistory: inRecovery ? undefined : backupHistoryName(timeline, session.startLsn, walSegmentBytes),
    timelineHistory: timeline === 1 ? undefined : timelineHistoryName(timeline),
    walDirectory: `${directory.path}/pg_wal`,
    inRecovery,
    isComplete: (segmentNumber) => session.holdsWalUpTo(segmentStart(segmentNumber + 1, walSegmentBytes)),
  }
}
