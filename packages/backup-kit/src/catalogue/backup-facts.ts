import type { Lsn } from '@waltz/pg-structures'
import { parseTimestamp, ZERO_TIMESTAMP, type BackupMetadata, type Sentinel } from '@waltz/repository'
import type { CatalogueEntry } from './catalogue-entry.ts'

/** What the documents of a backup say. */
export type BackupFacts = Pick<
  CatalogueEntry,
  | 'startedAt'
  | 'finishedAt'
  | 'startedAtNs'
  | 'systemIdentifier'
  | 'startLsn'
  | 'finishLsn'
  | 'serverVersion'
  | 'permanent'
  | 'userData'
  | 'hostname'
  | 'dataDirectory'
  | 'storedBytes'
  | 'restoredBytes'
  | 'dataDirectoryBytes'
  | 'increment'
  | 'metadata'
>

/** Facts that are there; what a document leaves open is absent. */
type KnownFacts = Readonly<Record<string, unknown>>

/** `metadata.json` decides, the sentinel says what it leaves open; permanence is for the former alone (RF 2.3, 12). */
export function factsOf(sentinel: Sentinel | undefined, metadata: BackupMetadata | undefined): BackupFacts {
  return {
    ...nothing,
    ...(sentinel === undefined ? {} : known(factsOfSentinel(sentinel))),
    ...(metadata === undefined ? {} : known(factsOfMetadata(metadata))),
    ...(metadata === undefined ? {} : { userData: metadata.userData, permanent: metadata.permanent, metadata }),
  }
}

const nothing: BackupFacts = {
  startedAt: undefined,
  finishedAt: undefined,
  startedAtNs: undefined,
  systemIdentifier: undefined,
  startLsn: undefined,
  finishLsn: undefined,
  serverVersion: undefined,
  permanent: false,
  userData: undefined,
  hostname: '',
  dataDirectory: '',
  storedBytes: undefined,
  restoredBytes: undefined,
  dataDirectoryBytes: undefined,
  increment: undefined,
  metadata: undefined,
}

function known(facts: KnownFacts): KnownFacts {
  return Object.fromEntries(Object.entries(facts).filter(([, fact]) => fact !== undefined))
}

function factsOfSentinel(sentinel: Sentinel): KnownFacts {
  return {
    ...timesOf(sentinel),
    systemIdentifier: sentinel.systemIdentifier,
    ...common(sentinel),
    restoredBytes: orUndefined(sentinel.uncompressedBytes),
    dataDirectoryBytes: orUndefined(sentinel.dataDirectoryBytes),
    userData: sentinel.userData,
    increment: incrementOf(sentinel),
  }
}

function factsOfMetadata(metadata: BackupMetadata): KnownFacts {
  return {
    ...timesOf(metadata),
    systemIdentifier: metadata.systemIdentifier,
    ...common(metadata),
    restoredBytes: orUndefined(metadata.uncompressedBytes),
  }
}

function common({
  startLsn,
  finishLsn,
  serverVersion,
  hostname,
  dataDirectory,
  storedBytes,
}: Pick<Sentinel | BackupMetadata, 'startLsn' | 'finishLsn' | 'serverVersion' | 'hostname' | 'dataDirectory' | 'storedBytes'>): KnownFacts {
  return {
    startLsn: positionOf(startLsn),
    finishLsn: positionOf(finishLsn),
    serverVersion: orUndefined(serverVersion),
    hostname: orUndefined(hostname),
    dataDirectory: orUndefined(dataDirectory),
    storedBytes: orUndefined(storedBytes),
  }
}

function timesOf({ startTime, finishTime }: Pick<Sentinel | BackupMetadata, 'startTime' | 'finishTime'>): KnownFacts {
  const [startedAtNs, finishedAtNs] = [momentOf(startTime), momentOf(finishTime)]
  return { startedAtNs, startedAt: dateOf(startedAtNs), finishedAt: dateOf(finishedAtNs) }
}

function incrementOf({ increment }: Sentinel): CatalogueEntry['increment'] {
  if (increment === undefined) return undefined
  const { parent, root, depth, parentLsn } = increment
  return { parent, full: root, depth, parentLsn }
}

/** Nanoseconds since 1970; undefined for no time, for Go's zero time, and for a text that is none. */
function momentOf(text: string | undefined): bigint | undefined {
  return text === undefined || text === ZERO_TIMESTAMP ? undefined : parseTimestamp(text)?.ns
}

function dateOf(ns: bigint | undefined): Date | undefined {
  return ns === undefined ? undefined : new Date(Number(ns / 1_000_000n))
}

/** Zero is no position. */
function positionOf(position: Lsn | undefined): Lsn | undefined {
  return position === 0n ? undefined : position
}

/** Zero and the empty text mean that nobody said. */
function orUndefined<Value extends number | string>(value: Value): Value | undefined {
  return value === 0 || value === '' ? undefined : value
}
