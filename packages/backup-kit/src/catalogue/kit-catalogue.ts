import { segmentNumberBefore, segmentNumberOf } from '@waltz/pg-structures'
import type { FileRecord } from '@waltz/repository'
import type { Settings } from '@waltz/settings'
import type { CallOptions } from '@waltz/storage'
import type { KitStorages } from '../kit-storage.ts'
import type { KitSurroundings } from '../surroundings.ts'
import type { Catalogue, CatalogueEntry } from './catalogue-entry.ts'
import type { BackupDescription, DescribeBackupOptions } from './describe-backup.ts'
import type { GarbageReport } from './find-garbage.ts'
import type { MarkBackupOptions, MarkResult } from './mark-backup.ts'
import type { ReadCatalogueOptions } from './read-catalogue.ts'
import type { ReadBackupFilesOptions } from './read-backup-files.ts'
import type { SegmentSize } from './segment-size.ts'
import type { SurveyWalOptions, WalSurvey } from './survey-wal.ts'
import type { BackupWal } from './wal-findings.ts'

/** What can be said of a kit's backups and WAL. Everything but `mark` only reads. */
export interface KitCatalogue {
  /** Which backups there are: see `readCatalogue`. */
  read(options?: KitReadOptions): Promise<Catalogue>
  /** What the archive means for the backups of a catalogue that was read with its documents: one listing of `wal_005/` for each storage. */
  surveyWal(catalogue: Catalogue, options?: CallOptions): Promise<CatalogueWal>
  /** What is of no use: see `findGarbage`. */
  findGarbage(options?: KitGarbageOptions): Promise<GarbageReport>
  /** One backup with its relatives, and whether the WAL is there that it needs: see `describeBackup`. */
  describe(options: KitDescribeOptions): Promise<BackupDescription & { readonly wal: BackupWal | undefined }>
  /** The files of a backup by its file list: see `readBackupFiles`. */
  files(entry: Pick<CatalogueEntry, 'name' | 'storage'>, options?: ReadBackupFilesOptions): AsyncIterable<readonly FileRecord[]>
  /** Marks a backup as permanent, with its ancestors, or as not permanent: see `markBackup`. */
  mark(options: Omit<MarkBackupOptions, 'now'>): Promise<MarkResult>
}

/** Where garbage is looked for besides the backups. */
export interface KitGarbageOptions extends CallOptions {
  /** False: the archive is not looked through. */
  readonly wal?: boolean
  /** Also among versions that no listing shows, which takes a listing of all of them: see `findHiddenVersions`. */
  readonly versions?: boolean
}

/** How the catalogue of a kit is read. */
export type KitReadOptions = Omit<ReadCatalogueOptions, 'now' | 'writtenWithinMs' | 'readsAtOnce'>

/** Which backup of a kit is described. */
export interface KitDescribeOptions extends Omit<DescribeBackupOptions, 'now' | 'writtenWithinMs'> {
  /** Looks through the whole archive to tell how far the backup can be rolled forward; otherwise only at the segments that it needs. */
  readonly windows?: boolean
}

/** The archive as far as it matters to backups. */
export interface CatalogueWal {
  readonly segmentSize: SegmentSize
  readonly survey: WalSurvey
  /** By entry of the catalogue; none for backups that do not tell where they begin and end. */
  readonly backups: ReadonlyMap<CatalogueEntry, BackupWal>
  /** The entries with `wal-missing` and `wal-not-yet-archived` among their findings, in the same order. */
  readonly entries: readonly CatalogueEntry[]
}

const BYTES_PER_MIB = 1_048_576

/** What everything is made from. */
interface Parts {
  readonly settings: Settings
  readonly now: () => Date
  readonly storages: KitStorages
}

/** No I/O until something is asked; the code behind is loaded then. */
export function createKitCatalogue(settings: Settings, { now }: KitSurroundings, storages: KitStorages): KitCatalogue {
  const parts: Parts = { settings, now, storages }
  return {
    read: (options = {}) => read(parts, options),
    surveyWal: (catalogue, options = {}) => surveyBackups(parts, catalogue, options),
    findGarbage: (options = {}) => garbage(parts, options),
    describe: (options) => describe(parts, options),
    async *files({ name, storage }, options = {}) {
      const { readBackupFiles } = await import('./read-backup-files.ts')
      const [found] = await storages.list({ names: [storage] })
      yield* readBackupFiles(found?.store ?? storages.store, name, options)
    },
    async mark(options) {
      const { markBackup } = await import('./mark-backup.ts')
      return await markBackup(await storages.toSurvey(options), { ...options, now })
    },
  }
}

async function read({ settings, now, storages }: Parts, options: KitReadOptions): Promise<Catalogue> {
  const { readCatalogue } = await import('./read-catalogue.ts')
  return await readCatalogue(await storages.toSurvey(options), { ...options, now, writtenWithinMs: settings.unfinishedBackupAge })
}

type SurveyRequest = Pick<SurveyWalOptions, 'segmentBytes' | 'cutAt' | 'range' | 'signal' | 'listing'>

