import { backupFolder, createLease, leaseKey, sentinelKey } from '@waltz/repository'
import { Fault, isFault } from '@waltz/errors'
import type { PushSurroundings } from './push-backup-options.ts'

/** How long a lease lives without being renewed, in milliseconds. */
const LEASE_MS = 5 * 60_000
const DELETE_BATCH = 1000

/** A backup name that belongs to this attempt alone. */
export interface NameClaim extends AsyncDisposable {
  /** Fires with the fault when the claim is lost. */
  readonly lost: AbortSignal
  /** Removes what this attempt stored. */
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
  await lease.acquire({ signal })
  try {
    await refuseFinished(name, around, signal)
    await removeBelow(name, around, signal)
  } catch (error) {
    await lease.release().catch(() => undefined)
    throw error
  }
  const keeping = lease.keep()
  return {
    lost: keeping.lost,
    discard: () => removeBelow(name, around),
    async [Symbol.asyncDispose]() {
      await keeping.stop()
      await lease.release().catch((error: unknown) => {
        around.observe({ type: 'warning', message: `the lease of ${name} stays behind: ${(error as Error).message}` })
      })
    },
  }
}

async function refuseFinished(name: string, around: PushSurroundings, signal: AbortSignal): Promise<void> {
  try {
    await around.store.head(sentinelKey(name), { signal })
  } catch (error) {
    if (isFault(error, 'not-found')) return
    throw error
  }
  throw new Fault('conflict', 'BACKUP_NAME_TAKEN', `there is a backup ${name} already; it starts in the same WAL segment as this one would`, {
    hint: 'On a standby, wait for its next restartpoint: run CHECKPOINT on the primary, then the backup again.',
    context: { backup: name },
  })
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
