import { Fault, isFault, throwIfAborted } from '@waltz/errors'
import type { ObjectStore } from '@waltz/storage'

/** How objects are taken away. */
export interface RemoveObjectsOptions {
  /** Keys of one call; the store's own batch unless given. */
  readonly batch?: number
  /** When nothing of so many objects in a row could be removed for want of rights, no more are tried; 1000 unless given. */
  readonly giveUpAfter?: number
  readonly signal?: AbortSignal | undefined
  /** Told after every batch. */
  readonly onRemoved?: (objects: number, bytes: number) => void
  /** Told of every single object that stays. */
  readonly onFailure?: (failure: RemovalFailure) => void
}

/** An object that could not be removed, and why. */
export interface RemovalFailure {
  readonly key: string
  readonly fault: Fault
}

/** What became of a number of objects. */
export interface RemovalOutcome {
  readonly removed: number
  readonly bytes: number
  readonly failed: number
  /** Left because so many before them were refused. */
  readonly notTried: number
}

interface Wanted {
  readonly key: string
  readonly size: number
}

const BATCH = 1000

/**
 * Removes objects in batches. A batch of which something is refused is tried again object by object, so that each one that stays is named
 * with its own reason and the others go. An object that is gone already counts as removed.
 * @throws Fault `aborted`; everything else is told of by `onFailure`.
 */
export async function removeObjects(
  store: Pick<ObjectStore, 'delete' | 'capabilities'>,
  objects: AsyncIterable<Wanted> | Iterable<Wanted>,
  options: RemoveObjectsOptions = {},
): Promise<RemovalOutcome> {
  const size = Math.max(1, Math.min(options.batch ?? BATCH, store.capabilities.maxDeleteBatch))
  const sum = { removed: 0, bytes: 0, failed: 0, notTried: 0, refusedInARow: 0 }
  let batch: Wanted[] = []
  for await (const object of objects) {
    if (sum.refusedInARow >= (options.giveUpAfter ?? BATCH)) {
      sum.notTried += 1
      continue
    }
    batch.push(object)
    if (batch.length >= size) await removeBatch(store, batch.splice(0), { options, sum })
  }
  if (batch.length > 0) await removeBatch(store, batch, { options, sum })
  batch = []
  const { removed, bytes, failed, notTried } = sum
  return { removed, bytes, failed, notTried }
}

interface Tally {
  readonly options: RemoveObjectsOptions
  readonly sum: { removed: number; bytes: number; failed: number; refusedInARow: number }
}

async function removeBatch(store: Pick<ObjectStore, 'delete'>, batch: readonly Wanted[], { options, sum }: Tally): Promise<void> {
  const { signal } = options
  const call = signal === undefined ? {} : { signal }
  throwIfAborted(signal)
  const remove = async (some: readonly Wanted[]): Promise<void> => {
    await store.delete(
      some.map(({ key }) => key),
      call,
    )
    const bytes = some.reduce((total, object) => total + object.size, 0)
    sum.removed += some.length
    sum.bytes += bytes
    sum.refusedInARow = 0
    options.onRemoved?.(some.length, bytes)
  }
  try {
    return await remove(batch)
  } catch (error) {
    throwIfAborted(signal)
    if (batch.length === 1) return noteFailure(batch[0] as Wanted, error, { options, sum })
  }
  for (const object of batch) {
    try {
      await remove([object])
    } catch (error) {
      throwIfAborted(signal)
      noteFailure(object, error, { options, sum })
    }
  }
}

function noteFailure({ key }: Wanted, error: unknown, { options, sum }: Tally): void {
  const fault = isFault(error) ? error : unexpected(key, error)
  sum.failed += 1
  // A lock is an object's own affair; a missing right, or a storage that is away, is everybody's.
  const isGeneral = fault.code !== 'STORAGE_RETENTION_LOCKED' && (fault.kind === 'denied' || fault.kind === 'unavailable')
  sum.refusedInARow = isGeneral ? sum.refusedInARow + 1 : 0
  options.onFailure?.({ key, fault })
}

function unexpected(key: string, error: unknown): Fault {
  const message = error instanceof Error ? error.message : String(error)
  return new Fault('internal', 'REMOVAL_FAILED', `${key}: ${message}`, { cause: error, context: { key } })
}
