import { Fault, abortedFault, isFault, throwIfAborted } from '@waltz/errors'
import { extractPart, type ExtractContext, type StoredPart } from './extract-part.ts'
import { addTally, emptyTally, type PartTally } from './part-tally.ts'

/** How parts are extracted. */
export interface ExtractPlan {
  /** Parts in flight at once. */
  readonly lanes: number
  /** How often a part is tried again. */
  readonly retries: number
  readonly sleep: (milliseconds: number) => Promise<void>
  /** Told before a part is tried again. */
  readonly onRetry: (part: string, attempt: number, cause: Fault) => void
}

const firstPauseMs = 250
const longestPauseMs = 10_000
/** A damaged part may have been damaged on its way; it is fetched once more, not fifteen times. */
const damageRetries = 1

/**
 * Extracts parts, the largest first, several at once. A part that fails is fetched again from its beginning; the first
 * one that fails for good stops all others.
 * @throws Fault of the part that failed.
 */
export async function extractParts(parts: readonly StoredPart[], context: ExtractContext, plan: ExtractPlan): Promise<PartTally> {
  const total = emptyTally()
  const queue = [...parts].sort((a, b) => b.storedBytes - a.storedBytes)
  const failed = new AbortController()
  const signal = context.signal === undefined ? failed.signal : AbortSignal.any([context.signal, failed.signal])
  const lane = async (): Promise<void> => {
    for (let part = queue.shift(); part !== undefined; part = queue.shift()) {
      try {
        addTally(total, await extractWithRetries(part, { ...context, signal }, plan))
      } catch (error) {
        queue.length = 0
        failed.abort(error)
        throw error
      }
    }
  }
  const lanes = Array.from({ length: Math.max(1, Math.min(plan.lanes, queue.length)) }, lane)
  const outcomes = await Promise.allSettled(lanes)
  if (outcomes.every((one) => one.status === 'fulfilled')) return total
  // The caller's own signal is the cause when it fired; otherwise the fault that stopped the other lanes.
  throwIfAborted(context.signal)
  const { reason } = failed.signal as { readonly reason: unknown }
  throw isFault(reason) ? reason : abortedFault(failed.signal)
}

async function extractWithRetries(part: StoredPart, context: ExtractContext, plan: ExtractPlan): Promise<PartTally> {
  for (let attempt = 1; ; attempt++) {
    let received = 0
    const counting: ExtractContext = {
      ...context,
      onBytes: (bytes) => {
        received += bytes
        context.onBytes(bytes)
      },
    }
    try {
      return await extractPart(part, counting)
    } catch (error) {
      throwIfAborted(context.signal)
      const fault = partFault(part, error)
      if (attempt > allowedRetries(fault, plan.retries)) throw fault
      plan.onRetry(part.name, attempt, fault)
      context.onBytes(-received)
      await plan.sleep(Math.min(longestPauseMs, firstPauseMs * 2 ** (attempt - 1)))
    }
  }
}

function allowedRetries(fault: Fault, retries: number): number {
  if (fault.retryable) return retries
  return fault.kind === 'corrupt' && fault.code !== 'RESTORE_UNSAFE_MEMBER' ? Math.min(damageRetries, retries) : 0
}

/** Says which part it was, for faults of layers that do not know. */
function partFault(part: StoredPart, error: unknown): Fault {
  if (!isFault(error)) {
    const message = error instanceof Error ? error.message : String(error)
    return new Fault('internal', 'RESTORE_FAILED', `extracting ${part.key}: ${message}`, { cause: error, context: { key: part.key } })
  }
  if (error.message.includes(part.name)) return error
  return new Fault(error.kind, error.code, `${part.key}: ${error.message}`, {
    cause: error,
    context: { ...error.context, key: part.key },
    retryable: error.retryable,
    hint:
      error.hint ??
      (error.kind === 'corrupt'
        ? 'The stored object is damaged. Restore another backup, or bring the object back from a copy.'
        : 'Run the command again.'),
  })
}
