import { isFault } from '@waltz/errors'
import { createLease, type Lease } from '@waltz/repository'
import { removalLeaseKey } from '@waltz/repository/removal'
import type { ObjectStore, Sleep } from '@waltz/storage'
import { randomHex } from '../random.ts'
import type { KitSurroundings } from '../surroundings.ts'
import { silentFault } from './survey-repository.ts'

/** Who holds the leases, and where. */
export interface RemovalLeaseOptions {
  readonly storages: readonly { readonly name?: string; readonly store: ObjectStore }[]
  readonly surroundings: Pick<KitSurroundings, 'now' | 'hostname' | 'processId'>
  readonly sleep: Sleep
  readonly signal?: AbortSignal | undefined
}

const LEASE_TTL_MS = 60_000

/**
 * Does something while no deletion is planned and carried out in any of these storages, and no other work of this kind: deletions
 * themselves, and what takes a backup from one storage to another, which a deletion that lists them in turn would see in neither. `work`
 * gets a signal that fires with the caller's, or when a lease is lost.
 * @throws Fault `conflict` `LEASE_HELD` when somebody else is at work; `unavailable` `STORAGE_PARTLY_UNAVAILABLE` when one of several does not answer; those of the stores and of `work`.
 */
export async function withRemovalLeases<Result>(
  { storages, surroundings, sleep, signal }: RemovalLeaseOptions,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const call = signal === undefined ? {} : { signal }
  const held: { readonly lease: Lease; readonly keeping: ReturnType<Lease['keep']> }[] = []
  try {
    for (const { name, store } of storages) {
      const lease = createLease({
        store,
        key: removalLeaseKey,
        id: randomHex(32),
        holder: { host: surroundings.hostname, pid: surroundings.processId },
        now: surroundings.now,
        sleep,
        ttlMs: LEASE_TTL_MS,
      })
      await lease.acquire(call).catch((error: unknown) => {
        const isSilent = storages.length > 1 && isFault(error, 'unavailable')
        throw isSilent ? silentFault(name ?? store.location, error.message) : error
      })
      held.push({ lease, keeping: lease.keep() })
    }
    return await work(AbortSignal.any([...(signal === undefined ? [] : [signal]), ...held.map(({ keeping }) => keeping.lost)]))
  } finally {
    for (const { lease, keeping } of held.toReversed()) {
      await keeping.stop()
      // One that cannot be removed now runs out by itself.
      await lease.release().catch(() => undefined)
    }
  }
}
