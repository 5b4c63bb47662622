import { Fault, throwIfAborted } from '@waltz/errors'
import { parseLsn, type Lsn } from '@waltz/pg-structures'
import { endBackupMode, type BackupEnd } from './end-backup-mode.ts'
import { openSession } from './open-session.ts'
import { readServerFacts, type ServerFacts } from './server-facts.ts'
import { quoteLiteral, type SqlConnect, type SqlConnection } from './sql-connection.ts'

/** The server in backup mode, on one session: the end of the session, for whatever reason, ends the mode. */
export interface BackupSession extends AsyncDisposable {
  /** As they were when the backup had started. */
  readonly facts: ServerFacts
  readonly startLsn: Lsn
  /** What could not be had and does not stop the backup. */
  readonly warnings: readonly string[]
  /** Fires when the session is lost; its reason is the fault. Never after disposing. */
  readonly lost: AbortSignal
  /** Leaves backup mode, without waiting for the archiver. 0 for no time limit. */
  finish(timeoutMs: number): Promise<BackupEnd>
  /**
   * Whether the server's own copy of the WAL before `position`, the end of a segment, is complete. A primary switches to a new
   * segment when a backup ends. A standby has what it replayed; that stays so when it is promoted.
   */
  holdsWalUpTo(position: Lsn): Promise<boolean>
}

/** What a session needs. */
export interface SessionOptions {
  readonly connect: SqlConnect
  /** Stands in `backup_label`, and in the server's log. */
  readonly label: string
  /** A name of its own for the replication slot that keeps the WAL of this backup: lower-case letters, digits, underscores. */
  readonly slotName: string
  /** How often to make sure that the session lives; 0 for never. */
  readonly aliveCheckIntervalMs: number
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>
  /** Looks at the server before it is put into backup mode; rejects to go no further. */
  readonly precheck: (facts: ServerFacts) => Promise<void>
  /** Ends every wait for the server. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Connects, looks at the server, pins its WAL by a temporary slot and starts a non-exclusive backup with an immediate
 * checkpoint. Disposing closes the session, which takes the server out of backup mode and drops the slot.
 * @throws Fault `unsupported` `SERVER_VERSION_UNSUPPORTED`; `conflict` `BACKUP_TIMELINE_CHANGED`; what `precheck` throws; what the
 * connection says, such as `denied` `SERVER_DENIED` when the role may not start a backup.
 */
export async function openBackupSession(options: SessionOptions): Promise<BackupSession> {
  const connection = await openSession(options.connect, { signal: options.signal })
  const lost = new AbortController()
  const closed = new AbortController()
  connection.onLost((cause) => lost.abort(lostFault(cause)))
  const close = async (): Promise<void> => {
    if (closed.signal.aborted) return
    closed.abort()
    await connection.close()
  }
  try {
    const before = await readServerFacts(connection)
    await options.precheck(before)
    const warnings = await pinWal(connection, options.slotName)
    const startLsn = await startBackup(connection, before.serverVersion, options.label)
    // The start makes a checkpoint, so only now is the timeline of pg_control that of the backup.
    const facts = await readServerFacts(connection)
    if (before.inRecovery !== facts.inRecovery) throw promotedFault()
    const watched = { connection, busy: 0, options, lost, closed: closed.signal }
    void watch(watched)
    const use = async <Result>(work: () => Promise<Result>): Promise<Result> => {
      throwIfAborted(lost.signal)
      watched.busy += 1
      try {
        return await work()
      } finally {
        watched.busy -= 1
      }
    }
    return {
      facts,
      startLsn,
      warnings,
      lost: lost.signal,
      finish: (timeoutMs) => use(() => endBackupMode(connection, { facts, startLsn, timeoutMs })),
      holdsWalUpTo: async (position) => !facts.inRecovery || (await use(() => replayedTo(connection))) >= position,
      [Symbol.asyncDispose]: close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** Without the slot the server may recycle WAL before it is archived: the backup then fails at its end instead of being pinned. */
async function pinWal(connection: SqlConnection, slotName: string): Promise<string[]> {
  try {
    await connection.query(`select pg_create_physical_replication_slot(${quoteLiteral(slotName)}, true, true)`)
    return []
  } catch (error) {
    return [
      `the WAL of this backup is not pinned by a replication slot (${(error as Error).message}); the server may recycle it before it is archived`,
    ]
  }
}

async function startBackup(connection: SqlConnection, serverVersion: number, label: string): Promise<Lsn> {
  const call =
    serverVersion >= 150_000
      ? `pg_backup_start(label => ${quoteLiteral(label)}, fast => true)`
      : `pg_start_backup(${quoteLiteral(label)}, true, false)`
  const [row] = await connection.query(`select ${call}::text as lsn`)
  return parseLsn(row?.['lsn'] ?? '')
}

async function replayedTo(connection: SqlConnection): Promise<Lsn> {
  const [row] = await connection.query(`select pg_last_wal_replay_lsn()::text as lsn`)
  return parseLsn(row?.['lsn'] ?? '0/0')
}

/** A session under watch. */
interface Watched {
  readonly connection: SqlConnection
  /** Statements of the backup itself that are running: a question behind them would wait with them. */
  busy: number
  readonly options: SessionOptions
  readonly lost: AbortController
  readonly closed: AbortSignal
}

/** Asks for nothing at intervals, so that a dead connection is noticed while files are being copied. An answer that takes a whole interval counts as none. */
async function watch(watched: Watched): Promise<void> {
  const { connection, options, lost, closed } = watched
  if (options.aliveCheckIntervalMs === 0) return
  const ended = AbortSignal.any([lost.signal, closed])
  const pause = (signal: AbortSignal): Promise<void> => options.sleep(options.aliveCheckIntervalMs, signal).catch(() => undefined)
  while (!ended.aborted) {
    await pause(ended)
    if (ended.aborted) return
    if (watched.busy > 0) continue
    const answered = new AbortController()
    const late = pause(AbortSignal.any([ended, answered.signal])).then(() => 'late')
    const answer = await Promise.race([connection.query('select 1').catch((error: unknown) => lostFault(error)), late])
    answered.abort()
    if (ended.aborted) return
    if (answer === 'late' && watched.busy === 0) lost.abort(lostFault(new Error('the server did not answer in time')))
    else if (answer instanceof Fault) lost.abort(answer)
  }
}

function lostFault(cause: unknown): Fault {
  return new Fault(
    'unavailable',
    'SERVER_CONNECTION_LOST',
    'the connection to the server was lost during the backup; the server has left backup mode',
    {
      cause,
      retryable: false,
      hint: "Look at the server's log, then run the backup again.",
    },
  )
}

function promotedFault(): Fault {
  return new Fault('conflict', 'BACKUP_TIMELINE_CHANGED', 'the standby was promoted while the backup started', {
    hint: 'Run the backup again.',
  })
}
