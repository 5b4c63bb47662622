import { lstatSync, readlinkSync, statSync, type BigIntStats } from 'node:fs'
import { Fault } from '@waltz/errors'
import type { ClusterEntry, FollowedLink, FoundTablespace, SkippedEntry } from './cluster-entry.ts'
import type { FactsOf } from './entry-facts.ts'
import { isDatabaseFolder, isDroppedFile, isEmptied } from './exclusions.ts'
import { readSortedFolder } from './sorted-folder.ts'
import type { Spool } from './spool.ts'

/** Reports beyond this number are counted, not kept: memory stays bounded in any directory. */
const REPORT_LIMIT = 10_000

/** What a walk found out besides the entries; filled while it runs. */
export interface WalkFindings {
  /** Sum of the sizes of all that was visited except stored files, which are sized when they are opened (RF 2.2, DataCatalogSize). */
  visitedBytes: number
  readonly tablespaces: FoundTablespace[]
  readonly links: FollowedLink[]
  readonly skipped: SkippedEntry[]
  /** Reports that were left out of `links` and `skipped`. */
  unreported: number
}

/** What a walk needs to know. */
export interface WalkOptions {
  /** Absolute, symbolic links resolved. */
  readonly dataDirectory: string
  /** Folders that PostgreSQL expects in `pg_wal`: `archive_status`, and `summaries` from 17 on. */
  readonly walFolders: readonly string[]
  readonly spool: Spool
  readonly findings: WalkFindings
  readonly factsOf: FactsOf
}

/** Nothing found yet. */
export function noFindings(): WalkFindings {
  return { visitedBytes: 0, tablespaces: [], links: [], skipped: [], unreported: 0 }
}

/**
 * Walks a data directory, depth first and in byte order as WAL-G does, tablespaces in place of their links (RF 3.5).
 * Yields everything to be stored except `global/pg_control`, which is stored last. Vanished entries are left out
 * silently; what cannot be stored is put into the findings.
 * @throws Fault `denied` or `unavailable` `DATA_DIRECTORY_UNREADABLE` when something exists and cannot be read.
 */
export function* walkDataDirectory(options: WalkOptions): Generator<ClusterEntry, void, undefined> {
  const stat = statOf(options.dataDirectory)
  if (stat === undefined) throw new Fault('unavailable', 'DATA_DIRECTORY_UNREADABLE', `${options.dataDirectory} does not exist`)
  options.findings.visitedBytes += Number(stat.size)
  yield { kind: 'directory', name: '/', facts: options.factsOf('/', stat) }
  yield* walkFolder({ ...options, open: new Set([identity(stat)]) }, '/', options.dataDirectory)
}

interface Walk extends WalkOptions {
  /** Folders on the way down, against links that lead in circles. */
  readonly open: Set<string>
}

function* walkFolder(walk: Walk, folder: string, path: string): Generator<ClusterEntry, void, undefined> {
  const sorted = guardMissing(path, () => readSortedFolder(path, walk.spool))
  if (sorted === undefined) return
  const facts = { name: folder, database: isDatabaseFolder(folder), unlogged: sorted.unlogged }
  try {
    for (const text of sorted.entries) {
      const baseName = text.slice(1)
      const name = folder === '/' ? `/${baseName}` : `${folder}/${baseName}`
      const at = `${path}/${baseName}`
      if (baseName.includes('\uFFFD') && guardMissing(at, () => lstatSync(at)) === undefined) {
        report(walk, 'skipped', { path: name, reason: 'its name is not UTF-8' })
      } else if (text.startsWith('f')) {
        if (isDroppedFile(facts, baseName)) countVisited(walk, at)
        else if (name !== '/global/pg_control') yield { kind: 'file', name, path: at }
        else countVisited(walk, at)
      } else if (text.startsWith('d')) yield* walkDirectory(walk, name, at)
      else if (text.startsWith('l'))
        yield* walkLink(walk, { name, path: at, dropped: isDroppedFile(facts, baseName) && !isEmptied(baseName) })
      else report(walk, 'skipped', { path: name, reason: 'it is a socket, pipe or device' })
    }
  } finally {
    sorted.close()
  }
}

