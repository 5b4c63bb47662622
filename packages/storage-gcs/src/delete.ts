import { isFault, throwIfAborted } from '@waltz/errors'
import { checkKey } from '@waltz/storage'
import type { Bucket } from './bucket.ts'
import { listPages } from './list.ts'
import { refusePieceKey } from './resource.ts'
import { withinTime } from './time-limit.ts'

/** Deletes in flight unless given. */
const DEFAULT_CONCURRENCY = 16

/** Whether the bucket keeps old versions, once that was seen. */
export interface VersionsSeen {
  kept: boolean | undefined
}

interface Deleting {
  readonly signal?: AbortSignal | undefined
  readonly seen: VersionsSeen
}

/** `ObjectStore.delete`: one request for each key, several in flight. */
export async function deleteObjects(bucket: Bucket, keys: Iterable<string>, { signal, seen }: Deleting): Promise<void> {
  throwIfAborted(signal)
  const remove = async (key: string, stop: AbortSignal | undefined): Promise<void> => {
    checkKey(key)
    refusePieceKey(bucket, key)
    await deleteKey(bucket, key, { signal: stop, seen })
  }
  const doing = 'delete'
  await withinTime(bucket, { doing, signal }, (stop) =>
    inLanes(keys, { bucket, signal: stop, remove, alone: () => mustLook(bucket, seen) }),
  )
}

interface Lanes<T> {
  readonly bucket: Bucket
  readonly signal: AbortSignal | undefined
  readonly remove: (item: T, signal: AbortSignal | undefined) => Promise<void>
  /** While true, one at a time: what the first shows saves requests for all others. */
  readonly alone?: () => boolean
}

/** Removes every item, several at a time. The first failure ends all. */
async function inLanes<T>(items: Iterable<T>, { bucket, signal, remove, alone = () => false }: Lanes<T>): Promise<void> {
  const failed = new AbortController()
  const waiting = untilFailed(items, failed.signal)
  for (let ready = !alone(); !ready; ready = !alone()) {
    const step = waiting.next()
    if (step.done === true) return
    await remove(step.value, signal)
  }
  const lane = async (): Promise<void> => {
    for (let step = waiting.next(); step.done !== true; step = waiting.next()) {
      throwIfAborted(signal)
      await remove(step.value, signal)
    }
  }
  const lanes = Array.from({ length: bucket.options.deleteConcurrency ?? DEFAULT_CONCURRENCY }, () =>
    lane().catch((error: unknown) => {
      failed.abort()
      throw error
    }),
  )
  for (const outcome of await Promise.allSettled(lanes)) if (outcome.status === 'rejected') throw outcome.reason
}

function* untilFailed<T>(items: Iterable<T>, failed: AbortSignal): Generator<T, void, undefined> {
  for (const item of items) {
    if (failed.aborted) return
    yield item
  }
}

function mustLook({ options }: Bucket, seen: VersionsSeen): boolean {
  return options.keepVersions !== true && seen.kept === undefined
}

/** Deletes an object, and its old versions where the bucket keeps them: found out once, by the first object that was there. */
async function deleteKey(bucket: Bucket, key: string, { signal, seen }: Deleting): Promise<void> {
  const existed = await deleteGeneration(bucket, { key }, signal)
  if (bucket.options.keepVersions === true || seen.kept === false) return
  let found = false
  for (const generation of await oldGenerations(bucket, key, signal)) {
    found = true
    await deleteGeneration(bucket, { key, generation }, signal)
  }
  if (found) seen.kept = true
  else if (existed && seen.kept === undefined) seen.kept = false
}

async function oldGenerations(bucket: Bucket, key: string, signal: AbortSignal | undefined): Promise<readonly string[]> {
  const found: string[] = []
  const fields = 'items(name,size,generation,updated,timeDeleted),nextPageToken'
  for await (const { objects } of listPages(bucket, { prefix: key, versions: true, fields, signal })) {
    for (const { name, generation, deletedAt } of objects) {
      if (name !== key) return found // in the order of names: there are no more of this one
      if (deletedAt !== undefined) found.push(generation)
    }
  }
  return found
}

/** One version of an object. */
export interface Generation {
  readonly key: string
  /** The current one unless given. */
  readonly generation?: string
  /** Deletes nothing unless the current one is this. */
  readonly ifGeneration?: string
}

/** Deletes one object or one version of it; whether it was there. */
export async function deleteGeneration(
  bucket: Bucket,
  { key, generation, ifGeneration }: Generation,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  try {
    const engine = await bucket.open(signal)
    return await engine.remove({ key, generation, ifGeneration, doing: `delete of ${key}`, signal })
  } catch (error) {
    if (isFault(error, 'not-found')) return false
    throw error
  }
}

/** Deletes single versions, several at a time. */
export async function deleteGenerations(bucket: Bucket, versions: Iterable<Generation>, signal: AbortSignal | undefined): Promise<void> {
  const remove = async (version: Generation, stop: AbortSignal | undefined): Promise<void> => {
    await deleteGeneration(bucket, version, stop)
  }
  await withinTime(bucket, { doing: 'delete', signal }, (stop) => inLanes(versions, { bucket, signal: stop, remove }))
}
