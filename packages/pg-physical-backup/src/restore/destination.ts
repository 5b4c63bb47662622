import { lstatSync, opendirSync, realpathSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { Fault } from '@waltz/errors'
import { errnoOf, localFault } from './local-fault.ts'
import { isReservedName, markerName, readMarker, type RestoreMarker } from './marker.ts'
import { checkNoLivingOwner } from './restore-owner.ts'
import type { RestoreRoots } from './tree-writer.ts'

/** What a destination is before the restore. */
export interface DestinationState {
  /** With links resolved as far as the path exists. */
  readonly path: string
  /** `interrupted` = the same restore was started here and did not finish. */
  readonly state: 'absent' | 'empty' | 'interrupted'
  readonly marker: RestoreMarker | undefined
}

/** Which backup is about to be restored. */
export interface RestoreIdentity {
  readonly backup: string
  readonly backupId: string
}

/**
 * Judges the folder of a restore. Reads only.
 * @throws Fault `invalid` `RESTORE_DESTINATION_INVALID` (not a folder, no parent), `conflict`
 * `RESTORE_DESTINATION_RUNNING`, `RESTORE_IN_PROGRESS`, `RESTORE_INTERRUPTED_OTHER`, `RESTORE_ALREADY_COMPLETE`,
 * `already-exists` `RESTORE_DESTINATION_NOT_EMPTY`.
 */
export function inspectDestination(given: string, identity: RestoreIdentity): DestinationState {
  const path = resolveExisting(given)
  if (!folderExists(path)) {
    if (!folderExists(dirname(path)))
      throw invalidDestination(
        path,
        'its parent folder does not exist',
        `Create ${dirname(path)} first, or check the path for a typing error.`,
      )
    return { path, state: 'absent', marker: undefined }
  }
  if (existsAt(join(path, 'postmaster.pid')))
    throw new Fault(
      'conflict',
      'RESTORE_DESTINATION_RUNNING',
      `${path} holds postmaster.pid: a PostgreSQL server runs there or was killed there`,
      {
        context: { path },
        hint: 'Restore into another folder, or stop that server and move its folder away.',
      },
    )
  checkNoLivingOwner(path)
  const marker = readMarker(path)
  if (marker !== undefined) {
    judgeMarker(path, marker, identity)
    return { path, state: 'interrupted', marker }
  }
  const entry = firstEntry(path)
  if (entry === undefined) return { path, state: 'empty', marker: undefined }
  throw new Fault('already-exists', 'RESTORE_DESTINATION_NOT_EMPTY', `${path} is not empty: it holds ${entry}`, {
    context: { path },
    hint: 'A restore needs an empty folder or one that does not exist. Give another one, or move what is there away.',
  })
}

/**
 * Judges a tablespace's location: it must be absent or empty, unless an interrupted run of the same restore used it.
 * @throws Fault `already-exists` `RESTORE_TABLESPACE_NOT_EMPTY`, `invalid` `RESTORE_DESTINATION_INVALID`.
 */
export function inspectTablespace(location: string, marker: RestoreMarker | undefined): void {
  const path = resolveExisting(location)
  if (!folderExists(path)) return
  if (marker?.tablespaces.some((one) => resolveExisting(one.location) === path) === true) return
  const entry = firstEntry(path)
  if (entry === undefined) return
  throw new Fault('already-exists', 'RESTORE_TABLESPACE_NOT_EMPTY', `the tablespace location ${path} is not empty: it holds ${entry}`, {
    context: { path },
    hint: 'Give --restore-spec FILE to put the tablespaces elsewhere, or move what is there away.',
  })
}

/**
 * Looks again at what was judged before, now that nobody else can begin a restore there: somebody may have begun one
 * since, and finished it.
 * @throws Fault `conflict` `RESTORE_IN_PROGRESS` when it is not what it was; what `inspectDestination` says of a marker.
 */
export function requireUnchanged(planned: DestinationState, tablespaces: readonly string[], identity: RestoreIdentity): void {
  const marker = readMarker(planned.path)
  if (marker !== undefined) judgeMarker(planned.path, marker, identity)
  const before = planned.state === 'interrupted'
  const filled = [planned.path, ...tablespaces].find((path) => folderExists(path) && firstEntry(path) !== undefined)
  if (before ? marker !== undefined : marker === undefined && filled === undefined) return
  throw new Fault(
    'conflict',
    'RESTORE_IN_PROGRESS',
    `${filled ?? planned.path} was changed by somebody else while the restore was planned`,
    {
      context: { path: planned.path },
      hint: 'Another restore may have used it. Look into it, then run the command again.',
    },
  )
}

/**
 * Refuses a restore whose folders lie in each other or in a folder that must not be touched, such as the repository.
 * @throws Fault `invalid` `RESTORE_DESTINATION_INVALID`.
 */
export function checkNesting(roots: RestoreRoots, protectedPaths: readonly string[]): void {
  const own = [
    { what: 'the data directory', path: resolveExisting(roots.destination) },
    ...roots.tablespaces.map((one) => ({ what: `tablespace ${one.name}`, path: resolveExisting(one.location) })),
  ]
  for (const [index, one] of own.entries()) {
    for (const other of own.slice(index + 1))
      if (isWithin(one.path, other.path) || isWithin(other.path, one.path))
        throw invalidDestination(
          other.path,
          `${one.what} and ${other.what} would lie in each other`,
          'Give every tablespace a folder of its own.',
        )
    for (const kept of protectedPaths.map(resolveExisting))
      if (isWithin(kept, one.path) || isWithin(one.path, kept))
        throw invalidDestination(
          one.path,
          `${one.what} and the repository ${kept} would lie in each other`,
          'Restore into a folder outside the repository.',
        )
  }
}

/** The path with links resolved as far as it exists. */
export function resolveExisting(path: string): string {
  const full = resolve(path)
  try {
    return realpathSync(full)
  } catch (error) {
    if (errnoOf(error) === 'ENOTDIR')
      throw invalidDestination(full, 'a part of its path is not a folder', 'Check the path for a typing error.')
    if (errnoOf(error) !== 'ENOENT' || full === dirname(full)) throw localFault(error, 'looking at', full)
    const parent = resolveExisting(dirname(full))
    return join(parent, relative(dirname(full), full))
  }
}

function judgeMarker(path: string, marker: RestoreMarker, identity: RestoreIdentity): void {
  if (existsAt(join(path, 'global/pg_control')))
    throw new Fault(
      'conflict',
      'RESTORE_ALREADY_COMPLETE',
      `the restore of ${marker.backup} into ${path} is complete; only its marker is left`,
      {
        context: { path },
        hint: `Delete ${join(path, markerName)} and start the server, or delete the folder to restore again.`,
      },
    )
  if (marker.backup !== identity.backup || marker.backupId !== identity.backupId)
    throw new Fault('conflict', 'RESTORE_INTERRUPTED_OTHER', `${path} holds an interrupted restore of another backup, ${marker.backup}`, {
      context: { path, backup: marker.backup },
      hint: `Finish that one with waltz backup-fetch ${path} ${marker.backup}, or delete the folder.`,
    })
}

function folderExists(path: string): boolean {
  try {
    if (statSync(path).isDirectory()) return true
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false
    throw localFault(error, 'looking at', path)
  }
  throw invalidDestination(path, 'it is not a folder', 'Give a folder that is empty or does not exist.')
}

function existsAt(path: string): boolean {
  try {
    lstatSync(path)
    return true
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return false
    throw localFault(error, 'looking at', path)
  }
}

function firstEntry(path: string): string | undefined {
  try {
    const folder = opendirSync(path)
    try {
      for (let entry = folder.readSync(); entry !== null; entry = folder.readSync()) if (!isReservedName(entry.name)) return entry.name
      return undefined
    } finally {
      folder.closeSync()
    }
  } catch (error) {
    throw localFault(error, 'reading', path)
  }
}

function isWithin(outer: string, inner: string): boolean {
  return inner === outer || inner.startsWith(outer === '/' ? '/' : `${outer}/`)
}

function invalidDestination(path: string, what: string, hint: string): Fault {
  return new Fault('invalid', 'RESTORE_DESTINATION_INVALID', `cannot restore into ${path}: ${what}`, { context: { path }, hint })
}
