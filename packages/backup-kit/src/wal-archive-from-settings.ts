import { setTimeout as delay } from 'node:timers/promises'
import { abortedFault } from '@waltz/errors'
import type { SystemIdentifier } from '@waltz/pg-structures'
import type { SealedFormat } from '@waltz/repository'
import type { Settings } from '@waltz/settings'
import type { ObjectStore } from '@waltz/storage'
import { createWalArchive, loadCrc32c, type WalArchive, type WalArchiveEvent } from '@waltz/wal-archive'
import type { KitSurroundings } from './surroundings.ts'

/** Uploaders that run in parallel store segments this far out of order, in milliseconds, without anything being wrong. */
const HOLE_RECHECK_MS = 1_000
const BYTES_PER_MIB = 1_048_576

/** What the caller of an archive knows besides the settings. */
export interface WalArchiveChoices {
  /** The cluster that pushes or recovers (pg_control). */
  readonly systemIdentifier?: SystemIdentifier
  /** The size of its segments in bytes (pg_control). The setting wins where both are given. */
  readonly segmentBytes?: number
  readonly holeRecheckMs?: number
  readonly observe?: (event: WalArchiveEvent) => void
}

/** What an archive is made of. The store and the format stay the caller's. */
export interface WalArchiveParts {
  readonly settings: Settings
  readonly surroundings: KitSurroundings
  readonly store: ObjectStore
  readonly format: SealedFormat
}

/** The WAL archive in a storage, as the settings want it. No I/O. */
export function walArchiveFromSettings(parts: WalArchiveParts, choices: WalArchiveChoices = {}): WalArchive {
  const { settings, surroundings, store, format } = parts
  const segmentBytes = settings.pgWalSize === undefined ? choices.segmentBytes : settings.pgWalSize * BYTES_PER_MIB
  return createWalArchive({
    store,
    format,
    whenStored: settings.preventWalOverwrite === false ? 'replace' : 'refuse',
    plaintextAmongEncrypted: settings.cryptoPlaintextWrites,
    crc32c: loadCrc32c,
    sleep: sleepUntil,
    now: surroundings.now,
    holeRecheckMs: choices.holeRecheckMs ?? HOLE_RECHECK_MS,
    ...(segmentBytes !== undefined && { segmentBytes }),
    ...(choices.systemIdentifier !== undefined && { expectedSystemIdentifier: choices.systemIdentifier }),
    ...(surroundings.tool !== undefined && { tool: surroundings.tool }),
    observe: (event) => {
      surroundings.observe?.(event)
      choices.observe?.(event)
    },
  })
}

async function sleepUntil(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, signal === undefined ? {} : { signal })
  } catch (error) {
    throw signal?.aborted === true ? abortedFault(signal) : error
  }
}
