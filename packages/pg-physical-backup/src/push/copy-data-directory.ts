import { createBlockPool } from '@waltz/bytes'
import { Fault } from '@waltz/errors'
import type { ClusterEntry } from './cluster-entry.ts'
import { readDatabaseNames, type DatabaseNames } from './database-names.ts'
import { createEntryQueue } from './entry-queue.ts'
import { factsOfStat } from './entry-facts.ts'
import { openSession } from './open-session.ts'
import { openOwnerNames, type OwnerNames } from './owner-names.ts'
import { pageCheckFor } from './page-check.ts'
import type { PushRequest, PushSurroundings } from './push-backup-options.ts'
import { pushParts } from './push-parts.ts'
import type { RunningBackup } from './push-backup.ts'
import { createSpool, type Spool, type SpoolFile } from './spool.ts'
import type { StoredPart } from './store-part.ts'
import { noFindings, walkDataDirectory, type WalkFindings, type WalkOptions } from './walk.ts'

/** Everything of the data directory but pg_control, stored. */
export interface CopiedData {
  readonly parts: readonly StoredPart[]
  readonly lists: readonly SpoolFile[]
  readonly databases: DatabaseNames | undefined
  readonly findings: WalkFindings
  readonly files: number
  readonly corruptBlocks: number
  readonly owners: OwnerNames
  /** Frees the spooled lists. */
  close(): void
}

/**
 * Walks, packs and stores the data directory, while names for partial restore are read on sessions of their own.
 * @throws Fault `corrupt` `BACKUP_CORRUPT_PAGES` when pages are corrupt and that shall make the backup fail; what reading and storing throw.
 */
export async function copyDataDirectory(
  running: RunningBackup,
  request: PushRequest,
  { around, signal }: { readonly around: PushSurroundings; readonly signal: AbortSignal },
): Promise<CopiedData> {
  const spool = createSpool(around.spoolFolder)
  const findings = noFindings()
  const factsOf = around.factsOf ?? factsOfStat
  const owners = around.owners ?? openOwnerNames()
  around.observe({ type: 'phase', phase: 'copying' })
  // Its failure stops the copying, and the copying's failure stops it.
  const ended = new AbortController()
  const either = AbortSignal.any([signal, ended.signal])
  const beside = readBeside(request, around, { spool, signal: either })
  beside.catch((error: unknown) => ended.abort(error))
  const queue = createEntryQueue(walk(running, { spool, findings, factsOf }), either)
  try {
    const pushed = await pushParts(queue, {
      target: { store: around.store, format: around.format, backupName: running.name, signal: either },
      pack: {
        thresholdBytes: request.thresholdBytes,
        chunkBytes: around.format.chunkBytes,
        pool: createBlockPool(around.format.chunkBytes),
        owners,
        factsOf,
        ...pageCheck(running, request, { around, signal: either }),
        ...diskLimit(around),
      },
      lanes: request.lanes,
      uploadQueue: request.uploadQueue,
      spool,
      observe: around.observe,
    })
    try {
      requireSoundPages(pushed.corruptBlocks, request)
      const databases = await beside
      warnOf(databases, running, around)
      const close = (): void => closeAll([...pushed.lists, ...(databases === undefined ? [] : [databases.list])])
      return { ...pushed, databases, findings, owners, close }
    } catch (error) {
      closeAll(pushed.lists)
      throw error
    }
  } catch (error) {
    ended.abort(error)
    await beside.then(
      (databases) => databases?.list.close(),
      () => undefined,
    )
    throw error
  } finally {
    queue.close()
  }
}

function closeAll(lists: readonly SpoolFile[]): void {
  for (const list of lists) list.close()
}

function warnOf(databases: DatabaseNames | undefined, running: RunningBackup, around: PushSurroundings): void {
  for (const message of databases?.warnings ?? []) {
    running.warnings.push(message)
    around.observe({ type: 'warning', message })
  }
}

function requireSoundPages(corruptBlocks: number, { corruptPages }: PushRequest): void {
  if (corruptBlocks === 0 || corruptPages === 'report') return
  throw new Fault(
    'corrupt',
    'BACKUP_CORRUPT_PAGES',
    `${corruptBlocks} pages of the data directory are corrupt; the backup is not announced`,
    {
      hint: 'The pages are named in the log. Repair the relations, or set WALTZ_CORRUPT_PAGES=report to take the backup all the same.',
    },
  )
}

function walk(
  running: RunningBackup,
  options: Pick<WalkOptions, 'spool' | 'findings' | 'factsOf'>,
): Generator<ClusterEntry, void, undefined> {
  const walFolders = running.session.facts.serverVersion >= 170_000 ? ['archive_status', 'summaries'] : ['archive_status']
  return walkDataDirectory({ ...options, dataDirectory: running.directory.path, walFolders })
}

/** What is read from the server while files are copied. What the server says to it never costs the backup. */
async function readBeside(
  request: PushRequest,
  around: PushSurroundings,
  { spool, signal }: { readonly spool: Spool; readonly signal: AbortSignal },
): Promise<DatabaseNames | undefined> {
  if (request.estimate) await estimate(around, signal)
  if (request.withoutFilesMetadata || !request.databaseNames) return undefined
  return await readDatabaseNames(around.connect, spool, signal)
}

async function estimate(around: PushSurroundings, signal: AbortSignal): Promise<void> {
  try {
    const session = await openSession(around.connect, { signal })
    try {
      const [row] = await session.query('select sum(pg_tablespace_size(oid))::text as bytes from pg_tablespace')
      around.observe({ type: 'estimated', bytes: Number(row?.['bytes'] ?? 0) })
    } finally {
      await session.close()
    }
  } catch {
    // Progress then shows no time left; there is nothing to tell.
  }
}

function pageCheck(
  running: RunningBackup,
  request: PushRequest,
  { around, signal }: { readonly around: PushSurroundings; readonly signal: AbortSignal },
): { pageCheck?: (name: string) => ReturnType<typeof pageCheckFor> } {
  if (!request.verifyPages) return {}
  if (!running.session.facts.dataChecksums) {
    const message = 'pages are not verified: the cluster has no data checksums'
    running.warnings.push(message)
    around.observe({ type: 'warning', message })
    return {}
  }
  const { blockBytes, relationSegmentBlocks } = running.directory.control
  const { startLsn } = running.session
  return {
    pageCheck: (name) => pageCheckFor(name, { blockBytes, relationSegmentBlocks, startLsn, sleep: (ms) => around.sleep(ms, signal) }),
  }
}

function diskLimit({ diskLimit: limit }: PushSurroundings): { diskLimit?: NonNullable<PushSurroundings['diskLimit']> } {
  return limit === undefined ? {} : { diskLimit: limit }
}
