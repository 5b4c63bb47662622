import { statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { assert, Fault, isFault } from '@waltz/errors'
import {
  formatLsn,
  segmentName,
  segmentNumberBefore,
  segmentNumberFromName,
  segmentNumberOf,
  timelineId,
  type ControlFile,
  type WalFileName,
} from '@waltz/pg-structures'
import type { BackupManifest, BackupSummary, Sentinel } from '@waltz/repository'
import { chooseBackup, checkLsnArchived, leftAt, type ArchiveSurvey, type BackupChoice } from './choose-backup.ts'
import { checkNesting, inspectDestination, inspectTablespace, type DestinationState } from './destination.ts'
import { loadFileList, type FileList, type FileListSource } from './file-list.ts'
import { finishedAtMs, listCandidates, timelineOfBackup } from './list-candidates.ts'
import {
  checkListedParts,
  checkSupported,
  listParts,
  readControlPart,
  readManifest,
  uncheckedParts,
  type BackupReader,
} from './read-backup.ts'
import { planRecovery } from './recovery-settings.ts'
import type { PlannedPart, PlannedWal, RecoveryWish, RestorePlan, RestoreRequest } from './restore-options.ts'
import { missingSegments, surveyArchive } from './survey-archive.ts'
import { mapTablespaces, type TablespaceMapping } from './tablespace-mapping.ts'
import { formatMoment } from './target-time.ts'

/** A restore that was planned and could begin. */
export interface PreparedRestore extends Disposable {
  readonly request: RestoreRequest
  readonly plan: RestorePlan
  readonly sentinel: Sentinel
  readonly manifest: BackupManifest | undefined
  readonly mapping: TablespaceMapping
  readonly files: FileList
  readonly fileSource: FileListSource
  readonly controlFile: Uint8Array
  readonly backupId: string
}

interface Chosen {
  readonly summary: BackupSummary
  readonly reason: string
  readonly passedOver: BackupChoice['passedOver']
  readonly warnings: readonly string[]
  /** Of a restore to a target. */
  readonly recovery?: { readonly choice: BackupChoice; readonly survey: ArchiveSurvey }
}

/**
 * Chooses the backup, reads what describes it, and checks everything that can be checked without writing. Problems of
 * the destination are collected as refusals; problems of the backup are thrown.
 * @throws Fault `not-found` for a backup that does not exist, `invalid` `RESTORE_SELECTOR_MISSING`,
 * `RECOVERY_TARGET_UNREACHABLE` or `RESTORE_SPEC_INCOMPLETE`, `unsupported` `BACKUP_INCREMENTAL`, `BACKUP_WAL_E` or
 * `RECOVERY_VERSION_UNSUPPORTED`, `corrupt` when the backup is damaged or incomplete.
 */
export async function prepareRestore(request: RestoreRequest): Promise<PreparedRestore> {
  const options = request.signal === undefined ? {} : { signal: request.signal }
  const chosen = await choose(request)
  const { name } = chosen.summary
  const sentinel = await request.catalog.readSentinel(name, options)
  checkSupported(name, sentinel)
  const reader: BackupReader = { store: request.store, sealed: request.sealed, backup: name, ...options }
  const manifest = await readManifest(reader)
  const present = await listParts(reader, manifest)
  const unchecked = await uncheckedParts(request.sealed, present.parts)
  const mapping = mapTablespaces(sentinel.tablespaces, request.restoreSpec)
  const { bytes: controlFile, control } = await readControlPart(reader, controlPartOf(present.parts), sentinel)
  if (chosen.recovery !== undefined && request.recovery !== undefined)
    checkLsnArchived(chosen.recovery.choice, request.recovery.request.target, chosen.recovery.survey, control.walSegmentBytes)
  const wal = await planWal(reader, chosen, { sentinel, control })
  const fileSource = listSource(request, reader, { sentinel, manifest })
  const files = await loadFileList(fileSource)
  try {
    const { parts, warnings: partWarnings } = checkListedParts(reader, present.parts, files.parts)
    const backupId = `${control.systemIdentifier}/${formatLsn(control.checkpointLsn)}/${sentinel.finishTime ?? ''}`
    const place = judgePlaces(request, mapping, { backup: name, backupId })
    const recovery = request.recovery === undefined ? undefined : planRecoveryFor(request.recovery, sentinel, wal)
    const plan: RestorePlan = {
      backup: describeBackup(chosen, sentinel, control),
      destination: place.destination,
      parts,
      storedBytes: parts.reduce((sum, part) => sum + part.storedBytes, 0),
      uncompressedBytes: sentinel.uncompressedBytes,
      space: freeSpace([place.destination.path, ...mapping.tablespaces.map((one) => one.location)]),
      tablespaces: mapping.tablespaces,
      wal,
      recovery,
      notFullyChecked: uncheckedReasons(unchecked, files),
      refusals: place.refusals,
      warnings: [
        ...chosen.warnings,
        ...present.warnings,
        ...partWarnings,
        ...mapping.warnings,
        ...walWarnings(wal),
        ...(manifest?.warnings ?? []),
      ],
    }
    return {
      request,
      plan,
      sentinel,
      manifest,
      mapping,
      files,
      fileSource,
      controlFile,
      backupId,
      [Symbol.dispose]: () => files[Symbol.dispose](),
    }
  } catch (error) {
    files[Symbol.dispose]()
    throw error
  }
}

function describeBackup(chosen: Chosen, sentinel: Sentinel, control: ControlFile): RestorePlan['backup'] {
  return {
    name: chosen.summary.name,
    reason: chosen.reason,
    passedOver: chosen.passedOver,
    startLsn: sentinel.startLsn,
    finishLsn: sentinel.finishLsn,
    startTime: sentinel.startTime,
    finishTime: sentinel.finishTime,
    serverVersion: sentinel.serverVersion,
    systemIdentifier: control.systemIdentifier,
  }
}

/** `listParts` refuses a backup without one. */
function controlPartOf(parts: readonly PlannedPart[]): PlannedPart {
  const part = parts.find((one) => one.role === 'control')
  assert(part !== undefined, 'a listing of parts without the control file was let through')
  return part
}

async function choose(request: RestoreRequest): Promise<Chosen> {
  const { catalog, selector, recovery } = request
  const options = request.signal === undefined ? {} : { signal: request.signal }
  if (selector === undefined && recovery === undefined)
    throw new Fault('invalid', 'RESTORE_SELECTOR_MISSING', 'nothing says which backup to restore', {
      hint: 'Give a backup name or LATEST, --target-user-data, or a target such as --target-time.',
    })
  const named = selector === undefined || 'latest' in selector ? undefined : await catalog.find(selector, options)
  if (recovery === undefined) {
    const summary = named ?? (await catalog.find({ latest: true }, options))
    return { summary, reason: reasonOf(request, summary), passedOver: [], warnings: [] }
  }
  const { candidates, warnings } = await listCandidates(catalog, options)
  const survey = await surveyArchive({ store: request.store, sealed: request.sealed, ...options })
  const { target, timeline } = recovery.request
  const choice = chooseBackup({ target, timeline, ...(named === undefined ? {} : { named: named.name }) }, candidates, survey)
  const summary = named ?? (await catalog.find({ name: choice.backup.name }, options))
  return { summary, reason: choice.reason, passedOver: choice.passedOver, warnings, recovery: { choice, survey } }
}

function reasonOf(request: RestoreRequest, summary: BackupSummary): string {
  const { selector } = request
  if (selector !== undefined && 'name' in selector) return 'named on the command line'
  if (selector !== undefined && 'userData' in selector) return 'the one with this user data'
  return `the latest: its sentinel was stored last, ${formatMoment(finishedAtMs(undefined, summary.modifiedAt) * 1000, 0)}`
}

function listSource(
  request: RestoreRequest,
  reader: BackupReader,
  { sentinel, manifest }: { readonly sentinel: Sentinel; readonly manifest: BackupManifest | undefined },
): FileListSource {
  const sha256 = manifest?.filesMetadata?.sha256
  return {
    store: request.store,
    backup: reader.backup,
    sentinel,
    spoolDirectory: request.spoolDirectory,
    ...(sha256 === undefined ? {} : { sha256 }),
    ...(request.maxNamesInMemory === undefined ? {} : { maxNamesInMemory: request.maxNamesInMemory }),
    ...(request.signal === undefined ? {} : { signal: request.signal }),
  }
}

async function planWal(
  reader: BackupReader,
  chosen: Chosen,
  { sentinel, control }: { readonly sentinel: Sentinel; readonly control: ControlFile },
): Promise<PlannedWal | undefined> {
  const number = timelineOfBackup(chosen.summary.walFileName)
  if (sentinel.startLsn === undefined || sentinel.finishLsn === undefined || number === undefined) return undefined
  const { walSegmentBytes: segmentBytes } = control
  const timeline = timelineId(number)
  const first = segmentNumberOf(sentinel.startLsn, segmentBytes)
  const last = Math.max(first, segmentNumberBefore(sentinel.finishLsn, segmentBytes))
  const end = lastArchived(chosen, number, segmentBytes)
  return {
    timeline: number,
    firstSegment: segmentName(timeline, first, segmentBytes),
    lastSegment: segmentName(timeline, last, segmentBytes),
    segments: last - first + 1,
    missing: await missingSegments(reader, { timeline, first, last, segmentBytes }),
    holes: end <= last ? { count: 0, names: [] } : await missingSegments(reader, { timeline, first: last + 1, last: end, segmentBytes }),
  }
}

/** The last segment of the backup's own timeline that recovery will ask for; -1 where nothing tells. */
function lastArchived({ recovery }: Chosen, timeline: number, segmentBytes: number): number {
  if (recovery === undefined) return -1
  const { choice, survey } = recovery
  const left = choice.timeline === timeline ? undefined : leftAt(timeline, choice.timeline, survey)
  if (left !== undefined) return segmentNumberOf(left, segmentBytes) - 1
  const name = survey.timelines.find((one) => one.timeline === timeline)?.lastSegment
  return name === undefined ? -1 : segmentNumberFromName(name as WalFileName, segmentBytes)
}

function walWarnings(wal: PlannedWal | undefined): readonly string[] {
  if (wal === undefined) return []
  const warnings: string[] = []
  if (wal.missing.count > 0)
    warnings.push(
      `${wal.missing.count} of the ${wal.segments} WAL segments that the copy needs to become consistent are not in the archive: ${wal.missing.names.join(', ')}`,
    )
  if (wal.holes.count > 0)
    warnings.push(
      `the archive has a hole behind the backup, which recovery cannot pass: ${wal.holes.names.join(', ')}${wal.holes.count > wal.holes.names.length ? ' and more' : ''}; --target-immediate restores the backup to its own end`,
    )
  return warnings
}

/** The first version that reads WAL ahead of recovery (`recovery_prefetch`). */
const READS_AHEAD_FROM = 150_000

function planRecoveryFor(wish: RecoveryWish, sentinel: Sentinel, wal: PlannedWal | undefined): RestorePlan['recovery'] {
  const { serverVersion } = sentinel
  if (serverVersion === 0 || serverVersion >= 120_000) {
    // What is behind a hole, or behind the target, is not there to be looked at: a permanent backup may have no WAL but its own.
    const stopsShort = wish.request.target.kind === 'immediate' || (wal?.holes.count ?? 0) > 0
    return planRecovery({ ...wish, withoutReadAhead: stopsShort && serverVersion >= READS_AHEAD_FROM })
  }
  throw new Fault('unsupported', 'RECOVERY_VERSION_UNSUPPORTED', 'recovery settings are written for PostgreSQL 12 and newer', {
    context: { serverVersion: sentinel.serverVersion },
    hint: 'Restore without --target-* and --standby, and write recovery.conf by hand.',
  })
}

function judgePlaces(
  request: RestoreRequest,
  mapping: TablespaceMapping,
  identity: { readonly backup: string; readonly backupId: string },
): { readonly destination: DestinationState; readonly refusals: readonly Fault[] } {
  const refusals: Fault[] = []
  const attempt = (check: () => void): void => {
    try {
      check()
    } catch (error) {
      if (!isFault(error)) throw error
      refusals.push(error)
    }
  }
  let destination: DestinationState = { path: request.destination, state: 'absent', marker: undefined }
  attempt(() => (destination = inspectDestination(request.destination, identity)))
  attempt(() => checkNesting({ destination: destination.path, tablespaces: mapping.tablespaces }, request.protectedPaths ?? []))
  for (const { location } of mapping.tablespaces) attempt(() => inspectTablespace(location, destination.marker))
  return { destination, refusals }
}

/** Free bytes at each place, or at the nearest folder above it that exists. */
function freeSpace(paths: readonly string[]): RestorePlan['space'] {
  return paths.flatMap((path) => {
    for (let at = path; ; at = dirname(at)) {
      try {
        const { bavail, bsize } = statfsSync(at)
        return [{ path, freeBytes: bavail * bsize }]
      } catch {
        if (at === dirname(at)) return []
      }
    }
  })
}

function uncheckedReasons(unchecked: readonly string[], files: FileList): readonly string[] {
  const reasons: string[] = []
  const [first] = unchecked
  if (first !== undefined) {
    const which = unchecked.length === 1 ? first : `${unchecked.length} parts such as ${first}`
    reasons.push(`${which}: neither the codec nor the backup keeps a checksum, so changed bytes inside a file would go unnoticed`)
  }
  if (files.missingBecause !== undefined)
    reasons.push(`the backup has no file list (${files.missingBecause}), so a missing file would go unnoticed`)
  return reasons
}
