import { Fault, throwIfAborted } from '@waltz/errors'
import { sleepOrAbort, type Sleep } from './sleep.ts'
import { untilAborted } from './until-aborted.ts'

/** What a rate limit is made from. */
export interface RateLimitOptions {
  /** Long-term rate. The burst is one second's worth and 64 KiB more. */
  readonly bytesPerSecond: number
  readonly now: () => Date
  readonly sleep: Sleep
}

/**
 * Resolves when `bytes` more may be moved. Callers are served in the order of their calls.
 * @throws Fault `aborted` `ABORTED` when the signal fires first; nothing is taken then.
 */
export type RateLimit = (bytes: number, signal?: AbortSignal) => Promise<void>

const BURST_EXTRA_BYTES = 65_536

/**
 * A token bucket for bytes, to be shared by everything that one limit covers: network or disk. A request larger than
 * the burst is granted whole, after as long as the rate needs for it.
 * @throws Fault `invalid` `STORAGE_WRAPPER_INVALID` for a rate that is not above zero.
 */
export function createRateLimit({ bytesPerSecond, now, sleep }: RateLimitOptions): RateLimit {
  if (!(bytesPerSecond > 0))
    throw new Fault('invalid', 'STORAGE_WRAPPER_INVALID', `a rate limit of ${bytesPerSecond} bytes per second lets nothing pass`)
  const burst = bytesPerSecond + BURST_EXTRA_BYTES
  let tokens = burst
  let refilledAt = now().getTime()
  let waiting = 0
  let tail: Promise<void> = Promise.resolve()

  const refill = (): void => {
    const at = now().getTime()
    const elapsedMs = Math.max(at - refilledAt, 0)
    refilledAt = at
    tokens = Math.min(burst, tokens + (elapsedMs * bytesPerSecond) / 1000)
  }

  const waitFor = async (bytes: number, signal: AbortSignal | undefined): Promise<void> => {
    refill()
    if (tokens < bytes) {
      const ms = Math.ceil(((bytes - tokens) * 1000) / bytesPerSecond)
      await sleepOrAbort(sleep, ms, signal)
      // The sleep has paid for this request, even where the bucket cannot show it: one larger than the burst never fits
      // in, and a clock set back hides the time.
      const held = tokens
      refill()
      if (tokens < bytes) tokens = Math.max(tokens, held + (ms * bytesPerSecond) / 1000)
    }
    tokens -= bytes
  }

  return async (bytes, signal) => {
    throwIfAborted(signal)
    if (waiting === 0) {
      refill()
      if (tokens >= bytes) {
        tokens -= bytes
        return
      }
    }
    const before = tail
    let pass: () => void = () => undefined
    const mine = new Promise<void>((resolve) => (pass = resolve))
    tail = before.then(() => mine)
    waiting += 1
    try {
      await untilAborted(before, signal)
      await waitFor(bytes, signal)
    } finally {
      waiting -= 1
      pass()
    }
  }
}
