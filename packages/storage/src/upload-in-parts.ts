import { abortedFault, Fault, throwIfAborted } from '@waltz/errors'
import { createBlockPool, giveBack, type ByteSource } from '@waltz/bytes'
import type { ByteBudget, GrantedBytes } from './byte-budget.ts'
import type { ObjectInfo, PutOptions } from './object-store.ts'
import { createPartReader, type PartReader } from './part-reader.ts'
import { openPutBody } from './put-body.ts'
import { createRemovals, type Leftover, type Removals } from './removals.ts'
import { startAttempts, type RetryPolicy } from './retry-policy.ts'

/** One request of an upload. */
export interface UploadCall {
  readonly key: string
  /** 1 for the first try. From 2 on, an earlier try may have reached the store although its answer did not arrive. */
  readonly attempt: number
  readonly options: PutOptions | undefined
  /** The caller's signal, or that of the whole upload once another part has failed. */
  readonly signal: AbortSignal
}

/**
 * What a store supplies to take objects in parts. Every method makes one attempt; being called again with the same arguments must
 * do no harm: `complete` and `putWhole` find out whether an earlier attempt has succeeded.
 */
export interface MultipartTarget<Upload, Part> {
  /** The size of every part but the last. */
  readonly partBytes: number
  readonly maxParts: number
  /** Parts of one object in flight. */
  readonly concurrency: number
  /** Stores an object of at most `partBytes` bytes in one request. */
  putWhole(body: Uint8Array, call: UploadCall): Promise<ObjectInfo>
  begin(call: UploadCall): Promise<Upload>
  /** `index` counts from 0. */
  putPart(upload: Upload, part: { readonly index: number; readonly body: Uint8Array }, call: UploadCall): Promise<Part>
  /** Makes the object visible. `parts` are in order; there are at least two unless the store has no other way. */
  complete(upload: Upload, parts: readonly Part[], call: UploadCall): Promise<ObjectInfo>
  /** Removes what was stored of an upload that will not be completed. Failures are told as `onLeftover`. */
  abort(upload: Upload, call: Omit<UploadCall, 'signal'>): Promise<void>
}

/** What all uploads of a store share. */
export interface UploadSurroundings {
  readonly budget: ByteBudget
  readonly retry: RetryPolicy
  /** Told when the parts of a failed upload could not be removed. */
  readonly onLeftover?: (leftover: Leftover) => void
}

/** Uploads for one store; keeps a few blocks for the next upload. */
export interface PartUploader {
  /**
   * Stores `body` under `key`, whole when it fits in one part, otherwise in parts of which several are in flight. Parts are held in
   * memory until they are stored, so each is retried by itself; never more of them than `concurrency`, nor more bytes than the
   * budget. What failed or was aborted leaves nothing visible, and its parts are removed: before this rejects, except that an aborted
   * upload waits only a moment for that.
   * @throws Fault of the target; of the body, unchanged; `aborted`; `invalid` `STORAGE_SIZE_MISMATCH`, `STORAGE_OBJECT_TOO_LARGE`.
   */
  upload(key: string, body: ByteSource, options?: PutOptions): Promise<ObjectInfo>
  /** Waits for removals that outlived their uploads, a second at most; `onLeftover` is told of the others. For the end of a store. */
  close(): Promise<void>
}

/** How long an upload that was aborted waits for its parts to go: enough where the store answers. */
const ABORTED_REMOVAL_MS = 100

/** A part at hand. */
interface FilledPart {
  readonly bytes: Uint8Array
  /** The lent block that holds `bytes`. */
  readonly block: Uint8Array
  readonly grant: GrantedBytes
}

/** Joins a multipart target with the machinery that is the same for all stores. */
export function createPartUploader<Upload, Part>(target: MultipartTarget<Upload, Part>, around: UploadSurroundings): PartUploader {
  const pool = createBlockPool(target.partBytes, { maxSpare: target.concurrency + 1 })
  const removals = createRemovals({ sleep: around.retry.sleep, onLeftover: around.onLeftover })
  return {
    close: () => removals.close(),
    async upload(key, body, options) {
      const controller = new AbortController()
      // With the signal of the whole upload: when a part fails, a source that hangs must not hold it up.
      const source = openPutBody(key, body, { ...options, signal: controller.signal })
      const onAbort = (): void => controller.abort(abortedFault(options?.signal as AbortSignal))
      options?.signal?.addEventListener('abort', onAbort, { once: true })
      try {
        if (options?.signal?.aborted === true) onAbort()
        throwIfAborted(controller.signal)
        refuseTooLarge(key, options?.size, target)
        const run: Run<Upload, Part> = { target, around, removals, key, options, controller, reader: createPartReader(source, pool) }
        return await uploadFrom(run)
      } catch (error) {
        // Everything else of this upload stops, too.
        controller.abort(error)
        await source.close()
        throw error
      } finally {
        options?.signal?.removeEventListener('abort', onAbort)
      }
    },
  }
}

