import type { Lsn, SystemIdentifier, TimelineId, WalFileName } from '@waltz/pg-structures'
import type { OffsetAt, SealedFormat } from '@waltz/repository'
import type { ObjectStore } from '@waltz/storage'
import type { FollowedLink, SkippedEntry } from './cluster-entry.ts'
import type { FactsOf } from './entry-facts.ts'
import type { Observer, PushEvent } from './events.ts'
import type { OwnerNames } from './owner-names.ts'
import type { SqlConnect } from './sql-connection.ts'

/** The surroundings of a backup: everything with an effect comes from here. */
export interface PushSurroundings {
  readonly store: ObjectStore
  readonly format: SealedFormat
  readonly connect: SqlConnect
  readonly wal: WalKeeper
  readonly now: () => Date
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>
  readonly offsetMinutesAt: OffsetAt
  /** Lower-case hex digits, different at every call. */
  readonly randomHex: (digits: number) => string
  readonly hostname: string
  readonly processId: number
  /** An existing folder for temporary lists. */
  readonly spoolFolder: string
  readonly observe: Observer<PushEvent>
  /** Waits until so many bytes may be read from the disk. */
  readonly diskLimit?: (bytes: number, signal?: AbortSignal) => Promise<void>
  /** Names of owners; those of this system when absent. */
  readonly owners?: OwnerNames
  /** Modes, owners and times; those of the file system when absent. */
  readonly factsOf?: FactsOf
  /** What made the backup, for the manifest. */
  readonly tool: { readonly name: string; readonly version: string }
}

/** What is to be backed up and how. */
export interface PushRequest {
  /** As the user gave it; compared with what the server says. */
  readonly dataDirectory: string
  readonly permanent: boolean
  /** Any JSON value, or undefined. */
  readonly userData: unknown
  readonly withoutFilesMetadata: boolean
  /** Whether names of relations are recorded for partial restore. */
  readonly databaseNames: boolean
  readonly verifyPages: boolean
  readonly storeAllCorruptBlocks: boolean
  /** What corrupt pages do to the backup: stand in its metadata, or make it fail. */
  readonly corruptPages: 'report' | 'fail'
  readonly thresholdBytes: number
  readonly lanes: number
  readonly uploadQueue: number
  /** 0 for no limit. */
  readonly stopTimeoutMs: number
  /** 0 for never. */
  readonly aliveCheckIntervalMs: number
  /** Whether to ask the server for the size of its data, for progress. */
  readonly estimate: boolean
  readonly signal?: AbortSignal
}

/** Sees to it that the WAL of a backup is in the archive. */
export interface WalKeeper {
  /** Rejects before the backup starts when this archive cannot take the WAL of that cluster. */
  admit(systemIdentifier: SystemIdentifier, signal?: AbortSignal): Promise<void>
  /** Resolves when all of it is stored; rejects with a fault that names what is missing. */
  ensure(range: WalRange, signal: AbortSignal): Promise<WalOutcome>
}

/** The WAL that makes a backup consistent. */
export interface WalRange {
  readonly timeline: TimelineId
  readonly segmentBytes: number
  /** Segment numbers, half-open. */
  readonly first: number
  readonly end: number
  /** History files that belong to it: `<segment>.<offset>.backup` where the server writes one, and `<timeline>.history`. */
  readonly backupHistory: WalFileName | undefined
  readonly timelineHistory: WalFileName | undefined
  /** The server's `pg_wal`. */
  readonly walDirectory: string
  /** Whether the server's own copy of a segment is complete. */
  readonly isComplete: (segmentNumber: number) => Promise<boolean>
  readonly inRecovery: boolean
}

/** How the WAL got there. */
export interface WalOutcome {
  readonly pushed: readonly WalFileName[]
  readonly present: readonly WalFileName[]
  /** Not there yet, and the backup is to be recorded as waiting for it. */
  readonly pending: readonly WalFileName[]
}

/** A backup that is announced. */
export interface PushedBackup {
  readonly name: string
  readonly startLsn: Lsn
  readonly finishLsn: Lsn
  readonly timeline: TimelineId
  readonly serverVersion: number
  readonly systemIdentifier: SystemIdentifier
  readonly startedAt: Date
  readonly finishedAt: Date
  readonly files: number
  readonly parts: number
  readonly uncompressedBytes: number
  readonly storedBytes: number
  readonly corruptBlocks: number
  readonly wal: WalOutcome
  /** Symbolic links whose targets were stored in their place. */
  readonly links: readonly FollowedLink[]
  readonly skipped: readonly SkippedEntry[]
  readonly warnings: readonly string[]
}
