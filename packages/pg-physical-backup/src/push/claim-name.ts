import { backupFolder, createLease, leaseKey, sentinelKey } from '@waltz/repository'
import { Fault, isFault, throwIfAborted } from '@waltz/errors'
import type { PushSurroundings } from './push-backup-options.ts'

/** How long a lease lives without being renewed, in milliseconds. */
const LEASE_MS = 5 * 60_000
const DELETE_BATCH = 1000

/** A backup name that belongs to this attempt alone. */
export interface NameClaim extends AsyncDisposable {
  /** Fires with the fault when the claim is lost. */
  readonly lost: AbortSignal
  /** Asks the store whether the name still is this attempt's. Rejects with `conflict` `LEASE_LOST` or `BACKUP_NAME_TAKEN` when it is not. */
  confirm(signal?: AbortSignal): Promise<void>
  /** Removes what this attempt stored, after `confirm`: what another attempt has under the name by now is never touched. */
  discard(): Promise<void>
}

/**
 * Claims a backup's name: takes the lease, makes sure that no finished backup has the name, and removes what a dead attempt left under it.
 * @throws Fault `conflict` `BACKUP_NAME_TAKEN` for a finished backup; `conflict` `LEASE_HELD` for one that is being made.
 */
export async function claimName(name: string, around: PushSurroundings, signal: AbortSignal): Promise<NameClaim> {
  const { store } = around
  await refuseFinished(name, around, signal)
  const lease = createLease({
    store,
    key: leaseKey(name),
    id: around.randomHex(32),
    holder: { host: around.hostname, pid: around.processId },
    ttlMs: LEASE_MS,
    now: around.now,
    sleep: around.sleep,
  })
  const release = async (): Promise<void> => {
    await lease.release().catch((error: unknown) => {
      around.observe({ type: 'warning', message: `the lease of ${name} stays behind: ${(error as Error).message}` })
    })
  }
  try {
    await lease.acquire({ signal })
    await refuseFinished(name, around, signal)
    await removeBelow(name, around, signal)
  } catch (error) {
    // Also when taking the lease failed: its answer may have been lost. One that is somebody else's is left alone.
    if (!isFault(error, 'conflict') || error.code !== 'LEASE_HELD') await release()
    throw error
  }
  const keeping = lease.keep()
  const confirm = async (current?: AbortSignal): Promise<void> => {
    throwIfAborted(keeping.lost)
    await lease.renew(current === undefined ? {} : { signal: current })
    await refuseFinished(name, around, current)
  }
  return {
    lost: keeping.lost,
    confirm,
    async discard() {
      await confirm()
      await removeBelow(name, around, keeping.lost)
    },
    async [Symbol.asyncDispose]() {
      await keeping.stop()
      await release()
    },
  }
}

async function refuseFinished(name: string, around: PushSurroundings, signal?: AbortSignal): Promise<void> {
  try {
    await around.store.head(sentinelKey(name), signal === undefined ? {} : { signal })
  } catch (error) {
    if (isFault(error, 'not-found')) return
    throw error
  }
  throw new Fault(
    'conflict',
    'BACKUP_NAME_TAKEN',
    `there is a backup ${name} already; it starts in the same WAL segment as this one would`,
    {
      hint: 'On a standby, wait for its next restartpoint: run CHECKPOINT on the primary, then the backup again.',
      context: { backup: name },
    },
  )
}

/** Removes everything in the backup's folder but the lease. */
async function removeBelow(name: string, around: PushSurroundings, signal?: AbortSignal): Promise<void> {
  const call = signal === undefined ? {} : { signal }
  let keys: string[] = []
  const flush = async (): Promise<void> => {
    if (keys.length > 0) await around.store.delete(keys, call)
    keys = []
  }
  for await (const { key } of around.store.list(backupFolder(name), call)) {
    if (key !== leaseKey(name) && keys.push(key) >= DELETE_BATCH) await flush()
  }
  await flush()
}
