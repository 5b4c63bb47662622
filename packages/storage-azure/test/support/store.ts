import { randomBytes } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { createByteBudget, type MaintainedStore, type RetryPolicy, type Sleep } from '@waltz/storage'
import { createAzureStore, type AzureStoreOptions } from '@waltz/storage-azure'
import type { Azurite } from '@waltz/testkit'

/** Real waiting. */
export const sleep: Sleep = async (ms, signal) => {
  await setTimeout(ms, undefined, { ...(signal === undefined ? {} : { signal }), ref: false })
}

/** Attempts without long waits. */
export const quickly: RetryPolicy = { maxAttempts: 4, baseDelayMs: 1, maxDelayMs: 5, random: () => 0.5, sleep }

/** The public key of every Azurite, for tests that need none. */
export const ANY_KEY = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=='

/** Options that every test needs. */
export function azureOptions(options: Partial<AzureStoreOptions> = {}): AzureStoreOptions {
  return {
    account: 'devstoreaccount1',
    container: 'container',
    credentials: { kind: 'account-key', accountKey: ANY_KEY },
    endpoint: 'http://127.0.0.1:9/devstoreaccount1',
    retry: quickly,
    budget: createByteBudget(128 * 2 ** 20),
    now: () => new Date(),
    sleep,
    randomHex: (digits) => randomBytes(digits).toString('hex').slice(0, digits),
    ...options,
  }
}

/** A store in a container of Azurite's. */
export function azuriteStore(
  { account, accountKey, endpoint }: Pick<Azurite, 'account' | 'accountKey' | 'endpoint'>,
  options: Partial<AzureStoreOptions>,
): MaintainedStore {
  return createAzureStore(azureOptions({ account, endpoint, credentials: { kind: 'account-key', accountKey }, ...options }))
}
