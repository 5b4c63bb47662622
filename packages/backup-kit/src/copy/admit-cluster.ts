import { readAll } from '@waltz/bytes'
import { framingHeadBytes } from '@waltz/crypto'
import { Fault, isFault } from '@waltz/errors'
import type { SystemIdentifier } from '@waltz/pg-structures'
import {
  clusterIdentityKey,
  createBackupCatalog,
  decodeClusterIdentity,
  looksEncrypted,
  partsPrefix,
  waltzFolder,
  type ClusterIdentity,
} from '@waltz/repository'
import { isRemovalIntentKey } from '@waltz/repository/removal'
import type { ObjectStore } from '@waltz/storage'
import { createWalArchive, loadCrc32c } from '@waltz/wal-archive'
import type { ChosenBackup } from './choose-backups.ts'
import type { CopyContext } from './copy-context.ts'

const IDENTITY_LIMIT_BYTES = 65_536

/**
 * Makes sure that the target holds, or will hold, the same cluster as what is copied, and that nothing is laid bare there: takes an empty
 * target into possession as the archive does.
 * @throws Fault `conflict` `COPY_CLUSTER_FOREIGN` for another cluster, unless that is wished; `denied` `WAL_ARCHIVE_ENCRYPTED` when the
 * target holds encrypted objects and those that would come are not.
 */
export async function admitCluster(context: CopyContext, backups: readonly ChosenBackup[]): Promise<void> {
  const { from, to, options } = context
  const [own, declared] = await Promise.all([readIdentity(context, from), readIdentity(context, to)])
  const copied = new Set(backups.flatMap(({ systemIdentifier }) => systemIdentifier ?? []))
  const theirs = declared?.systemIdentifier ?? (await ownerOfNewest(context, to))
  const among = new Set([...copied, ...(theirs === undefined ? [] : [theirs])])
  if (among.size > 1) {
    if (options.otherCluster !== 'allow') throw foreignFault(context, { copied, theirs })
    context.warn(`clusters are mixed in the target: ${[...among].join(', ')}`)
  }
  if (context.dryRun) return
  const owner = theirs ?? own?.systemIdentifier ?? [...copied].at(-1)
  if (owner === undefined) {
    context.warn('nothing in source or target says which cluster this is; the target gets no record of it')
    return
  }
  await admit(context, owner, await schemeOfCopies(context, own, backups))
}

/**
 * Keeps a copy out of a target that a deletion is at work in, or was: what the copy finds there and leaves alone would be removed when that
 * deletion is finished.
 * @throws Fault `conflict` `COPY_DELETION_PENDING`.
 */
export async function refusePendingDeletion({ to, call }: CopyContext, outcome = 'Nothing was copied.'): Promise<void> {
  for await (const { key } of to.list(waltzFolder, call)) {
    if (!isRemovalIntentKey(key)) continue
    throw new Fault('conflict', 'COPY_DELETION_PENDING', `a deletion in ${to.location} is not finished: ${key}`, {
      hint: `wait until it is, or finish an interrupted one with the same waltz delete command and --confirm. ${outcome}`,
      context: { key },
    })
  }
}

/** The fence of the archive, told what the copies will be like. */
async function admit(context: CopyContext, owner: SystemIdentifier, encryption: string | undefined): Promise<void> {
  const { to, call, options } = context
  const archive = createWalArchive({
    store: to,
    format: { ...options.to.format, encryption },
    whenStored: 'refuse',
    plaintextAmongEncrypted: options.plaintext ?? 'refuse',
    crc32c: loadCrc32c,
    sleep: options.sleep,
    now: options.now,
    holeRecheckMs: 0,
    ...(options.tool !== undefined && { tool: options.tool }),
    observe: (event) => context.report({ type: 'archive', event }),
  })
  try {
    await archive.admit(owner, call)
  } catch (error) {
    if (!isFault(error) || error.code !== 'WAL_ARCHIVE_FOREIGN' || options.otherCluster !== 'allow') throw error
    context.warn(`${error.message}; it is copied nevertheless, as wished`)
  }
}

/** The scheme of what will be stored; any text where it is encrypted by a key that is not at hand. */
async function schemeOfCopies(
  context: CopyContext,
  own: ClusterIdentity | undefined,
  backups: readonly ChosenBackup[],
): Promise<string | undefined> {
  const { from, to, reencrypt } = context.options
  if (reencrypt === true) return to.format.encryption
  if (from.format.encryption !== undefined) return from.format.encryption
  if (own?.encrypted === true) return 'unknown'
  const newest = backups.at(-1)
  if (newest === undefined) return undefined
  for await (const { key } of context.from.list(partsPrefix(newest.name), context.call)) {
    await using body = await context.from.get(key, { ...context.call, range: { start: 0, end: framingHeadBytes } })
    return looksEncrypted(key, await readAll(body, framingHeadBytes)) ? 'unknown' : undefined
  }
  return undefined
}

async function readIdentity({ call }: CopyContext, store: ObjectStore): Promise<ClusterIdentity | undefined> {
  try {
    await using body = await store.get(clusterIdentityKey, call)
    return decodeClusterIdentity(await readAll(body, IDENTITY_LIMIT_BYTES), { origin: clusterIdentityKey })
  } catch (error) {
    if (isFault(error, 'not-found')) return undefined
    throw error
  }
}

async function ownerOfNewest({ call }: CopyContext, store: ObjectStore): Promise<SystemIdentifier | undefined> {
  const catalog = createBackupCatalog(store)
  try {
    const { name } = await catalog.find({ latest: true }, call)
    return (await catalog.readSentinel(name, call)).systemIdentifier
  } catch (error) {
    if (isFault(error, 'not-found') || isFault(error, 'corrupt')) return undefined
    throw error
  }
}

function foreignFault(
  { to, from }: CopyContext,
  { copied, theirs }: { readonly copied: ReadonlySet<SystemIdentifier>; readonly theirs: SystemIdentifier | undefined },
): Fault {
  const found = [...copied].join(' and ')
  const message =
    theirs === undefined
      ? `the backups in ${from.location} are of several clusters: ${found}`
      : `${to.location} belongs to the cluster ${theirs}, and the backups are of ${found}`
  return new Fault('conflict', 'COPY_CLUSTER_FOREIGN', message, {
    hint: 'Give every cluster a storage prefix of its own (initdb and pg_upgrade make new ones), or insist with --allow-other-cluster. Nothing was copied.',
    context: { found, location: to.location },
  })
}
