import { Fault } from '@waltz/errors'
import type { ByteSource } from '@waltz/bytes'
import { compareKeys } from './key.ts'
import { createListing, pagesOf } from './listing.ts'
import type { CallOptions, ListOptions, ObjectInfo, ObjectStore } from './object-store.ts'
import { resumingBody } from './resuming-body.ts'
import { retried, startAttempts, type AttemptedCall, type Attempts, type RetryPolicy } from './retry-policy.ts'

/**
 * Makes calls again when they fail with a retryable fault, after growing, jittered waits.
 *
 * - A body that breaks off is continued with a ranged read, as long as the object is still the same.
 * - A listing continues after the last key that it gave.
 * - A put is made again only while its body was not touched: bytes once pulled cannot be had again. Callers that can
 *   produce the body anew retry at their own level; they see the store's own fault, still marked retryable.
 * - A fault that persists has `retryable` false and `context.attempts`.
 *
 * @throws Fault `invalid` `STORAGE_WRAPPER_INVALID` for a policy without attempts or with negative waits.
 */
export function withRetry(store: ObjectStore, policy: RetryPolicy): ObjectStore {
  checkPolicy(policy)
  const call = (operation: string, key: string, options: CallOptions | undefined): AttemptedCall => ({
    operation,
    key,
    signal: options?.signal,
  })
  return {
    capabilities: store.capabilities,
    location: store.location,
    head: (key, options) => retried(policy, call('head', key, options), () => store.head(key, options)),
    async get(key, options) {
      const reading = call('get', key, options)
      const body = await retried(policy, reading, () => store.get(key, options))
      if (!store.capabilities.rangedGet) return body
      return resumingBody({
        body,
        range: options?.range,
        attempts: startAttempts(policy, reading),
        reopen: (range) => store.get(key, { ...options, range }),
      })
    },
    put: (key, body, options) =>
      retryingPut(body, startAttempts(policy, call('put', key, options)), (source) => store.put(key, source, options)),
    async delete(keys, options) {
      for (const batch of batches(keys, Math.max(1, store.capabilities.maxDeleteBatch))) {
        await retried(policy, call('delete', batch[0] ?? '', options), () => store.delete(batch, options))
      }
    },
    list: (prefix, options) =>
      createListing(() => resumingList(store, prefix, options, startAttempts(policy, call('list', prefix, options))), options),
    listGroups: (prefix, options) => resumingGroups(store, prefix, options, startAttempts(policy, call('listGroups', prefix, options))),
    copy: (from, to, options) => retried(policy, call('copy', to, options), () => store.copy(from, to, options)),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}

/** Makes the put again as long as nobody pulled from its body. */
async function retryingPut(body: ByteSource, attempts: Attempts, put: (source: ByteSource) => Promise<ObjectInfo>): Promise<ObjectInfo> {
  const source = replayableUntilTouched(body)
  for (;;) {
    try {
      return await put(source.body)
    } catch (error) {
      if (source.touched()) throw error
      await attempts.failed(error).catch(async (persistent: unknown) => {
        await source.close()
        throw persistent
      })
    }
  }
}

async function* resumingList(
  store: ObjectStore,
  prefix: string,
  options: ListOptions | undefined,
  attempts: Attempts,
): AsyncGenerator<readonly ObjectInfo[]> {
  let after = options?.after
  for (;;) {
    try {
      for await (const page of pagesOf(store.list(prefix, after === undefined ? options : { ...options, after }))) {
        after = page.at(-1)?.key ?? after
        attempts.progressed()
        yield page
      }
      return
    } catch (error) {
      await attempts.failed(error)
    }
  }
}

/** A listing of groups cannot be resumed by the store, so what was given already is passed over. */
async function* resumingGroups(
  store: ObjectStore,
  prefix: string,
  options: CallOptions | undefined,
  attempts: Attempts,
): AsyncGenerator<string> {
  let last: string | undefined
  for (;;) {
    try {
      for await (const group of store.listGroups(prefix, options)) {
        if (last !== undefined && compareKeys(group, last) <= 0) continue
        last = group
        attempts.progressed()
        yield group
      }
      return
    } catch (error) {
      await attempts.failed(error)
    }
  }
}

interface Replayable {
  readonly body: ByteSource
  /** Whether a byte was asked for; from then on the store below owns the source and closes it. */
  readonly touched: () => boolean
  readonly close: () => Promise<void>
}

/** Hides a store's early `return()` from a source that was never pulled: a finished generator would look empty next time. */
function replayableUntilTouched(body: ByteSource): Replayable {
  let iterator: AsyncIterator<Uint8Array> | undefined
  const inner = (): AsyncIterator<Uint8Array> => (iterator ??= body[Symbol.asyncIterator]())
  const close = async (): Promise<void> => {
    await inner()
      .return?.()
      .catch(() => undefined)
  }
  return {
    touched: () => iterator !== undefined,
    close,
    body: {
      [Symbol.asyncIterator]: () => ({
        next: () => inner().next(),
        async return() {
          if (iterator !== undefined) await iterator.return?.()
          return { done: true, value: undefined }
        },
      }),
    },
  }
}

function* batches(keys: Iterable<string>, size: number): Generator<readonly string[]> {
  let batch: string[] = []
  for (const key of keys) {
    batch.push(key)
    if (batch.length < size) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

function checkPolicy({ maxAttempts, baseDelayMs, maxDelayMs }: RetryPolicy): void {
  const sound = Number.isInteger(maxAttempts) && maxAttempts >= 1 && baseDelayMs >= 0 && maxDelayMs >= 0
  if (!sound) {
    throw new Fault(
      'invalid',
      'STORAGE_WRAPPER_INVALID',
      `a retry policy cannot have ${maxAttempts} attempts and waits from ${baseDelayMs} to ${maxDelayMs} ms`,
    )
  }
}
