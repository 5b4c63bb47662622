import { setTimeout as delay } from 'node:timers/promises'
import { Fault } from '@waltz/errors'
import type { Settings } from '@waltz/settings'
import { withLimits, withPrefix, withRetry, type ObjectStore } from '@waltz/storage'
import { randomFraction, randomHex } from './random.ts'
import type { KitSurroundings } from './surroundings.ts'

/** A call is made so often before its failure counts; what takes longer is the business of whoever asked. */
const ATTEMPTS = 4
const FIRST_DELAY_MS = 100
const LONGEST_DELAY_MS = 2_000

/**
 * The storage that the settings name, below its prefix: backend, limits, retries, prefix, in this order. Loads the code
 * of that storage and of no other. Does no I/O: a storage that is not there is found out by the first call.
 * @throws Fault `invalid` `STORAGE_NOT_CONFIGURED` when no storage is configured.
 */
export async function openStore(settings: Settings, surroundings: KitSurroundings): Promise<ObjectStore> {
  const { now } = surroundings
  const sleep = async (ms: number, signal?: AbortSignal): Promise<void> => {
    await delay(ms, undefined, signal === undefined ? {} : { signal })
  }
  const backend = await openBackend(settings, surroundings)
  const bytesPerSecond = settings.networkRateLimit
  const limited = bytesPerSecond === undefined ? backend : withLimits(backend, { bytesPerSecond, now, sleep })
  const policy = { maxAttempts: ATTEMPTS, baseDelayMs: FIRST_DELAY_MS, maxDelayMs: LONGEST_DELAY_MS, random: randomFraction, sleep }
  const patient = withRetry(limited, policy)
  const prefix = (settings.storagePrefix ?? '').split('/').filter(Boolean).join('/')
  return prefix === '' ? patient : withPrefix(patient, `${prefix}/`)
}

async function openBackend({ filePrefix }: Settings, { now }: KitSurroundings): Promise<ObjectStore> {
  if (filePrefix === undefined) {
    throw new Fault('invalid', 'STORAGE_NOT_CONFIGURED', 'no storage is configured', {
      hint: 'set WALG_FILE_PREFIX to the absolute path of the folder that holds, or shall hold, the repository',
    })
  }
  const { createFileStore, parseFilePrefix } = await import('@waltz/storage-file')
  return createFileStore({ root: parseFilePrefix(filePrefix), now, randomHex })
}
