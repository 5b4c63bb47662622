import { DATE_FORMAT, formatBackupTime, labelPartName, type Sentinel } from '@waltz/repository'
import type { BackupEnd } from './end-backup-mode.ts'
import type { CopiedData } from './copy-data-directory.ts'
import type { RunningBackup } from './push-backup.ts'
import type { PushedBackup, PushRequest, PushSurroundings, WalOutcome } from './push-backup-options.ts'
import type { BackupDocuments } from './publish-backup.ts'
import type { StoredPart } from './store-part.ts'

/** Everything that is known when all parts are stored. */
export interface CompletedBackup {
  readonly running: RunningBackup
  readonly request: PushRequest
  readonly around: PushSurroundings
  readonly copied: CopiedData
  readonly end: BackupEnd
  readonly parts: readonly StoredPart[]
  readonly wal: WalOutcome
}

/** The documents to be written, and the result to be returned once they are. */
export function backupDocuments(completed: CompletedBackup): { readonly documents: BackupDocuments; readonly result: PushedBackup } {
  const { running, request, around, copied, parts } = completed
  const finishedAt = around.now()
  const sentinel = sentinelOf(completed, finishedAt)
  const result = resultOf(completed, sentinel, finishedAt)
  const documents: BackupDocuments = {
    name: running.name,
    sentinel,
    metadata: {
      startTime: formatBackupTime(running.startedAt),
      finishTime: formatBackupTime(finishedAt),
      dateFormat: DATE_FORMAT,
      hostname: sentinel.hostname,
      dataDirectory: sentinel.dataDirectory,
      serverVersion: sentinel.serverVersion,
      startLsn: result.startLsn,
      finishLsn: result.finishLsn,
      permanent: sentinel.permanent,
      systemIdentifier: sentinel.systemIdentifier,
      uncompressedBytes: sentinel.uncompressedBytes,
      storedBytes: sentinel.storedBytes,
      userData: sentinel.userData,
    },
    manifest: {
      backup: running.name,
      tool: around.tool,
      parts: parts.map((part) => ({ name: part.name, size: part.storedBytes, sha256: part.sha256, payloadBytes: part.tarBytes })),
      links: copied.findings.links,
      skipped: copied.findings.skipped,
      warnings: running.warnings,
      walPending: completed.wal.pending,
    },
    fileList: request.withoutFilesMetadata
      ? undefined
      : {
          lists: copied.lists,
          labelPart: around.format.nameFor(labelPartName),
          databases: copied.databases,
          storeAllCorruptBlocks: request.storeAllCorruptBlocks,
        },
  }
  return { documents, result }
}

function sentinelOf({ running, request, around, copied, end, parts }: CompletedBackup, finishedAt: Date): Sentinel {
  const { facts, startLsn } = running.session
  const { findings } = copied
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
  return {
    startLsn,
    finishLsn: end.finishLsn,
    increment: undefined,
    serverVersion: facts.serverVersion,
    systemIdentifier: facts.systemIdentifier,
    uncompressedBytes: sum(parts.map((part) => part.contentBytes)),
    storedBytes: sum(parts.map((part) => part.storedBytes)),
    dataDirectoryBytes: findings.visitedBytes + sum(copied.parts.map((part) => part.contentBytes)),
    tablespaces:
      findings.tablespaces.length === 0
        ? undefined
        : {
            basePrefix: running.directory.path,
            tablespaces: findings.tablespaces.map(({ name, location }) => ({ name, location, link: `pg_tblspc/${name}` })),
          },
    userData: request.userData,
    filesMetadataDisabled: request.withoutFilesMetadata,
    version: 2,
    startTime: formatBackupTime(running.startedAt),
    finishTime: formatBackupTime(finishedAt),
    hostname: around.hostname,
    dataDirectory: running.directory.path,
    permanent: request.permanent,
  }
}

function resultOf({ running, copied, end, parts, wal }: CompletedBackup, sentinel: Sentinel, finishedAt: Date): PushedBackup {
  const { facts, startLsn } = running.session
  const { findings } = copied
  const unreported = findings.unreported === 0 ? [] : [`${findings.unreported} further links and skipped entries are not listed`]
  return {
    name: running.name,
    startLsn,
    finishLsn: end.finishLsn,
    timeline: facts.timeline,
    serverVersion: facts.serverVersion,
    systemIdentifier: facts.systemIdentifier,
    startedAt: running.startedAt,
    finishedAt,
    files: copied.files,
    parts: parts.length,
    uncompressedBytes: sentinel.uncompressedBytes,
    storedBytes: sentinel.storedBytes,
    corruptBlocks: copied.corruptBlocks,
    wal,
    links: findings.links,
    skipped: findings.skipped,
    warnings: [...running.warnings, ...unreported],
  }
}
