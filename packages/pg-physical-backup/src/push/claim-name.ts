import { backupFolder, createLease, leaseKey, sentinelKey, type Lease } from '@waltz/repository'
import { Fault, isFault } from '@waltz/errors'
import type { PushSurroundings } from './push-backup-options.ts'

/** How long a lease lives without being renewed, in milliseconds. */
const LEASE_MS = 5 * 60_000

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
    owner: { id: around.randomHex(32), host: around.hostname, process: around.processId },
    ttlMs: LEASE_MS,
    now: around.now,
    sleep: around.sleep,
  })
  await lease.acquire({ signal })
  const ended = new AbortController()
  const lost = new AbortController()
  try {
    await refuseFinished(name, around, signal)
    await removeBelow(name, around, { keepLease: true, signal })
  } catch (error) {
    await lease.release().catch(() => undefined)
    throw error
  }
  const renewing = renew(lease, around, { ended: ended.signal, lost })
  return {
    lost: lost.signal,
    discard: () => removeBelow(name, around, { keepLease: true }),
    async [Symbol.asyncDispose]() {
      ended.abort()
      await renewing
      await lease.release().catch((error: unknown) => around.observe({ type: 'warning', message: `the lease of ${name} stays behind: ${(error as Error).message}` }))
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

async function removeBelow(name: string, around: PushSurroundings, options: { keepLease: boolean; signal?: AbortSignal }): Promise<void> {
  const call = options.signal === undefined ? {} : { signal: options.signal }
  let keys: string[] = []
  const flush = async (): Promise<void> => {
    if (keys.length > 0) await around.store.delete(keys, call)
    keys = []
  }
  for await (const { key } of around.store.list(backupFolder(name), call)) {
    if (key === leaseKey(name) && options.keepLease) continue
    if (keys.push(key) >= 1000) await flush()
  }
  await flush()
}

async function renew(lease: Lease, around: PushSurroundings, signals: { ended: AbortSignal; lost: AbortController }): Promise<void> {
  while (!signals.ended.aborted) {
    await around.sleep(LEASE_MS / 5, signals.ended).catch(() => undefined)
    if (signals.ended.aborted) return
    try {
      await lease.renew()
    } catch (error) {
      // An unreachable store is no loss yet: the next renewal may succeed before the lease runs out.
      if (isFault(error) && error.retryable) continue
      signals.lost.abort(error)
      return
    }
  }
}
