import { Fault } from '@waltz/errors'
import { parseLsn, type Lsn } from '@waltz/pg-structures'
import { readServerFacts, type ServerFacts } from './server-facts.ts'
import { quoteLiteral, type SqlConnect, type SqlConnection } from './sql-connection.ts'

/** The server in backup mode, on one session: the end of the session, for whatever reason, ends the mode. */
export interface BackupSession extends AsyncDisposable {
  readonly facts: ServerFacts
  readonly startLsn: Lsn
  /** What could not be had and does not stop the backup. */
  readonly warnings: readonly string[]
  /** Fires when the session is lost; its reason is the fault. */
  readonly lost: AbortSignal
  /** Leaves backup mode, without waiting for the archiver. */
  finish(timeoutMs: number): Promise<BackupEnd>
  /** Where the server has got to in its WAL: what it wrote, or on a standby what it replayed. */
  walPosition(): Promise<{ readonly lsn: Lsn; readonly inRecovery: boolean }>
}

/** What the server says when a backup ends. */
export interface BackupEnd {
  readonly finishLsn: Lsn
  /** Contents of `backup_label`. */
  readonly backupLabel: string
  /** Contents of `tablespace_map`; empty without tablespaces. */
  readonly tablespaceMap: string
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
}

/** A role's or a database's own limits must not end a backup that takes hours. */
const SESSION_SETTINGS = ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout']

/**
 * Connects, looks at the server, pins its WAL by a temporary slot and starts a non-exclusive backup with an immediate
 * checkpoint. Disposing closes the session, which takes the server out of backup mode and drops the slot.
 * @throws Fault `unsupported` `SERVER_VERSION_UNSUPPORTED`; what `precheck` throws; `denied` `SERVER_DENIED` when the
 * role may not start a backup; `unavailable` `SERVER_UNAVAILABLE` when the server is not there.
 */
export async function openBackupSession(options: SessionOptions): Promise<BackupSession> {
  const connection = await options.connect()
  const lost = new AbortController()
  const closed = new AbortController()
  connection.onLost((cause) => lost.abort(lostFault(cause)))
  const close = async (): Promise<void> => {
    closed.abort()
    await connection.close()
  }
  try {
    await connection.query(`select ${SESSION_SETTINGS.map((name) => `set_config('${name}', '0', false)`).join(', ')}`)
    const facts = await readServerFacts(connection)
    if (facts.serverVersion >= 140_000) await connection.query(`select set_config('idle_session_timeout', '0', false)`)
    await options.precheck(facts)
    const warnings = await pinWal(connection, options.slotName)
    const startLsn = await startBackup(connection, facts.serverVersion, options.label)
    // The start makes a checkpoint, so only now is the timeline of pg_control that of the backup.
    const current = await readServerFacts(connection)
    void watch(connection, options, { lost, closed: closed.signal })
    return {
      facts: { ...facts, timeline: current.timeline },
      startLsn,
      warnings,
      lost: lost.signal,
      finish: (timeoutMs) => finishBackup(connection, { facts: current, timeoutMs, lost: lost.signal }),
      walPosition: () => readWalPosition(connection),
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
    return [`the WAL of this backup is not pinned by a replication slot (${(error as Error).message}); the server may recycle it before it is archived`]
  }
}

async function startBackup(connection: SqlConnection, serverVersion: number, label: string): Promise<Lsn> {
  const call =
    serverVersion >= 150_000 ? `pg_backup_start(label => ${quoteLiteral(label)}, fast => true)` : `pg_start_backup(${quoteLiteral(label)}, true, false)`
  const [row] = await connection.query(`select ${call}::text as lsn`)
  return parseLsn(row?.['lsn'] ?? '')
}

async function finishBackup(
  connection: SqlConnection,
  options: { facts: ServerFacts; timeoutMs: number; lost: AbortSignal },
): Promise<BackupEnd> {
  if (options.lost.aborted) throw options.lost.reason
  await connection.query(`select set_config('statement_timeout', '${Math.ceil(options.timeoutMs)}', false)`)
  const call = options.facts.serverVersion >= 150_000 ? 'pg_backup_stop(wait_for_archive => false)' : 'pg_stop_backup(false, false)'
  const [row] = await connection.query(`select lsn::text as lsn, labelfile, spcmapfile from ${call}`)
  const [after] = await connection.query(
    `select set_config('statement_timeout', '0', false), (select timeline_id from pg_control_checkpoint())::text as timeline`,
  )
  if (options.facts.inRecovery && Number(after?.['timeline']) !== options.facts.timeline) {
    throw new Fault('conflict', 'BACKUP_TIMELINE_CHANGED', `the standby went from timeline ${options.facts.timeline} to ${after?.['timeline']} during the backup`, {
      hint: 'Run the backup again.',
    })
  }
  return { finishLsn: parseLsn(row?.['lsn'] ?? ''), backupLabel: row?.['labelfile'] ?? '', tablespaceMap: row?.['spcmapfile'] ?? '' }
}

async function readWalPosition(connection: SqlConnection): Promise<{ lsn: Lsn; inRecovery: boolean }> {
  const [row] = await connection.query(`select pg_is_in_recovery()::text as in_recovery,
    (case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_flush_lsn() end)::text as lsn`)
  return { lsn: parseLsn(row?.['lsn'] ?? '0/0'), inRecovery: row?.['in_recovery'] === 'true' }
}

/** Asks for nothing at intervals, so that a dead connection is noticed while files are being copied. */
async function watch(connection: SqlConnection, options: SessionOptions, signals: { lost: AbortController; closed: AbortSignal }): Promise<void> {
  if (options.aliveCheckIntervalMs === 0) return
  const ended = AbortSignal.any([signals.lost.signal, signals.closed])
  while (!ended.aborted) {
    await options.sleep(options.aliveCheckIntervalMs, ended).catch(() => undefined)
    if (ended.aborted) return
    await connection.query('select 1').catch((error: unknown) => signals.lost.abort(lostFault(error)))
  }
}

function lostFault(cause: unknown): Fault {
  return new Fault('unavailable', 'SERVER_CONNECTION_LOST', 'the connection to the server was lost during the backup; the server has left backup mode', {
    cause,
    retryable: false,
    hint: "Look at the server's log, then run the backup again.",
  })
}
