import { readAll, sourceOf } from '@waltz/bytes'
import { framingHeadBytes } from '@waltz/crypto'
import { Fault, isFault } from '@waltz/errors'
import type { SystemIdentifier } from '@waltz/pg-structures'
import {
  clusterIdentityKey,
  createBackupCatalog,
  decodeClusterIdentity,
  encodeClusterIdentity,
  looksEncrypted,
  walFolder,
  type ClusterIdentity,
} from '@waltz/repository'
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

/** What the archive declares of itself. */
interface DeclaredIdentity extends ClusterIdentity {
  readonly etag: string | undefined
}

/**
 * What the archive declares of itself; undefined when it declares nothing (WAL-G's archives).
 * @throws Fault of the store; `corrupt` when the identity object is damaged.
 */
async function readIdentity(context: ArchiveContext, signal?: AbortSignal): Promise<DeclaredIdentity | undefined> {
  try {
    const body = await context.store.get(clusterIdentityKey, callOptions(signal))
    const identity = decodeClusterIdentity(await readAll(body, IDENTITY_LIMIT_BYTES), { origin: clusterIdentityKey })
    return { ...identity, etag: body.info.etag }
  } catch (error) {
    if (isFault(error, 'not-found')) return undefined
    throw error
  }
}

/**
 * Makes sure that the archive belongs to the cluster with this system identifier, and takes an archive without an
 * owner into possession: after comparing with what it already holds, and never against another process (ENG H13).
 * Without an identifier an archive that has no owner keeps none. Either way, nothing is let in as it is where encrypted objects lie,
 * and an archive that gets its first encrypted object is noted to hold such.
 * @throws Fault `conflict` `WAL_ARCHIVE_FOREIGN` when the archive is another cluster's; `denied` `WAL_ARCHIVE_ENCRYPTED` when it holds
 * encrypted objects and new ones would not be.
 */
export async function claimArchive(context: ArchiveContext, own: SystemIdentifier | undefined, signal?: AbortSignal): Promise<void> {
  const declared = await readIdentity(context, signal)
  if (declared !== undefined) {
    if (own !== undefined) requireSame(context, own, declared.systemIdentifier)
    return await admitSecrecy(context, declared, signal)
  }
  if (context.format.encryption === undefined) await requirePlainContent(context, signal)
  if (own === undefined) return
  const evidence = await ownerOfContent(context, signal)
  if (evidence.systemIdentifier !== undefined) requireSame(context, own, evidence.systemIdentifier)
  const tool = context.tool ?? { name: 'waltz', version: '' }
  const identity = {
    systemIdentifier: own,
    createdAt: context.now().toISOString(),
    tool,
    encrypted: context.format.encryption !== undefined,
  }
  const bytes = encodeClusterIdentity(identity)
  try {
    const options = { onlyIfAbsent: context.store.capabilities.conditionalPut, size: bytes.length, ...callOptions(signal) }
    await context.store.put(clusterIdentityKey, sourceOf(bytes), options)
    context.report({ type: 'identity-created', systemIdentifier: own, evidence: evidence.from })
  } catch (error) {
    if (!isFault(error, 'already-exists')) throw error
    const winner = await readIdentity(context, signal)
    if (winner === undefined) return
    requireSame(context, own, winner.systemIdentifier)
    await admitSecrecy(context, winner, signal)
  }
}

/** Lets new objects in beside those that the archive declares, and notes that it holds encrypted ones from now on. */
async function admitSecrecy(context: ArchiveContext, declared: DeclaredIdentity, signal: AbortSignal | undefined): Promise<void> {
  const encrypting = context.format.encryption !== undefined
  if (declared.encrypted === encrypting) return
  if (!encrypting) return admitPlaintext(context, `its ${clusterIdentityKey} says so`)
  const { etag, ...identity } = declared
  const bytes = encodeClusterIdentity({ ...identity, encrypted: true })
  const ifMatch = context.store.capabilities.ifMatch && etag !== undefined ? { ifMatch: etag } : {}
  try {
    await context.store.put(clusterIdentityKey, sourceOf(bytes), { ...ifMatch, size: bytes.length, ...callOptions(signal) })
    context.report({ type: 'encryption-noted' })
  } catch (error) {
    // Somebody else has noted something since it was read; the next push looks again.
    if (!isFault(error, 'conflict')) throw error
  }
}

function admitPlaintext(context: ArchiveContext, because: string): void {
  if (context.plaintextAmongEncrypted === 'allow') return context.report({ type: 'plaintext-among-encrypted' })
  throw new Fault(
    'denied',
    'WAL_ARCHIVE_ENCRYPTED',
    `${context.store.location} holds encrypted objects (${because}), and no key is configured`,
    {
      hint: 'configure the key that the others were encrypted with; nothing was stored',
      context: { location: context.store.location },
    },
  )
}

/** An archive of WAL-G declares nothing: its oldest segments tell by how they begin whether they are encrypted. */
async function requirePlainContent(context: ArchiveContext, signal: AbortSignal | undefined): Promise<void> {
  let tried = 0
  for await (const { parts, storedName } of listWal(context, { signal })) {
    if (parts.kind !== 'segment') continue
    const key = walFolder + storedName
    const head = await readHead(context, key, signal)
    if (head !== undefined && looksEncrypted(key, head)) return admitPlaintext(context, `${key} is one`)
    tried += 1
    if (tried === SEGMENTS_TRIED) return
  }
}

async function readHead(context: ArchiveContext, key: string, signal: AbortSignal | undefined): Promise<Uint8Array | undefined> {
  try {
    await using body = await context.store.get(key, { range: { start: 0, end: framingHeadBytes }, ...callOptions(signal) })
    return await readAll(body, framingHeadBytes)
  } catch (error) {
    if (isFault(error, 'not-found')) return undefined
    throw error
  }
}

/**
 * Makes sure that "not there" means something: the archive holds WAL, and WAL of the expected cluster.
 * @throws Fault `invalid` `WAL_ARCHIVE_EMPTY` or `conflict` `WAL_ARCHIVE_FOREIGN`.
 */
export async function requireOwnContent(context: ArchiveContext, signal?: AbortSignal): Promise<void> {
  const [declared, anyWal] = await Promise.all([readIdentity(context, signal), first(listWal(context, { signal }))])
  const own = context.expectedSystemIdentifier
  if (own !== undefined && declared !== undefined) requireSame(context, own, declared.systemIdentifier)
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
    // Encrypted with a key that is not at hand, or not at all where a key is configured.
    if (isFault(error) && (error.code === 'OBJECT_ENCRYPTED' || error.code === 'CRYPTO_PLAINTEXT_REFUSED')) return undefined
    throw error
  }
}
