import type { SegmentTimes, SystemIdentifier, TimelineHistory, TimelineId } from '@waltz/pg-structures'
import { claimArchive } from './cluster-fence.ts'
import { verifyContinuity, type WalContinuity } from './continuity.ts'
import type { ArchiveContext } from './context.ts'
import { ensureWalRange, isStored, type EnsuredRange, type EnsureRangeRequest } from './ensure-range.ts'
import { fetchWal, type FetchOptions } from './fetch.ts'
import { fetchWalToFile, type FetchedToFile, type FetchToFileRequest } from './fetch-to-file.ts'
import { listArchive, summarizeTimelines, type ListOptions, type WalObject, type WalTimeline } from './list.ts'
import type { OpenedWal } from './open-stored.ts'
import type { WalArchiveOptions } from './options.ts'
import { pushWal, type PushOptions, type PushOutcome, type WalBody } from './push.ts'
import { readSegmentTimes } from './segment-times.ts'
import { readHistory } from './timeline-files.ts'

/** Taken by every reading call. */
export interface ReadOptions {
  readonly signal?: AbortSignal
}

/**
 * The archived WAL of one cluster. Safe to use from many processes at once: nothing is kept between calls, and files
 * are only ever created. Names are PostgreSQL's (`%f`); stored names add the codec's extension.
 *
 * Every method rejects with the store's and the codec's faults as they are, besides those named here.
 */
export interface WalArchive {
  /**
   * Stores a file; durable before it resolves. The same bytes again are `already-stored`, under whatever extension. A
   * segment or `.partial` must be one (size, page header, name, cluster), and the archive must belong to its cluster.
   * Tried again when the storage is unavailable, so `body` is called more than once.
   * @throws Fault `conflict` `WAL_CONFLICT` when other bytes are stored under the name (nothing is changed, unless the
   * archive was made with `replace`), `conflict` `WAL_ARCHIVE_FOREIGN`, `invalid` `WAL_FILE_INVALID`, `invalid`
   * `WAL_NAME_INVALID`, `corrupt` `WAL_STORED_DAMAGED`, `unavailable` `WAL_FILE_CHANGED`.
   */
  push(name: string, body: WalBody, options: PushOptions): Promise<PushOutcome>

  /**
   * Makes sure that the archive belongs to a cluster, and takes an archive without an owner into possession. Every push
   * of a segment does this by itself; a backup asks before its first byte.
   * @throws Fault `conflict` `WAL_ARCHIVE_FOREIGN`.
   */
  admit(systemIdentifier: SystemIdentifier, options?: ReadOptions): Promise<void>

  /**
   * Opens a file under whatever extension it is stored; the content is not checked beyond what its codec does.
   * @throws Fault `not-found` `WAL_NOT_FOUND` only when the archive answered, holds WAL of this cluster, and nothing says
   * that the file should be there. Otherwise `invalid` `WAL_ARCHIVE_EMPTY`, `conflict` `WAL_ARCHIVE_FOREIGN`,
   * `unsupported` `WAL_UNKNOWN_EXTENSION`, `unavailable` `WAL_HOLE` or `WAL_HISTORY_HOLE` (after a second look).
   */
  fetch(name: string, options?: FetchOptions): Promise<OpenedWal>

  /**
   * Fetches into a file: under a temporary name beside it, checked (size, page header, cluster, histories; records too
   * where the stored form has no checksum), synced, renamed, the folder synced. Whatever happens, a file that is not
   * whole never has the final name. Two names are not synced, because the server that asks for them does that itself:
   * `RECOVERYXLOG` and `RECOVERYHISTORY`.
   * @throws Fault as `fetch`; `corrupt` `WAL_CONTENT_WRONG`; `WAL_DESTINATION` (`invalid`, `denied` or `unavailable`);
   * `unsupported` `WAL_CRC_UNAVAILABLE`.
   */
  fetchToFile(request: FetchToFileRequest): Promise<FetchedToFile>

  /** Every archived file, in byte order of its object's name. */
  list(options?: ListOptions): AsyncIterable<WalObject>

  /** What is there of each timeline, ascending, from one listing. */
  timelines(options?: ListOptions): Promise<readonly WalTimeline[]>

  /** Whether a file is archived in a form that can be read here. Only says so: absence is explained by `fetch`. */
  has(name: string, options?: ReadOptions): Promise<boolean>

  /**
   * The history of a timeline; undefined when it is not archived, as always for timeline 1.
   * @throws Fault `corrupt` `WAL_CONTENT_WRONG` when it does not parse or names no ancestor.
   */
  history(timeline: TimelineId, options?: ReadOptions): Promise<TimelineHistory | undefined>

  /**
   * Whether every segment from `from` to `to` (both included) is there, following the history of `to`'s timeline. Names
   * only: contents are not read.
   * @throws Fault `invalid` `WAL_NAME_INVALID` when a name is no segment's or the two are not related.
   */
  verify(from: string, to: string, options?: ReadOptions): Promise<WalContinuity>

  /**
   * Makes sure that a range of finished segments, and the history of their timeline, is archived: pushes what is missing
   * from the caller's files, with every fence of `push`.
   * @throws Fault as `push`.
   */
  ensureRange(request: EnsureRangeRequest): Promise<EnsuredRange>

  /**
   * The commits, aborts and restore points of an archived segment: the moments it can be recovered to. Reads all of it.
   * @throws Fault `not-found` `WAL_NOT_FOUND`, `corrupt` `WAL_CONTENT_WRONG`.
   */
  segmentTimes(name: string, options?: ReadOptions): Promise<SegmentTimes>
}

/** Builds the archive; no I/O, and nothing to dispose of: the store belongs to the caller. */
export function createWalArchive(options: WalArchiveOptions): WalArchive {
  const context: ArchiveContext = { ...options, report: (event) => options.observe?.(event) }
  return {
    push: (name, body, pushOptions) => pushWal(context, name, body, pushOptions),
    admit: (systemIdentifier, { signal } = {}) => claimArchive(context, systemIdentifier, signal),
    fetch: (name, fetchOptions = {}) => fetchWal(context, name, fetchOptions),
    fetchToFile: (request) => fetchWalToFile(context, request),
    list: (listOptions = {}) => listArchive(context, listOptions),
    timelines: (listOptions = {}) => summarizeTimelines(context, listOptions),
    has: (name, { signal } = {}) => isStored(context, name, signal),
    history: (timeline, { signal } = {}) => readHistory(context, timeline, signal),
    verify: (from, to, { signal } = {}) => verifyContinuity(context, from, to, signal),
    ensureRange: (request) => ensureWalRange(context, request),
    segmentTimes: (name, { signal } = {}) => readSegmentTimes(context, name, signal),
  }
}
