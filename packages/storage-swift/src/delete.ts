import { throwIfAborted } from '@waltz/errors'
import { checkKey, retried, type CallOptions } from '@waltz/storage'
import { pathOf } from './client.ts'
import { answerFault, type ReadAnswer } from './errors.ts'
import { inLanes } from './lanes.ts'
import { listItems } from './list.ts'
import type { ObjectFacts } from './object-info.ts'
import { checkContainer, type Place } from './place.ts'
import { findFacts } from './read.ts'
import { bufferedBody } from './send-body.ts'

/** Objects of one request, and of one round of looking. */
export const DELETE_BATCH = 1000
/** A server that removes many objects says nothing until it is done. */
const BULK_PATIENCE = 5

/** `ObjectStore.delete`: large objects go with their segments. */
export async function deleteObjects(place: Place, keys: Iterable<string>, options: CallOptions | undefined): Promise<void> {
  throwIfAborted(options?.signal)
  let batch: string[] = []
  for (const key of keys) {
    checkKey(key)
    batch.push(key)
    if (batch.length < DELETE_BATCH) continue
    await deleteBatch(place, batch, options)
    batch = []
  }
  if (batch.length > 0) await deleteBatch(place, batch, options)
}

/** Removes objects of any container that lie in one piece. Missing ones are no error. */
export async function deletePlain(
  place: Place,
  { container, keys }: { readonly container: string; readonly keys: readonly string[] },
  signal: AbortSignal | undefined,
): Promise<void> {
  const batchSize = keys.length > 1 ? await bulkSize(place, signal) : 1
  if (batchSize <= 1) {
    await inLanes(keys, place.concurrency, (key) => deleteOne(place, { container, key }, signal))
    return
  }
  for (let first = 0; first < keys.length; first += batchSize)
    await bulkDelete(place, { container, keys: keys.slice(first, first + batchSize) }, signal)
}

/** Nothing but a look at each tells what lies in segments. */
async function deleteBatch(place: Place, batch: readonly string[], options: CallOptions | undefined): Promise<void> {
  const signal = options?.signal
  const plain: string[] = []
  const large: ObjectFacts[] = []
  let missing = 0
  await inLanes([...new Set(batch)], place.concurrency, async (key) => {
    const facts = await findFacts(place, key, signal)
    if (facts === undefined) missing += 1
    else if (facts.large === undefined) plain.push(key)
    else large.push(facts)
  })
  if (missing > 0) await checkContainer(place, 'delete', signal)
  await deletePlain(place, { container: place.container, keys: plain }, signal)
  for (const facts of large) await (facts.large === 'static' ? deleteStatic(place, facts, signal) : deleteDynamic(place, facts, signal))
}

async function deleteOne(
  place: Place,
  { container, key }: { readonly container: string; readonly key: string },
  signal: AbortSignal | undefined,
): Promise<void> {
  await place.client.call({
    method: 'DELETE',
    path: pathOf(container, key),
    accept: [200, 202, 204, 404],
    doing: `delete ${key}`,
    signal,
  })
}

/** Manifest and segments in one request. */
async function deleteStatic(place: Place, { info: { key } }: ObjectFacts, signal: AbortSignal | undefined): Promise<void> {
  const answer = await place.client.call({
    method: 'DELETE',
    path: pathOf(place.container, key),
    query: { 'multipart-manifest': 'delete' },
    headers: { accept: 'application/json' },
    accept: [200, 204, 404],
    doing: `delete ${key} with its segments`,
    signal,
    patience: BULK_PATIENCE,
  })
  if (answer.status === 200) checkReport(place, answer, `delete ${key} with its segments`)
}

/** The manifest first: what is left when this breaks off is invisible. */
async function deleteDynamic(
  place: Place,
  { info: { key }, dynamicPrefix = '' }: ObjectFacts,
  signal: AbortSignal | undefined,
): Promise<void> {
  const decoded = decodeURIComponent(dynamicPrefix)
  const slash = decoded.indexOf('/')
  await deleteOne(place, { container: place.container, key }, signal)
  const [container, prefix] = [decoded.slice(0, slash), decoded.slice(slash + 1)]
  if (slash <= 0 || prefix === '') return // a manifest over a whole container: not ours to empty
  const segments: string[] = []
  for await (const { item } of listItems(place, { container, prefix, marker: undefined, delimiter: false, signal }))
    if (item.name !== undefined) segments.push(item.name)
  await deletePlain(place, { container, keys: segments }, signal)
}

/** How many keys a bulk request may have; 1 where there are none. */
async function bulkSize(place: Place, signal: AbortSignal | undefined): Promise<number> {
  if (place.bulkDelete === false) return 1
  if (place.bulkDelete === true) return DELETE_BATCH
  const ability = (await place.client.info(signal))?.['bulk_delete'] as { readonly max_deletes_per_request?: unknown } | undefined
  if (ability === undefined) return 1
  const most = ability.max_deletes_per_request
  return typeof most === 'number' && most >= 1 ? Math.min(most, DELETE_BATCH) : DELETE_BATCH
}

async function bulkDelete(
  place: Place,
  { container, keys }: { readonly container: string; readonly keys: readonly string[] },
  signal: AbortSignal | undefined,
): Promise<void> {
  const doing = `delete of ${keys.length} objects`
  const lines = new TextEncoder().encode(keys.map((key) => `${pathOf(container, key)}\n`).join(''))
  await retried(place.retry, { operation: 'delete', key: keys[0] ?? '', signal }, async () => {
    const answer = await place.client.call({
      method: 'POST',
      path: '',
      query: { 'bulk-delete': '' },
      headers: { 'content-type': 'text/plain', accept: 'application/json' },
      body: () => bufferedBody([lines]),
      accept: [200],
      doing,
      signal,
      patience: BULK_PATIENCE,
    })
    checkReport(place, answer, doing)
  })
}

interface BulkReport {
  readonly 'Response Status'?: string
  readonly Errors?: readonly (readonly [name: string, status: string])[]
}

/** Status 200 says only that the work began: what came of it stands in the body. */
function checkReport(place: Place, answer: ReadAnswer, doing: string): void {
  let report: BulkReport = {}
  try {
    report = JSON.parse(answer.text) as BulkReport
  } catch {
    report = { 'Response Status': '502 what came is no report' }
  }
  const statuses = (report.Errors ?? []).map(([, status]) => status)
  // Some errors list a bare word, such as `Not an SLO manifest`.
  const worst = [...statuses.filter((status) => /^[45]\d\d/.test(status)), report['Response Status'] ?? '200'][0] ?? '200'
  const status = Number.parseInt(worst, 10)
  if (status < 300 && statuses.length === 0) return
  const text = `${worst}, ${statuses.length} of them failed`
  throw answerFault(
    { status: status < 300 || Number.isNaN(status) ? 502 : status, headers: answer.headers, text },
    { doing, location: place.location },
    place.now,
  )
}
