import { randomBytes } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { createByteBudget, type MaintainedStore, type RetryPolicy, type Sleep } from '@waltz/storage'
import { createGcsStore, type GcsStoreOptions } from '@waltz/storage-gcs'
import type { GcsFake } from '@waltz/testkit'

/** Real waiting. */
export const sleep: Sleep = async (ms, signal) => {
  await setTimeout(ms, undefined, { ...(signal === undefined ? {} : { signal }), ref: false })
}

/** Attempts without long waits. */
export const quickly: RetryPolicy = { maxAttempts: 4, baseDelayMs: 1, maxDelayMs: 5, random: () => 0.5, sleep }

/** Options that every test needs, for the fake's bucket; without credentials unless given. */
export function gcsOptions(fake: Pick<GcsFake, 'endpoint'>, options: Partial<GcsStoreOptions> = {}): GcsStoreOptions {
  return {
    bucket: 'bucket',
    credentials: { kind: 'none' },
    apiEndpoint: fake.endpoint,
    retry: quickly,
    budget: createByteBudget(64 * 2 ** 20),
    now: () => new Date(),
    sleep,
    randomHex: (digits) => randomBytes(digits).toString('hex').slice(0, digits),
    ...options,
  }
}

/** A store in the fake. */
export function gcsStore(fake: Pick<GcsFake, 'endpoint'>, options: Partial<GcsStoreOptions> = {}): MaintainedStore {
  return createGcsStore(gcsOptions(fake, options))
}