/** The codec, and with it keys, are needed for histories only. */
async function survey({ storages }: Parts, options: SurveyRequest): Promise<WalSurvey> {
  const { surveyWal } = await import('./survey-wal.ts')
  const call = callOf(options)
  const { createHistoryReader } = await import('./read-history.ts')
  return await surveyWal(await storages.toSurvey(call), { ...options, readHistory: createHistoryReader(storages, call) })
}

async function sizeOf({ settings }: Parts, entries: readonly CatalogueEntry[]): Promise<SegmentSize> {
  const { segmentSizeOf } = await import('./segment-size.ts')
  return segmentSizeOf(entries, settings.pgWalSize === undefined ? undefined : settings.pgWalSize * BYTES_PER_MIB)
}

async function surveyBackups(parts: Parts, { entries }: Catalogue, options: CallOptions): Promise<CatalogueWal> {
  const segmentSize = await sizeOf(parts, entries)
  const surveyed = await survey(parts, { ...callOf(options), segmentBytes: segmentSize.bytes })
  const { walOfBackups } = await import('./wal-findings.ts')
  const found = walOfBackups(entries, surveyed)
  const backups = new Map<CatalogueEntry, BackupWal>()
  const withFindings = entries.map((entry) => {
    const wal = found.get(entry)
    const complete = withFinding(entry, wal)
    if (wal !== undefined) backups.set(complete, wal)
    return complete
  })
  return { segmentSize, survey: surveyed, backups, entries: withFindings }
}

async function garbage(parts: Parts, { wal = true, versions = false, ...options }: KitGarbageOptions): Promise<GarbageReport> {
  const listed = await garbageOfListings(parts, wal, options)
  if (!versions) return listed
  const { findHiddenVersions } = await import('./find-hidden-versions.ts')
  const looked = await parts.storages.toSurvey(options)
  const names = looked.flatMap(({ name, why }) => (why === undefined ? [name] : []))
  const hidden = await findHiddenVersions(await parts.storages.list({ names }), options)
  return { findings: [...listed.findings, ...hidden.findings], warnings: [...listed.warnings, ...hidden.warnings] }
}

async function garbageOfListings(parts: Parts, wal: boolean, options: CallOptions): Promise<GarbageReport> {
  const { findGarbage, firstNeededSegments } = await import('./find-garbage.ts')
  if (!wal) return findGarbage(await read(parts, options))
  const { listArchiveAhead } = await import('./list-archive-ahead.ts')
  const looked = await parts.storages.toSurvey(options)
  await using ahead = listArchiveAhead(looked, options)
  const catalogue = await read(parts, { ...options, onListed: ahead.begin })
  const { bytes: segmentBytes } = await sizeOf(parts, catalogue.entries)
  const cuts = firstNeededSegments(catalogue.entries, segmentBytes)
  const { listing } = ahead
  const surveyed = await survey(parts, { ...callOf(options), segmentBytes, cutAt: (timeline) => cuts.get(timeline), listing })
  const report = findGarbage(catalogue, { survey: surveyed, cuts })
  const others = (await parts.storages.list()).filter(({ name }) => looked.every((one) => one.name !== name))
  const notLooked = others.map(
    ({ name }) => `the storage ${name} was not looked at: backups in it may need WAL that is called of no use here`,
  )
  return { ...report, warnings: [...report.warnings, ...notLooked] }
}

async function describe(
  parts: Parts,
  { windows = false, ...options }: KitDescribeOptions,
): Promise<BackupDescription & { readonly wal: BackupWal | undefined }> {
  const { settings, now, storages } = parts
  const { describeBackup } = await import('./describe-backup.ts')
  const clock = { now, writtenWithinMs: settings.unfinishedBackupAge }
  const description = await describeBackup(await storages.toSurvey(options), { ...options, ...clock })
  const { entry } = description
  const { bytes: segmentBytes } = await sizeOf(parts, [entry, ...description.ancestors])
  const range = rangeOf(entry, segmentBytes)
  if (range === undefined) return { ...description, wal: undefined }
  const surveyed = await survey(parts, { ...callOf(options), segmentBytes, ...(windows ? {} : { range }) })
  const { walOfBackups } = await import('./wal-findings.ts')
  const wal = walOfBackups([entry], surveyed).get(entry)
  // Only what follows without a gap to the end of the archive is a window.
  const known = wal === undefined || windows ? wal : { ...wal, windows: [] }
  return { ...description, entry: withFinding(entry, wal), wal: known }
}

function callOf({ signal }: CallOptions): CallOptions {
  return signal === undefined ? {} : { signal }
}

function withFinding(entry: CatalogueEntry, wal: BackupWal | undefined): CatalogueEntry {
  return wal?.finding === undefined ? entry : { ...entry, findings: [...entry.findings, wal.finding] }
}

function rangeOf(entry: CatalogueEntry, segmentBytes: number): SurveyWalOptions['range'] {
  const { timeline, startLsn, finishLsn, status } = entry
  if (status !== 'complete' || timeline === undefined || startLsn === undefined || finishLsn === undefined) return undefined
  return { timeline, first: segmentNumberOf(startLsn, segmentBytes), last: segmentNumberBefore(finishLsn, segmentBytes) }
}
