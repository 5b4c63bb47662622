import { randomBytes } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { createByteBudget, type NetworkStoreOptions } from '@waltz/storage'

/** What every networked store needs, with short waits. */
export function networkOptions(): NetworkStoreOptions {
  return {
    retry: { maxAttempts: 3, baseDelayMs: 1, maxDelayMs: 5, random: Math.random, sleep },
    budget: createByteBudget(128 * 2 ** 20),
    now: () => new Date(),
    sleep,
    randomHex: (digits) =>
      randomBytes(Math.ceil(digits / 2))
        .toString('hex')
        .slice(0, digits),
  }
}

async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  await wait(ms, undefined, signal === undefined ? { ref: false } : { signal, ref: false })
}
