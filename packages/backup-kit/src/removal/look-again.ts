import { Fault, isFault, throwIfAborted } from '@waltz/errors'
import { backupsFolder, createBackupCatalog, leaseKey, parseBackupName, readLease } from '@waltz/repository'
import { removalLeaseKey } from '@waltz/repository/removal'
import type { CatalogueEntry } from '../catalogue/catalogue-entry.ts'
import type { RemovalPlan } from './removal-plan.ts'
import type { RemovalStorage } from './removal-storage.ts'
import { mayBePermanent } from './retainable-backups.ts'

const AT_ONCE = 8

/**
 * Looks once more, right before the first object goes, at what may have changed while the archive was listed, which takes minutes: marks of
 * backups that go, unfinished ones that are begun again, and what was begun since and is made from what goes.
 * @throws Fault `conflict` `REMOVAL_OVERTAKEN`. Nothing was deleted.
 */
export async function lookAgain(plan: RemovalPlan, storages: readonly RemovalStorage[], signal: AbortSignal): Promise<void> {
  for (const storage of storages) {
    const own = plan.decisions.filter(({ entry }) => entry.storage === storage.name)
    const gone = own.flatMap(({ keep, entry }) => (keep ? [] : [entry]))
    for (const entry of gone) if (entry.sentinel === undefined) await requireAbandoned(storage, entry, signal)
    const going = gone.filter(({ sentinel }) => sentinel !== undefined)
    if (going.length === 0) continue
    await findNewIncrement(storage, { known: new Set(own.map(({ entry }) => entry.name)), going }, signal)
    const waiting = going.values()
    const lane = async (): Promise<void> => {
      for (const entry of waiting) await requireSameMark(storage, entry, signal)
    }
    await Promise.all(Array.from({ length: AT_ONCE }, lane))
  }
}

/** A standby that stood still gives the next attempt the same name: it takes the lease before it stores anything. */
async function requireAbandoned({ name, store }: RemovalStorage, entry: CatalogueEntry, signal: AbortSignal): Promise<void> {
  const lease = await readLease(store, leaseKey(entry.name), { signal })
  // Some listings have milliseconds where objects have seconds.
  if (lease === undefined || lease.modifiedAt.getTime() <= (entry.folder?.newestAt?.getTime() ?? 0) + 1000) return
  throw overtakenFault(`${entry.name} is being written again in the storage ${name}`)
}

/** What is new says what it is made from by its name alone. */
async function findNewIncrement(
  { name, store }: RemovalStorage,
  { known, going }: { readonly known: ReadonlySet<string>; readonly going: readonly CatalogueEntry[] },
  signal: AbortSignal,
): Promise<void> {
  const segments = new Map(going.map((entry) => [entry.walFileName, entry.name]))
  for await (const group of store.listGroups(backupsFolder, { signal })) {
    const backup = group.slice(backupsFolder.length, -1)
    const parent = segments.get(parseBackupName(backup)?.parentSegment ?? '')
    if (parent === undefined || known.has(backup)) continue
    throw overtakenFault(`${backup} was begun in the storage ${name}, and may be made from ${parent}, which would be deleted`)
  }
}

async function requireSameMark({ name, store }: RemovalStorage, entry: CatalogueEntry, signal: AbortSignal): Promise<void> {
  throwIfAborted(signal)
  // Whoever deletes it all the same knows already.
  if (mayBePermanent(entry)) return
  try {
    const { permanent } = await createBackupCatalog(store).readMetadata(entry.name, { signal })
    if (!permanent) return
  } catch (error) {
    if (!isFault(error, 'not-found')) throw error
    return
  }
  throw overtakenFault(`${entry.name} was marked as permanent in the storage ${name}`)
}

function overtakenFault(message: string): Fault {
  return new Fault('conflict', 'REMOVAL_OVERTAKEN', `${message}, while the deletion was planned`, {
    hint: 'nothing was deleted; look at a new plan',
  })
}

/** As for leases of backups: two clocks may differ by so much. */
const CLOCK_MARGIN_MS = 3_600_000

/**
 * Makes sure that nothing looks older than it is, by the lease that was stored a moment ago: what is being written would count as left.
 * @throws Fault `conflict` `REMOVAL_CLOCK_WRONG` when this machine's clock is far ahead of a storage's.
 */
export async function requireClock(storages: readonly RemovalStorage[], now: () => Date, signal: AbortSignal): Promise<void> {
  for (const { name, store } of storages) {
    const { modifiedAt } = await store.head(removalLeaseKey, { signal })
    const aheadMs = now().getTime() - modifiedAt.getTime()
    if (aheadMs <= CLOCK_MARGIN_MS) continue
    throw new Fault(
      'conflict',
      'REMOVAL_CLOCK_WRONG',
      `this machine's clock says ${now().toISOString()}, that of the storage ${name} ${modifiedAt.toISOString()}: backups would count as older than they are`,
      { hint: 'set the clock that is wrong; nothing was deleted', context: { storage: name } },
    )
  }
}