function* walkDirectory(walk: Walk, name: string, path: string): Generator<ClusterEntry, void, undefined> {
  const stat = statOf(path)
  if (stat === undefined) return
  const baseName = name.slice(name.lastIndexOf('/') + 1)
  walk.findings.visitedBytes += Number(stat.size)
  // WAL-G writes what lies behind the links before the folder that holds them.
  if (name === '/pg_tblspc') yield* walkTablespaces(walk, path)
  yield { kind: 'directory', name, facts: walk.factsOf(name, stat) }
  if (name === '/pg_wal') {
    for (const inner of walk.walFolders)
      yield { kind: 'directory', name: `/pg_wal/${inner}`, facts: walk.factsOf(`/pg_wal/${inner}`, stat) }
  }
  if (isEmptied(baseName)) return
  const key = identity(stat)
  if (walk.open.has(key)) {
    report(walk, 'skipped', { path: name, reason: 'a symbolic link leads back to it' })
    return
  }
  walk.open.add(key)
  yield* walkFolder(walk, name, path)
  walk.open.delete(key)
}

function* walkTablespaces(walk: Walk, path: string): Generator<ClusterEntry, void, undefined> {
  const sorted = guardMissing(path, () => readSortedFolder(path, walk.spool))
  if (sorted === undefined) return
  try {
    for (const text of sorted.entries) {
      if (!text.startsWith('l')) continue
      const baseName = text.slice(1)
      const link = `${path}/${baseName}`
      const location = guardMissing(link, () => readlinkSync(link))
      if (location === undefined) continue
      const stat = statOf(link)
      if (stat === undefined) {
        report(walk, 'skipped', { path: `/pg_tblspc/${baseName}`, reason: `the tablespace's folder ${location} does not exist` })
        continue
      }
      requireReadable(link, location)
      walk.findings.tablespaces.push({ name: baseName, location: location.replace(/(?<=.)\/+$/, '') })
      walk.findings.visitedBytes += Number(stat.size)
      // Through the link, and as it is: what it leads to may be a link again, and have any name.
      yield* walkFolder(walk, `/pg_tblspc/${baseName}`, link)
    }
  } finally {
    sorted.close()
  }
}

/** A tablespace whose place cannot be written down could not be restored. */
function requireReadable(link: string, location: string): void {
  if (!location.includes('\uFFFD') || guardMissing(location, () => lstatSync(location)) !== undefined) return
  throw new Fault('unsupported', 'DATA_DIRECTORY_UNSUITABLE', `the tablespace behind ${link} lies in a folder whose name is not UTF-8`, {
    hint: 'Move it to a folder with another name: with the server stopped, rename the folder and replace the link.',
    context: { path: link },
  })
}

/** A link in the data directory: what it leads to is stored in its place, for a link member is lost on restore (RF Q8). */
function* walkLink(walk: Walk, link: { name: string; path: string; dropped: boolean }): Generator<ClusterEntry, void, undefined> {
  if (link.name.startsWith('/pg_tblspc/') && link.name.indexOf('/', 11) < 0) return
  const target = guardMissing(link.path, () => readlinkSync(link.path))
  if (target === undefined || link.dropped) return
  const stat = statOf(link.path)
  if (stat === undefined) {
    report(walk, 'skipped', { path: link.name, reason: `it is a symbolic link to ${target}, which does not exist` })
  } else if (stat.isDirectory()) {
    report(walk, 'links', { path: link.name, target })
    yield* walkDirectory(walk, link.name, link.path)
  } else if (isEmptied(link.name.slice(link.name.lastIndexOf('/') + 1))) {
    walk.findings.visitedBytes += Number(stat.size)
  } else if (stat.isFile()) {
    report(walk, 'links', { path: link.name, target })
    yield { kind: 'file', name: link.name, path: link.path }
  } else report(walk, 'skipped', { path: link.name, reason: `it is a symbolic link to ${target}, which is neither a file nor a folder` })
}

function report<Kind extends 'links' | 'skipped'>(walk: Walk, kind: Kind, entry: WalkFindings[Kind][number]): void {
  const list = walk.findings[kind] as (FollowedLink | SkippedEntry)[]
  if (list.length < REPORT_LIMIT) list.push(entry)
  else walk.findings.unreported += 1
}

function identity(stat: BigIntStats): string {
  return `${stat.dev}:${stat.ino}`
}

function countVisited(walk: Walk, path: string): void {
  walk.findings.visitedBytes += guardMissing(path, () => lstatSync(path))?.size ?? 0
}

function statOf(path: string): BigIntStats | undefined {
  return guardMissing(path, () => statSync(path, { bigint: true }))
}

/** Undefined for what is gone; a fault for what is there and cannot be read. */
function guardMissing<Value>(path: string, work: () => Value): Value | undefined {
  try {
    return work()
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    const kind = code === 'EACCES' || code === 'EPERM' ? 'denied' : 'unavailable'
    throw new Fault(kind, 'DATA_DIRECTORY_UNREADABLE', `could not read ${path}: ${message}`, {
      cause: error,
      hint: 'Run the backup as the user that owns the data directory.',
      context: { path },
    })
  }
}
