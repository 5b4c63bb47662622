import { mkdirSync } from 'node:fs'
import { Fault, throwIfAborted } from '@waltz/errors'
import { parseBackupLabel, formatLsn } from '@waltz/pg-structures'
import { clearInterrupted } from './clear-interrupted.ts'
import { placeControlFile } from './control-placement.ts'
import { requireUnchanged } from './destination.ts'
import { extractParts } from './extract-parts.ts'
import type { ExtractContext } from './extract-part.ts'
import { listUnmarked } from './file-list.ts'
import { makeNeededFolders, makeTablespaceFolders, makeTablespaceLinks, signalWarnings, writeRecovery } from './finish-tree.ts'
import { errnoOf, guarded } from './local-fault.ts'
import { removeMarker, writeMarker } from './marker.ts'
import { memberKey } from './member-name.ts'
import { addTally, emptyTally, type PartTally } from './part-tally.ts'
import type { PreparedRestore } from './prepare-restore.ts'
import { claimDestination, type DestinationClaim } from './restore-owner.ts'
import type { ApplyRestoreOptions, RestorePlan, RestoreResult } from './restore-options.ts'
import { findTrustedSyncProgram } from './sync-program.ts'
import { EVERY_FILE, syncTrees, type SyncMethod } from './sync-tree.ts'
import { createTreeWriter, type RestoreRoots, type TreeWriter } from './tree-writer.ts'

/**
 * Carries a prepared restore out. The order makes an interrupted one harmless: marker, files, tablespace links, recovery
 * settings, everything synced, control file, marker removed. Until the control file is renamed into place no PostgreSQL
 * starts on the folder, and the same restore run again clears what is there.
 * @throws Fault: the plan's first refusal; what `extractParts` throws; `corrupt` `RESTORE_FILES_MISSING`,
 * `BACKUP_LABEL_MISSING` or `BACKUP_LABEL_MISMATCH`; `unavailable` `RESTORE_NO_SPACE` and other local faults.
 */
export async function applyRestore(prepared: PreparedRestore, options: ApplyRestoreOptions): Promise<RestoreResult> {
  const { plan, request } = prepared
  const [refusal] = plan.refusals
  if (refusal !== undefined) throw refusal
  throwIfAborted(request.signal)
  const roots: RestoreRoots = { destination: plan.destination.path, tablespaces: plan.tablespaces }
  const observed = { ...options, observe: options.observe ?? ((): void => undefined) }
  if (plan.destination.state === 'absent') makeFolder(roots.destination)
  const claims = createClaims()
  try {
    claims.add(roots.destination)
    // Locations too: another restore of the same backup into another folder would fill the same ones.
    makeTablespaceFolders(roots)
    for (const { location } of roots.tablespaces) claims.add(location)
    const locations = roots.tablespaces.map((one) => one.location)
    requireUnchanged(plan.destination, locations, { backup: plan.backup.name, backupId: prepared.backupId })
    return await writeTree(prepared, roots, { ...observed, beforeLast: claims.release })
  } finally {
    claims.release()
  }
}

/** Not with its parents: the plan has seen them, and a working directory that was deleted cannot get any. */
function makeFolder(path: string): void {
  guarded('creating', path, () => {
    try {
      mkdirSync(path, 0o700)
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error
    }
  })
}

interface Claims {
  readonly add: (folder: string) => void
  readonly release: () => void
}

function createClaims(): Claims {
  const claims: DestinationClaim[] = []
  return {
    add: (folder) => void claims.push(claimDestination(folder)),
    release: () => claims.forEach((claim) => claim.release()),
  }
}

type ObservedOptions = ApplyRestoreOptions & Required<Pick<ApplyRestoreOptions, 'observe'>>

interface WriteOptions extends ObservedOptions {
  /** Called when only the marker is still to go. */
  readonly beforeLast: () => void
}

async function writeTree(prepared: PreparedRestore, roots: RestoreRoots, options: WriteOptions): Promise<RestoreResult> {
  const { plan, request } = prepared
  const { observe } = options
  await markDestination(prepared, roots, () => observe({ type: 'phase', phase: 'clearing' }))
  observe({ type: 'phase', phase: 'extracting', totalBytes: storedBytesToFetch(plan) })
  const tree = createTreeWriter(roots, { syncBehind: options.sync })
  const { total, retriedParts } = await extract(prepared, tree, options)
  observe({ type: 'phase', phase: 'checking' })
  await checkComplete(prepared)
  checkLabel(prepared, total)
  makeNeededFolders(roots.destination, plan.backup.serverVersion)
  makeTablespaceLinks(roots)
  if (plan.recovery !== undefined) writeRecovery(roots.destination, plan.recovery)
  const warnings = [...(plan.recovery === undefined ? signalWarnings(roots.destination) : []), ...tree.finishModes()]
  throwIfAborted(request.signal)
  observe({ type: 'phase', phase: 'syncing' })
  const synced: SyncMethod = options.sync ? await syncRoots(roots) : 'skipped'
  observe({ type: 'phase', phase: 'finishing' })
  placeControlFile(roots.destination, prepared.controlFile, options.sync)
  options.beforeLast()
  removeMarker(roots.destination)
  return resultOf(prepared, total, { retriedParts, synced, warnings })
}

