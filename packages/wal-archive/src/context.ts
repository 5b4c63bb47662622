import type { SealedFormat } from '@waltz/repository'
import type { ObjectStore } from '@waltz/storage'
import type { WalArchiveEvent, WalArchiveOptions } from './options.ts'

/** Where objects lie and how they are packed. */
export interface StoreAndFormat {
  readonly store: ObjectStore
  readonly format: SealedFormat
}

/** What every part of the archive works with. */
export interface ArchiveContext extends WalArchiveOptions {
  readonly report: (event: WalArchiveEvent) => void
}

/** The signal as call options of the store. */
export function callOptions(signal: AbortSignal | undefined): { readonly signal?: AbortSignal } {
  return signal === undefined ? {} : { signal }
}
