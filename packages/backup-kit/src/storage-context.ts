import { setTimeout as delay } from 'node:timers/promises'
import type { Settings } from '@waltz/settings'
import { createByteBudget, createRateLimit, type ByteBudget, type RateLimit, type RetryEvent, type Sleep } from '@waltz/storage'
import { createFormatSource, type FormatSource } from './format-source.ts'
import type { KitSurroundings } from './surroundings.ts'

/** What a storage tells while it works; none of it is a failure. */
export type StorageEvent =
  /** A request failed and is made again. */
  | (Pick<RetryEvent, 'operation' | 'key' | 'attempt' | 'delayMs'> & {
      readonly type: 'storage-retry'
      readonly storage: string
      readonly reason: string
    })
  /** Which storage is written to, where there are several. */
  | { readonly type: 'storage-chosen'; readonly storage: string; readonly location: string; readonly why: string }
  /** Something that a person should know. */
  | { readonly type: 'storage-warning'; readonly storage: string; readonly message: string }

/** What all storages of one kit share. */
export interface StorageContext {
  readonly surroundings: KitSurroundings
  /** How objects are stored, in all storages alike. */
  readonly format: FormatSource
  /** Bytes of uploads and read-ahead of all storages together. */
  readonly budget: ByteBudget
  /** Bytes per second of all storages together; undefined without a limit. */
  readonly rate: RateLimit | undefined
  readonly sleep: Sleep
  readonly report: (event: StorageEvent) => void
}

/** Makes what the storages of one kit share. Disk and memory are untouched until they are used. */
export function createStorageContext(
  settings: Settings,
  surroundings: KitSurroundings,
  report: (event: StorageEvent) => void = (event) => surroundings.observe?.(event),
): StorageContext {
  const bytesPerSecond = settings.networkRateLimit
  return {
    surroundings,
    format: createFormatSource(settings, surroundings),
    budget: createByteBudget(settings.storageMaxBytesInFlight),
    rate: bytesPerSecond === undefined ? undefined : createRateLimit({ bytesPerSecond, now: surroundings.now, sleep }),
    sleep,
    report,
  }
}

async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  await delay(ms, undefined, signal === undefined ? {} : { signal })
}