async function syncRoots({ destination, tablespaces }: RestoreRoots): Promise<SyncMethod> {
  const folders = [destination, ...tablespaces.map((one) => one.location)]
  return await syncTrees(folders, (await findTrustedSyncProgram(folders)) ?? EVERY_FILE)
}

function resultOf(
  { plan, files, manifest, controlFile }: PreparedRestore,
  total: PartTally,
  rest: Pick<RestoreResult, 'retriedParts' | 'synced' | 'warnings'>,
): RestoreResult {
  return {
    plan,
    // The control file was held back from the parts.
    files: total.files + 1,
    directories: total.directories,
    bytes: total.bytes + controlFile.length,
    retriedParts: rest.retriedParts,
    startedOver: plan.destination.state === 'interrupted',
    synced: rest.synced,
    skipped: { count: total.skippedCount, members: total.skipped },
    vanished: files.vanished,
    recordedLinks: manifest?.links ?? [],
    notFullyChecked: plan.notFullyChecked,
    warnings: [...plan.warnings, ...rest.warnings],
  }
}

/** The control file was fetched with the plan. */
function storedBytesToFetch({ parts }: RestorePlan): number {
  return parts.reduce((sum, part) => (part.role === 'control' ? sum : sum + part.storedBytes), 0)
}

/** Clears what an interrupted run left, and puts the marker in before anything else. */
async function markDestination(prepared: PreparedRestore, roots: RestoreRoots, onClear: () => void): Promise<void> {
  const { plan, backupId } = prepared
  const { destination } = roots
  const tablespaces = roots.tablespaces.map(({ name, location }) => ({ name, location }))
  const marker = { backup: plan.backup.name, backupId, tablespaces }
  const old = plan.destination.marker
  if (old !== undefined) {
    onClear()
    const unknown = old.tablespaces.filter((one) => !tablespaces.some((other) => other.location === one.location))
    writeMarker(destination, { ...marker, tablespaces: [...tablespaces, ...unknown] })
    const { filter } = prepared.files
    await clearInterrupted(destination, old, (path) => filter === undefined || filter.has(path))
  }
  writeMarker(destination, marker)
}

interface Extracted {
  readonly total: PartTally
  readonly retriedParts: number
}

/** Data first, then the label, so that the label of `backup_label.tar` wins over one that lay in the data directory. */
async function extract(prepared: PreparedRestore, tree: TreeWriter, options: ObservedOptions): Promise<Extracted> {
  const { plan, request } = prepared
  const total = emptyTally()
  const retried = new Set<string>()
  let fetched = 0
  const context: ExtractContext = {
    store: request.store,
    sealed: request.sealed,
    tree,
    filter: prepared.files.filter,
    leftOut: new Set(prepared.mapping.dropTablespaceMap ? ['tablespace_map'] : []),
    endMarked: plan.parts.some((part) => part.role === 'label'),
    ownLinks: new Set(plan.tablespaces.map((one) => `pg_tblspc/${one.name}`)),
    signal: request.signal,
    onBytes: (bytes) => {
      fetched += bytes
      options.observe({ type: 'fetched', bytes: fetched })
    },
  }
  for (const role of ['data', 'label'] as const) {
    const parts = plan.parts.filter((part) => part.role === role)
    const tally = await extractParts(parts, context, {
      lanes: options.lanes,
      retries: options.retries,
      sleep: options.sleep,
      onRetry: (part, attempt, cause) => {
        retried.add(part)
        options.observe({ type: 'retry', part, attempt, cause })
      },
    })
    addTally(total, tally)
  }
  return { total, retriedParts: retried.size }
}

/**
 * Every listed name must have been met in some part. WAL-G drops a file that vanished before it could be read from the
 * list as well, so a listed name without a member is damage.
 */
async function checkComplete({ files, fileSource, plan }: PreparedRestore): Promise<void> {
  const { filter } = files
  if (filter === undefined) return
  filter.mark(memberKey('global/pg_control'))
  const missing = filter.size - filter.marked
  if (missing === 0) return
  const names = await listUnmarked(fileSource, filter, 5)
  throw new Fault(
    'corrupt',
    'RESTORE_FILES_MISSING',
    `${missing} of ${filter.size} files of ${plan.backup.name} are in none of its parts: ${names.join(', ')}`,
    {
      context: { missing, first: names[0] ?? '' },
      hint: 'A part was cut or replaced. Restore another backup.',
    },
  )
}

/** Without the right label PostgreSQL would begin at the wrong place and keep damaged pages without a word. */
function checkLabel({ sentinel, plan }: PreparedRestore, total: PartTally): void {
  const { name } = plan.backup
  if (total.backupLabel === undefined)
    throw new Fault('corrupt', 'BACKUP_LABEL_MISSING', `${name} holds no backup_label`, {
      hint: 'Without it PostgreSQL would start from the wrong place and keep torn pages. Restore another backup.',
    })
  const label = parseBackupLabel(new TextDecoder().decode(total.backupLabel))
  if (sentinel.startLsn === undefined || label.startLsn === sentinel.startLsn) return
  throw new Fault(
    'corrupt',
    'BACKUP_LABEL_MISMATCH',
    `the backup_label in ${name} begins at ${formatLsn(label.startLsn)}, the backup at ${formatLsn(sentinel.startLsn)}`,
    {
      hint: 'Objects of two backups were mixed under one name. Restore another backup.',
    },
  )
}
