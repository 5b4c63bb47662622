import { isFault, throwIfAborted } from '@waltz/errors'
import { checkKey, retried, untilAborted, type CallOptions } from '@waltz/storage'
import { call } from './call.ts'
import { codeOf, refusalFault, statusOf } from './errors.ts'
import { isHidden } from './hidden-keys.ts'
import { withLock } from './lock.ts'
import { bucketParams } from './object-params.ts'
import type { Place } from './place.ts'
import { isVersioned, versionsOf } from './versions.ts'

/** What is to be removed: an object, or one version of it. */
export interface Doomed {
  readonly key: string
  readonly versionId?: string
}

/** Keys deleted one by one are in flight together, so many. */
const LANES = 8

/** `ObjectStore.delete`: in batches; with all versions where the bucket keeps any, unless the options leave them. */
export async function deleteObjects(place: Place, keys: Iterable<string>, options: CallOptions | undefined): Promise<void> {
  throwIfAborted(options?.signal)
  for (const batch of batches(keys, batchSize(place))) {
    for (const key of batch) checkKey(key)
    const wanted = [...new Set(batch)].filter((key) => !isHidden(key))
    if (place.options.leaveMarkers !== true && (await isVersioned(place, options))) await deleteAllVersions(place, wanted, options)
    else
      await deleteDoomed(
        place,
        wanted.map((key) => ({ key })),
        options,
      )
  }
}

/** Removes objects or versions, any number of them. */
export async function deleteDoomed(place: Place, doomed: Iterable<Doomed>, options: CallOptions | undefined): Promise<void> {
  for (const batch of batches(doomed, batchSize(place))) {
    throwIfAborted(options?.signal)
    if (batch.length === 1 || !place.provider.quirks.bulkDelete) await deleteSingly(place, batch, options)
    else await deleteBatch(place, batch, options)
  }
}

/** Where a delete request without an answer can be made again: it does no harm. */
export async function deleteOne(place: Place, { key, versionId }: Doomed, options: CallOptions | undefined): Promise<void> {
  const doing = `delete ${key}`
  try {
    await call(place, { doing, key, options }, ({ send }, sent) =>
      send('DeleteObject', { ...bucketParams(place), Key: key, ...(versionId === undefined ? {} : { VersionId: versionId }) }, sent),
    )
  } catch (error) {
    if (isFault(error, 'not-found')) return // some clones say so; what is gone is gone
    throw await withLock(place, { key, versionId, doing, error }, options)
  }
}

async function deleteAllVersions(place: Place, keys: readonly string[], options: CallOptions | undefined): Promise<void> {
  const doomed: Doomed[] = []
  for await (const { key, versionId } of versionsOf(place, keys, options)) {
    doomed.push({ key, versionId })
    if (doomed.length >= batchSize(place)) await deleteDoomed(place, doomed.splice(0), options)
  }
  await deleteDoomed(place, doomed, options)
}

async function deleteBatch(place: Place, batch: readonly Doomed[], options: CallOptions | undefined): Promise<void> {
  let errors: readonly ObjectError[]
  try {
    const output = await call(place, { doing: `delete ${batch.length} objects`, options }, ({ send }, sent) =>
      send(
        'DeleteObjects',
        {
          ...bucketParams(place),
          Delete: {
            Quiet: true,
            Objects: batch.map(({ key, versionId }) => ({ Key: key, ...(versionId === undefined ? {} : { VersionId: versionId }) })),
          },
        },
        sent,
      ),
    )
    errors = output.Errors ?? []
  } catch (error) {
    if (!isUnsupported(error)) throw error
    place.provider.learned({ bulkDelete: false })
    place.options.onNotice?.({
      code: 'bulk-delete-unsupported',
      message: `${place.location} takes no bulk deletions, so objects are deleted one by one`,
    })
    await deleteSingly(place, batch, options)
    return
  }
  place.known.bucketSeen = true
  await throwWorst(place, { errors, of: batch.length }, options)
}

interface ObjectError {
  readonly Key?: string | undefined
  readonly VersionId?: string | undefined
  readonly Code?: string | undefined
  readonly Message?: string | undefined
}

/** A batch succeeds as a request although objects of it could not be deleted: what cannot be helped by another try counts most. */
async function throwWorst(
  place: Place,
  { errors, of }: { readonly errors: readonly ObjectError[]; readonly of: number },
  options: CallOptions | undefined,
): Promise<void> {
  const refused = errors
    .filter(({ Code = 'UnknownError' }) => !/^NoSuch(Key|Version)$/.test(Code))
    .map(({ Key: key = '', VersionId: versionId, Code = 'UnknownError', Message = '' }) => {
      const doing = `deleting ${key}${errors.length > 1 ? ` and ${errors.length - 1} more of ${of}` : ''}`
      const { location, secrets } = place
      const told = { doing, location, key: undefined, now: place.options.now, secrets }
      return {
        key,
        versionId,
        doing,
        error: refusalFault({ code: Code, status: STATUS_OF[Code] ?? 0, message: Message, headers: {} }, told),
      }
    })
  const worst = refused.find(({ error }) => !error.retryable) ?? refused[0]
  if (worst !== undefined) throw await withLock(place, worst, options)
}

const STATUS_OF: Readonly<Record<string, number>> = { AccessDenied: 403, InternalError: 500, SlowDown: 503, MethodNotAllowed: 405 }

function isUnsupported(error: unknown): boolean {
  const code = codeOf(error) ?? ''
  return (
    statusOf(error) === 501 ||
    statusOf(error) === 405 ||
    /^(NotImplemented|MethodNotAllowed|UnsupportedOperation|MalformedPOSTRequest)$/.test(code)
  )
}

async function deleteSingly(place: Place, doomed: readonly Doomed[], options: CallOptions | undefined): Promise<void> {
  const rest = doomed.values()
  const lane = async (): Promise<void> => {
    for (const item of rest) {
      throwIfAborted(options?.signal)
      const attempted = { operation: 'delete', key: item.key, signal: options?.signal }
      await retried(place.options.retry, attempted, () => deleteOne(place, item, options))
    }
  }
  const lanes = await Promise.allSettled(Array.from({ length: Math.min(LANES, doomed.length) }, lane))
  const failed = lanes.find((outcome) => outcome.status === 'rejected')
  if (failed !== undefined) throw failed.reason
  await untilAborted(Promise.resolve(), options?.signal)
}

/** Keys of one bulk deletion. */
export function batchSize({ options, provider }: Pick<Place, 'options' | 'provider'>): number {
  const wanted = options.deleteBatch ?? 1000
  return Math.min(wanted <= 0 ? 1000 : wanted, provider.quirks.maxDeleteBatch, 1000)
}

function* batches<T>(items: Iterable<T>, size: number): Generator<readonly T[]> {
  let batch: T[] = []
  for (const item of items) {
    batch.push(item)
    if (batch.length < size) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}