interface Run<Upload, Part> {
  readonly target: MultipartTarget<Upload, Part>
  readonly around: UploadSurroundings
  readonly removals: Removals
  readonly key: string
  readonly options: PutOptions | undefined
  readonly controller: AbortController
  readonly reader: PartReader
}

async function uploadFrom<Upload, Part>(run: Run<Upload, Part>): Promise<ObjectInfo> {
  const { target, options, reader } = run
  // A source that has not begun holds no memory that others could use.
  await reader.atEnd()
  const first = await takePart(run, Math.min(options?.size ?? target.partBytes, target.partBytes))
  let whole: boolean
  try {
    // A further byte, if there is one, comes before anything is stored: an object of exactly one part goes in one request.
    whole = await reader.atEnd()
    if (whole) {
      const info = await attempts(run, (call) => target.putWhole(first.bytes, call))
      release(first, true)
      return info
    }
  } catch (error) {
    release(first, false)
    throw error
  }
  return uploadParts(run, first)
}

async function uploadParts<Upload, Part>(run: Run<Upload, Part>, first: FilledPart): Promise<ObjectInfo> {
  const { target, key, options, removals } = run
  let upload: Upload
  try {
    upload = await attempts(run, (call) => target.begin(call))
  } catch (error) {
    release(first, true)
    throw error
  }
  try {
    const parts = await sendParts(run, upload, first)
    return await attempts(run, (call) => target.complete(upload, parts, call))
  } catch (error) {
    const limitMs = options?.signal?.aborted === true ? ABORTED_REMOVAL_MS : undefined
    await removals.run(key, () => target.abort(upload, { key, attempt: 1, options }), limitMs)
    throw error
  }
}

/** Sends all parts, a few at a time. When one fails the others are broken off, and all have ended when this rejects. */
async function sendParts<Upload, Part>(run: Run<Upload, Part>, upload: Upload, first: FilledPart): Promise<readonly Part[]> {
  const { target, controller } = run
  const inFlight = new Set<Promise<void>>()
  const parts: Part[] = []
  const send = (index: number, part: FilledPart): void => {
    const sending = attempts(run, (call) => target.putPart(upload, { index, body: part.bytes }, call))
      .then(
        (stored) => void (parts[index] = stored),
        (error: unknown) => stop(run, error),
      )
      .finally(() => {
        release(part, !controller.signal.aborted)
        inFlight.delete(sending)
      })
    inFlight.add(sending)
  }
  send(0, first)
  try {
    for (let index = 1; !(await run.reader.atEnd()); index += 1) {
      if (index >= target.maxParts) throw tooLargeFault(run.key, target)
      if (inFlight.size >= target.concurrency) await Promise.race(inFlight)
      send(index, await takePart(run, target.partBytes))
    }
  } catch (error) {
    stop(run, error)
  }
  await Promise.all(inFlight)
  if (controller.signal.aborted) throw controller.signal.reason
  return parts
}

/** The first failure counts: it ends everything else of this upload. */
function stop<Upload, Part>({ controller }: Run<Upload, Part>, error: unknown): void {
  if (!controller.signal.aborted) controller.abort(error)
}

/** Makes a request of the upload again while its fault is retryable. */
async function attempts<Upload, Part, Value>(run: Run<Upload, Part>, request: (call: UploadCall) => Promise<Value>): Promise<Value> {
  const { key, options, controller, around } = run
  const { signal } = controller
  const tried = startAttempts(around.retry, { operation: 'put', key, signal })
  for (let attempt = 1; ; attempt += 1) {
    throwIfAborted(signal)
    try {
      return await request({ key, attempt, options, signal })
    } catch (error) {
      await tried.failed(error)
    }
  }
}

async function takePart<Upload, Part>({ reader, around, controller }: Run<Upload, Part>, expected: number): Promise<FilledPart> {
  const grant = await around.budget.acquire(Math.max(1, expected), controller.signal)
  try {
    const { bytes, block } = await reader.fill(expected)
    return { bytes, block, grant }
  } catch (error) {
    grant.release()
    throw error
  }
}

/** Memory of a request that was broken off may still be read by it: then it is left to the garbage collector. */
function release({ block, grant }: FilledPart, reuse: boolean): void {
  if (reuse) giveBack(block)
  grant.release()
}

function refuseTooLarge<Upload, Part>(key: string, size: number | undefined, target: MultipartTarget<Upload, Part>): void {
  if (size !== undefined && size > target.partBytes * target.maxParts) throw tooLargeFault(key, target)
}

function tooLargeFault<Upload, Part>(key: string, { partBytes, maxParts }: MultipartTarget<Upload, Part>): Fault {
  const limit = partBytes * maxParts
  return new Fault(
    'invalid',
    'STORAGE_OBJECT_TOO_LARGE',
    `${key} has more than ${limit} bytes, which is ${maxParts} parts of ${partBytes}`,
    {
      context: { key, limit },
      hint: 'raise the part size of this storage, or lower WALG_TAR_SIZE_THRESHOLD',
    },
  )
}
