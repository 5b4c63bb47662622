import { readAll, sourceOf } from '@waltz/bytes'
import { Fault, isFault } from '@waltz/errors'
import type { SystemIdentifier } from '@waltz/pg-structures'
import { clusterIdentityKey, createBackupCatalog, decodeClusterIdentity, encodeClusterIdentity } from '@waltz/repository'
import { callOptions, type ArchiveContext } from './context.ts'
import { matchStoredName } from './stored-name.ts'
import { readStoredStart } from './stored-start.ts'
import { first, listWal } from './wal-listing.ts'

const IDENTITY_LIMIT_BYTES = 65_536
/** Segments that are tried before the question goes to the backups. */
const SEGMENTS_TRIED = 3

/** The cluster that older content of the archive came from, and how that is known. */
interface Evidence {
  readonly systemIdentifier: SystemIdentifier | undefined
  readonly from: 'empty' | 'segment' | 'sentinel' | 'unreadable'
}

/**
 * The system identifier that the archive declares; undefined when it declares none (WAL-G's archives).
 * @throws Fault of the store; `corrupt` when the identity object is damaged.
 */
export async function readIdentity(context: ArchiveContext, signal?: AbortSignal): Promise<SystemIdentifier | undefined> {
  try {
    const body = await context.store.get(clusterIdentityKey, callOptions(signal))
    return decodeClusterIdentity(await readAll(body, IDENTITY_LIMIT_BYTES), { origin: clusterIdentityKey }).systemIdentifier
  } catch (error) {
    if (isFault(error, 'not-found')) return undefined
    throw error
  }
}

/**
 * Makes sure that the archive belongs to the cluster with this system identifier, and takes an archive without an
 * owner into possession: after comparing with what it already holds, and never against another process (ENG H13).
 * @throws Fault `conflict` `WAL_ARCHIVE_FOREIGN` when the archive is another cluster's.
 */
export async function claimArchive(context: ArchiveContext, own: SystemIdentifier, signal?: AbortSignal): Promise<void> {
  const declared = await readIdentity(context, signal)
  if (declared !== undefined) return requireSame(context, own, declared)
  const evidence = await ownerOfContent(context, signal)
  if (evidence.systemIdentifier !== undefined) requireSame(context, own, evidence.systemIdentifier)
  const tool = context.tool ?? { name: 'waltz', version: '' }
  const bytes = encodeClusterIdentity({ systemIdentifier: own, createdAt: context.now().toISOString(), tool })
  try {
    const options = { onlyIfAbsent: context.store.capabilities.conditionalPut, size: bytes.length, ...callOptions(signal) }
    await context.store.put(clusterIdentityKey, sourceOf(bytes), options)
    context.report({ type: 'identity-created', systemIdentifier: own, evidence: evidence.from })
  } catch (error) {
    if (!isFault(error, 'already-exists')) throw error
    const winner = await readIdentity(context, signal)
    if (winner !== undefined) requireSame(context, own, winner)
  }
}

/**
 * Makes sure that "not there" means something: the archive holds WAL, and WAL of the expected cluster.
 * @throws Fault `invalid` `WAL_ARCHIVE_EMPTY` or `conflict` `WAL_ARCHIVE_FOREIGN`.
 */
export async function requireOwnContent(context: ArchiveContext, signal?: AbortSignal): Promise<void> {
  const [declared, anyWal] = await Promise.all([readIdentity(context, signal), first(listWal(context, { signal }))])
  const own = context.expectedSystemIdentifier
  if (own !== undefined && declared !== undefined) requireSame(context, own, declared)
  if (anyWal === undefined) {
    throw new Fault('invalid', 'WAL_ARCHIVE_EMPTY', `${context.store.location} holds no archived WAL`, {
      hint: 'check the storage prefix that the server sees in its environment or config file',
      context: { location: context.store.location },
    })
  }
  if (own === undefined || declared !== undefined) return
  const evidence = await ownerOfContent(context, signal)
  if (evidence.systemIdentifier !== undefined) return requireSame(context, own, evidence.systemIdentifier)
  throw new Fault('conflict', 'WAL_ARCHIVE_FOREIGN', `nothing in ${context.store.location} tells which cluster it belongs to`, {
    hint: 'no segment and no backup there can be read; check the storage prefix and the settings of compression and encryption',
    context: { location: context.store.location, own: String(own) },
  })
}

function requireSame(context: ArchiveContext, own: SystemIdentifier, found: SystemIdentifier): void {
  if (own === found) return
  throw new Fault(
    'conflict',
    'WAL_ARCHIVE_FOREIGN',
    `${context.store.location} belongs to the cluster ${found}, this is the cluster ${own}`,
    {
      hint: 'give every cluster a storage prefix of its own; initdb and pg_upgrade make new clusters',
      context: { location: context.store.location, own: String(own), found: String(found) },
    },
  )
}

/** Whose WAL and backups these are: from the first segment that can be read, else from the newest backup. */
async function ownerOfContent(context: ArchiveContext, signal?: AbortSignal): Promise<Evidence> {
  let tried = 0
  let passedOver = false
  for await (const listed of listWal(context, { signal })) {
    if (listed.parts.kind !== 'segment') continue
    // An archive may have begun with a codec that is not there yet; its later segments tell as much.
    if (matchStoredName(listed.name, listed.storedName, context.format.extensions).kind !== 'readable') {
      passedOver = true
      continue
    }
    tried += 1
    const start = await unlessUnreadable(() => readStoredStart(context, listed, signal))
    if (start !== undefined) return { systemIdentifier: start.systemIdentifier, from: 'segment' }
    if (tried === SEGMENTS_TRIED) break
  }
  return (
    (await ownerOfNewestBackup(context, signal)) ?? {
      systemIdentifier: undefined,
      from: tried === 0 && !passedOver ? 'empty' : 'unreadable',
    }
  )
}

async function ownerOfNewestBackup(context: ArchiveContext, signal?: AbortSignal): Promise<Evidence | undefined> {
  const catalog = createBackupCatalog(context.store)
  try {
    const newest = await catalog.find({ latest: true }, callOptions(signal))
    const sentinel = await unlessUnreadable(() => catalog.readSentinel(newest.name, callOptions(signal)))
    const systemIdentifier = sentinel?.systemIdentifier
    return { systemIdentifier, from: systemIdentifier === undefined ? 'unreadable' : 'sentinel' }
  } catch (error) {
    if (isFault(error, 'not-found')) return undefined
    throw error
  }
}

/** The result, or undefined when the content (not the storage) is at fault. */
async function unlessUnreadable<Result>(read: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await read()
  } catch (error) {
    if (isFault(error, 'corrupt') || isFault(error, 'unsupported') || isFault(error, 'not-found')) return undefined
    throw error
  }
}
