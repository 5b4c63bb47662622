import { closeSync, fsyncSync, openSync, readFileSync, renameSync, unlinkSync, writeSync } from 'node:fs'
import { Fault } from '@waltz/errors'
import { errnoOf, guarded, localFault } from './local-fault.ts'

/** The file that says "this folder is being restored"; written first, removed last. */
export const markerName = '.waltz-restore-in-progress'
const temporaryName = `${markerName}.tmp`

/** The file that says which process restores; see `claimDestination`. */
export const ownerName = '.waltz-restore-owner'

/** Whether a name in the root of a folder belongs to the restore itself: no member of a backup may take it. */
export function isReservedName(name: string): boolean {
  return name === markerName || name === temporaryName || name === ownerName || name.startsWith(`${ownerName}.`)
}

/** What the marker holds: enough to recognise the same restore and to find what it wrote. */
export interface RestoreMarker {
  readonly backup: string
  /** Tells two backups of the same name apart. */
  readonly backupId: string
  readonly tablespaces: readonly { readonly name: string; readonly location: string }[]
}

/**
 * Writes the marker and makes it durable, before anything else is written.
 * @throws Fault `denied` `RESTORE_NOT_WRITABLE`, `unavailable` `RESTORE_NO_SPACE` or `RESTORE_WRITE_FAILED`.
 */
export function writeMarker(destination: string, marker: RestoreMarker): void {
  const path = `${destination}/${markerName}`
  guarded('writing', path, () => {
    const fd = openSync(`${destination}/${temporaryName}`, 'w', 0o600)
    try {
      writeSync(fd, `${JSON.stringify(marker, undefined, 2)}\n`)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    renameSync(`${destination}/${temporaryName}`, path)
    syncFolderNow(destination)
  })
}

/** Removes the marker and makes that durable. */
export function removeMarker(destination: string): void {
  const path = `${destination}/${markerName}`
  guarded('removing', path, () => {
    unlinkSync(path)
    syncFolderNow(destination)
  })
}

/**
 * The marker of a folder; undefined where there is none.
 * @throws Fault `conflict` `RESTORE_MARKER_UNREADABLE` when it is not one that Waltz wrote.
 */
export function readMarker(destination: string): RestoreMarker | undefined {
  const path = `${destination}/${markerName}`
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw localFault(error, 'reading', path)
  }
  const marker = parseMarker(text)
  if (marker !== undefined) return marker
  throw new Fault('conflict', 'RESTORE_MARKER_UNREADABLE', `${path} is not a marker that waltz wrote`, {
    context: { path },
    hint: 'Look into the folder; when nothing in it is needed, delete the folder and run the command again.',
  })
}

function parseMarker(text: string): RestoreMarker | undefined {
  let value: Partial<RestoreMarker> | undefined
  try {
    value = JSON.parse(text) as Partial<RestoreMarker> | undefined
  } catch {
    return undefined
  }
  if (typeof value?.backup !== 'string' || typeof value.backupId !== 'string' || !Array.isArray(value.tablespaces)) return undefined
  const whole = (value.tablespaces as readonly unknown[]).every((one) => {
    const { name, location } = (one ?? {}) as { readonly name?: unknown; readonly location?: unknown }
    return typeof name === 'string' && typeof location === 'string' && location.startsWith('/')
  })
  return whole ? (value as RestoreMarker) : undefined
}

/** Makes the entries of a folder durable. */
export function syncFolderNow(folder: string): void {
  const fd = openSync(folder, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
