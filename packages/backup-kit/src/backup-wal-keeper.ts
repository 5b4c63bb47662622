import { Fault, isFault, throwIfAborted } from '@waltz/errors'
import type { PushEvent, WalKeeper, WalOutcome, WalRange } from '@waltz/pg-physical-backup'
import { segmentName, type WalFileName } from '@waltz/pg-structures'
import { openLocalWal, type WalArchive } from '@waltz/wal-archive'

/** How often a segment that is awaited is looked for, in milliseconds. */
const POLL_MS = 500
const SAY_AGAIN_MS = 5_000

/** What the keeper works with. */
export interface WalKeeperOptions {
  readonly archive: WalArchive
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>
  readonly now: () => Date
  /** How long to wait for one segment; starts anew with each that arrives. */
  readonly waitTimeoutMs: number
  /** What a segment that does not arrive does: fail the backup, or be recorded as pending. */
  readonly whenMissing: 'fail' | 'record'
  readonly observe: (event: PushEvent) => void
}

/**
 * Sees to it that the WAL of a backup is in the archive: what the server holds complete is pushed from its `pg_wal`, by the
 * same push with the same fences as the archiver's, so nobody waits for a slow archiver; the rest (on a standby, what
 * the primary has not finished) is awaited.
 */
export function createBackupWalKeeper(options: WalKeeperOptions): WalKeeper {
  return {
    admit: (systemIdentifier, signal) => options.archive.admit(systemIdentifier, signal === undefined ? {} : { signal }),
    async ensure(range, signal) {
      const outcome = { pushed: [] as WalFileName[], present: [] as WalFileName[], pending: [] as WalFileName[] }
      for (let number = range.first; number < range.end; number += 1) {
        const name = segmentName(range.timeline, number, range.segmentBytes)
        await settle(name, { range, number, options, outcome, signal })
      }
      if (range.timelineHistory !== undefined) await settle(range.timelineHistory, { range, options, outcome, signal })
      if (range.backupHistory !== undefined) await pushLocal(range.backupHistory, { range, options, outcome, signal })
      return outcome
    },
  }
}

interface Settling {
  readonly range: WalRange
  /** Of a segment; undefined for a history file, which is complete as soon as it is there. */
  readonly number?: number
  readonly options: WalKeeperOptions
  readonly outcome: { readonly [Key in keyof WalOutcome]: WalFileName[] }
  readonly signal: AbortSignal
}

async function settle(name: WalFileName, settling: Settling): Promise<void> {
  const { options, outcome, signal } = settling
  const since = options.now().getTime()
  let saidMs = 0
  for (;;) {
    throwIfAborted(signal)
    const complete = settling.number === undefined || (await settling.range.isComplete(settling.number))
    const local = complete ? await pushLocal(name, settling) : undefined
    if (local === 'archived') return
    if (await options.archive.has(name, { signal })) {
      outcome.present.push(name)
      return
    }
    const waitedMs = options.now().getTime() - since
    if (waitedMs >= options.waitTimeoutMs) return giveUp(name, settling, local)
    // Once when it begins, then every few seconds: people want to know, logs do not want more.
    if (waitedMs >= saidMs) {
      options.observe({ type: 'waiting-for-wal', segment: name, waitedMs })
      saidMs += SAY_AGAIN_MS
    }
    await options.sleep(POLL_MS, signal)
  }
}

/** Puts the server's own copy into the archive. Otherwise tells why there is none that could be: undefined when the file is not there. */
async function pushLocal(name: WalFileName, { range, options, outcome, signal }: Settling): Promise<'archived' | Fault | undefined> {
  try {
    const file = await openLocalWal(`${range.walDirectory}/${name}`)
    const result = await options.archive.push(name, file.open, { size: file.size, signal })
    outcome[result === 'stored' ? 'pushed' : 'present'].push(name)
    return 'archived'
  } catch (error) {
    // The server recycles files it needs no longer, also while they are read: the archive then has it, or nobody has.
    if (!isFault(error, 'invalid')) throw error
    return error.code === 'WAL_FILE_MISSING' ? undefined : error
  }
}

function giveUp(name: WalFileName, { range, options, outcome }: Settling, refused: Fault | undefined): void {
  if (options.whenMissing === 'fail') throw missing(name, range, refused)
  outcome.pending.push(name)
  options.observe({ type: 'warning', message: `${name} is not in the archive yet; the backup cannot be restored until it is` })
}

function missing(name: WalFileName, range: WalRange, refused: Fault | undefined): Fault {
  const place =
    refused === undefined ? `nor in ${range.walDirectory}` : `nor fit to be archived from ${range.walDirectory}: ${refused.message}`
  const hint = range.inRecovery
    ? 'Check that the primary archives to this repository, and let it switch its segment (select pg_switch_wal()). WALTZ_WAL_PENDING=record announces the backup all the same.'
    : "Check the server's log, and that nothing removes files from pg_wal."
  return new Fault('unavailable', 'BACKUP_WAL_MISSING', `${name}, which the backup needs, is neither in the archive ${place}`, {
    hint: refused?.hint ?? hint,
    retryable: false,
    context: { name },
    ...(refused === undefined ? {} : { cause: refused }),
  })
}
