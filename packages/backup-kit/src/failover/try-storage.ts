import { CHUNK_BYTES, type ByteSource } from '@waltz/bytes'
import { isFault } from '@waltz/errors'
import type { ObjectStore } from '@waltz/storage'
import { briefly } from './briefly.ts'

/** The object that trials of writing leave for a moment; readers never look for it (RF 10.2). */
export const TRIAL_KEY = 'wal-g_storage_check'

/** What a trial found. `why` says it when the storage is not alive, `leftover` when its object could not be removed. */
export interface TrialResult {
  readonly alive: boolean
  readonly why?: string
  readonly leftover?: string
}

/** What is tried, and how long at most. */
export interface TrialOptions {
  readonly purpose: 'read' | 'write'
  /** Size of the object that is written. */
  readonly bytes: number
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/**
 * Finds out whether a storage answers: lists its root, and for writing stores an object and removes it again. An object that cannot be
 * removed makes a storage no less alive: keys that may not delete are a good habit.
 * @throws the signal's fault; nothing else.
 */
export async function tryStorage(store: ObjectStore, { purpose, bytes, timeoutMs, signal }: TrialOptions): Promise<TrialResult> {
  try {
    return await briefly(timeoutMs, signal, (both) => ask(store, purpose, { bytes, signal: both }))
  } catch (error) {
    if (signal?.aborted === true) throw error
    return { alive: false, why: isFault(error) ? error.message : 'it failed in an unknown way' }
  }
}

async function ask(
  store: ObjectStore,
  purpose: TrialOptions['purpose'],
  { bytes, signal }: { readonly bytes: number; readonly signal: AbortSignal | undefined },
): Promise<TrialResult> {
  const call = signal === undefined ? {} : { signal }
  for await (const _ of store.list('', { ...call, oneLevel: true })) break
  if (purpose === 'read') return { alive: true }
  await store.put(TRIAL_KEY, noise(bytes), { ...call, size: bytes })
  try {
    await store.delete([TRIAL_KEY], call)
    return { alive: true }
  } catch (error) {
    return { alive: true, leftover: isFault(error) ? error.message : 'unknown reason' }
  }
}

/** Bytes that do not compress, so that a storage that does cannot cheat; nothing depends on them. */
async function* noise(bytes: number): ByteSource & AsyncGenerator<Uint8Array> {
  let word = 0x9e3779b9
  for (let left = bytes; left > 0;) {
    const chunk = new Uint8Array(Math.min(left, CHUNK_BYTES))
    for (let at = 0; at < chunk.length; at += 1) {
      word ^= word << 13
      word ^= word >>> 17
      word ^= word << 5
      chunk[at] = word
    }
    left -= chunk.length
    yield chunk
  }
}
