import { setTimeout as delay } from 'node:timers/promises'
import { abortedFault, Fault } from '@waltz/errors'
import type { PushedBackup, PushRequest } from '@waltz/pg-physical-backup'
import type { SealedFormat } from '@waltz/repository'
import type { Settings } from '@waltz/settings'
import { createRateLimit, withLimits, type ObjectStore } from '@waltz/storage'
import type { WalArchive } from '@waltz/wal-archive'
import { laneCount } from './lane-count.ts'
import { randomHex } from './random.ts'
import type { KitEvent, KitSurroundings } from './surroundings.ts'

/** How one backup differs from what the settings say. */
export interface PushBackupOptions {
  /** The server's data directory on this machine. */
  readonly dataDirectory: string
  readonly permanent?: boolean
  /** Any JSON value; large integers as bigint. */
  readonly userData?: unknown
  readonly verifyPages?: boolean
  readonly storeAllCorruptBlocks?: boolean
  readonly withoutFilesMetadata?: boolean
  /** Asks the server how much there is to read, so that progress can show the time left. */
  readonly estimate?: boolean
  /** The storage to write to; otherwise as the settings say, else the first that is alive. */
  readonly targetStorage?: string
  readonly observe?: (event: KitEvent) => void
  readonly signal?: AbortSignal
}

/** A backup that was taken, and where it lies. */
export interface StoredPushedBackup extends PushedBackup {
  /** `default`, or the name of a further storage. */
  readonly storage: string
}

/** The opened parts that a backup is made with. */
export interface PushParts {
  readonly settings: Settings
  readonly surroundings: KitSurroundings
  readonly store: ObjectStore
  readonly format: SealedFormat
  readonly archive: WalArchive
}

/** Resolves after `ms`; rejects with the signal's fault when that fires first. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, signal === undefined ? {} : { signal })
  } catch (error) {
    throw signal?.aborted === true ? abortedFault(signal) : error
  }
}

/** Takes a full backup with the kit's parts. See `BackupKit.pushBackup`. */
export async function pushWithParts(parts: PushParts, options: PushBackupOptions): Promise<PushedBackup> {
  const { settings, surroundings } = parts
  const [{ pushBackup }, { openSqlConnection }, { createBackupWalKeeper }, { serverAddressFromSettings }] = await Promise.all([
    import('@waltz/pg-physical-backup'),
    import('./open-sql-connection.ts'),
    import('./backup-wal-keeper.ts'),
    import('./server-address-from-settings.ts'),
  ])
  const address = serverAddressFromSettings(settings, surroundings)
  const observe = (event: KitEvent): void => {
    surroundings.observe?.(event)
    options.observe?.(event)
  }
  const { now } = surroundings
  return await pushBackup(request(settings, surroundings, options), {
    store: withLimits(parts.store, { maxRequests: settings.uploadConcurrency, now, sleep }),
    format: parts.format,
    connect: (database) => openSqlConnection(address, database),
    wal: createBackupWalKeeper({
      archive: parts.archive,
      sleep,
      now,
      waitTimeoutMs: settings.walWaitTimeout,
      whenMissing: settings.walPending,
      observe,
    }),
    now,
    sleep,
    offsetMinutesAt: (ms) => -new Date(ms).getTimezoneOffset(),
    randomHex,
    hostname: surroundings.hostname,
    processId: surroundings.processId,
    spoolFolder: settings.spoolDir ?? surroundings.temporaryFolder,
    observe,
    tool: surroundings.tool ?? { name: 'waltz', version: 'library' },
    ...(settings.diskRateLimit === undefined ? {} : { diskLimit: createRateLimit({ bytesPerSecond: settings.diskRateLimit, now, sleep }) }),
  })
}

function request(settings: Settings, surroundings: KitSurroundings, options: PushBackupOptions): PushRequest {
  if (options.dataDirectory === '') throw new Fault('invalid', 'DATA_DIRECTORY_UNSUITABLE', 'the data directory is an empty text')
  return {
    dataDirectory: options.dataDirectory,
    permanent: options.permanent ?? false,
    userData: options.userData,
    withoutFilesMetadata: options.withoutFilesMetadata ?? settings.withoutFilesMetadata,
    databaseNames: !settings.disablePartialRestore,
    verifyPages: options.verifyPages ?? settings.verifyPageChecksums,
    storeAllCorruptBlocks: options.storeAllCorruptBlocks ?? settings.storeAllCorruptBlocks,
    corruptPages: settings.corruptPages,
    thresholdBytes: settings.tarSizeThreshold,
    lanes: laneCount(settings.uploadDiskConcurrency, surroundings.cores),
    uploadQueue: settings.uploadQueue,
    stopTimeoutMs: settings.stopBackupTimeout,
    aliveCheckIntervalMs: settings.aliveCheckInterval,
    estimate: options.estimate ?? false,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  }
}
