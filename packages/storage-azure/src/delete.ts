import { isFault, throwIfAborted, type Fault } from '@waltz/errors'
import type { CallOptions } from '@waltz/storage'
import { azureCode } from './errors.ts'
import { listBlobs } from './list.ts'
import { withLock } from './lock.ts'
import { checkName } from './names.ts'
import { attempt, type Place } from './place.ts'

/** Requests at the same time; the batches of the API hold as many requests, each of them counted and limited like a single one. */
const LANES = 16

/** `ObjectStore.delete`: each blob with its snapshots and, unless told otherwise, its versions. */
export async function deleteObjects(place: Place, keys: Iterable<string>, options: CallOptions | undefined): Promise<void> {
  throwIfAborted(options?.signal)
  const unsure: string[] = []
  await inLanes(keys, options, async (key) => {
    checkName(key)
    const existed = await deleteBlob(place, key, options)
    if (place.options.removeVersions === false || place.versioned === false) return
    // An account that keeps versions has at least one of what was just deleted; the first deletion shows it for all.
    if (existed || place.versioned === true) await deleteVersions(place, { key, existed }, options)
    else unsure.push(key)
  })
  if (place.versioned === true) await inLanes(unsure, options, (key) => deleteVersions(place, { key, existed: false }, options))
}

/** Takes items one by one in several lanes. The first failure stops all of them, and all have ended when this rejects. */
export async function inLanes<T>(items: Iterable<T>, options: CallOptions | undefined, run: (item: T) => Promise<void>): Promise<void> {
  const iterator = items[Symbol.iterator]()
  const failures: unknown[] = []
  const lane = async (): Promise<void> => {
    for (let step = iterator.next(); step.done !== true && failures.length === 0; step = iterator.next()) {
      throwIfAborted(options?.signal)
      await run(step.value)
    }
  }
  await Promise.all(Array.from({ length: LANES }, () => lane().catch((error: unknown) => void failures.push(error))))
  iterator.return?.()
  if (failures.length > 0) throw failures[0]
  throwIfAborted(options?.signal)
}

async function deleteVersions(
  place: Place,
  { key, existed }: { readonly key: string; readonly existed: boolean },
  options: CallOptions | undefined,
): Promise<void> {
  const versions = await versionsOf(place, key, options)
  if (existed) place.versioned ??= versions.length > 0
  for (const versionId of versions) await deleteVersion(place, { key, versionId }, options)
}

/** False when there was no such blob. */
export async function deleteBlob(place: Place, key: string, options: CallOptions | undefined, ifMatch?: string): Promise<boolean> {
  const doing = `deletion of ${key}`
  try {
    await attempt(place, { doing, key }, options, (container, abortSignal) =>
      container
        .getBlobClient(key)
        .delete({ abortSignal, deleteSnapshots: 'include', ...(ifMatch === undefined ? {} : { conditions: { ifMatch } }) }),
    )
    return true
  } catch (error) {
    if (isFault(error, 'not-found')) return false
    throw await withLock(place, { key, doing, error }, options)
  }
}

/** Removes one version for good; the current one becomes an old one first, because only those can be removed. */
export async function deleteVersion(
  place: Place,
  version: { readonly key: string; readonly versionId: string },
  options: CallOptions | undefined,
): Promise<void> {
  const { key, versionId } = version
  const doing = `deletion of version ${versionId} of ${key}`
  const remove = (): Promise<void> =>
    attempt(place, { doing, key }, options, async (container, abortSignal) => {
      try {
        await container.getBlobClient(key).withVersion(versionId).delete({ abortSignal })
      } catch (error) {
        if (azureCode(error) !== 'OperationNotAllowedOnRootBlob') throw error
        await container.getBlobClient(key).delete({ abortSignal, deleteSnapshots: 'include' })
        await container.getBlobClient(key).withVersion(versionId).delete({ abortSignal })
      }
    })
  await remove().catch(async (error: unknown) => {
    if (!isFault(error, 'not-found')) throw await withLock(place, { key, versionId, doing, error }, options)
  })
}

async function versionsOf(place: Place, key: string, options: CallOptions | undefined): Promise<readonly string[]> {
  const ids: string[] = []
  try {
    for await (const { name, versionId } of listBlobs(place, key, options, { includeVersions: true })) {
      if (name === key && versionId !== undefined) ids.push(versionId)
      // Longer names follow, and there may be many.
      else if (name !== key) break
    }
  } catch (error) {
    // Accounts with a hierarchical namespace keep no versions and say so.
    if (isFault(error) && isWithoutVersions(error)) return []
    throw error
  }
  return ids
}

function isWithoutVersions({ message }: Fault): boolean {
  return /HierarchicalNamespace|VersioningNot|FeatureVersionMismatch/i.test(message)
}
