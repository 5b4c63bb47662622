import { createHash } from 'node:crypto'
import { giveBack, prefetch, readAll, tap } from '@waltz/bytes'
import { Fault, throwIfAborted } from '@waltz/errors'
import type { SealedFormat, StoredForm } from '@waltz/repository'
import type { ObjectStore } from '@waltz/storage'
import { readTar, type TarEnd, type TarMember } from '@waltz/tar'
import { isReservedName } from './marker.ts'
import { placeOfMember } from './member-name.ts'
import type { NameFilter } from './name-filter.ts'
import { emptyTally, skipMember, type PartTally } from './part-tally.ts'
import type { TreeWriter } from './tree-writer.ts'

/** One stored tar part. */
export interface StoredPart {
  readonly key: string
  /** The object's name in `tar_partitions/`. */
  readonly name: string
  readonly storedBytes: number
  /** What its stored bytes may be, where the manifest knows it; several while its key is being changed. */
  readonly forms: readonly StoredForm[] | undefined
}

/** What all parts of one restore share. */
export interface ExtractContext {
  readonly store: Pick<ObjectStore, 'get'>
  readonly sealed: SealedFormat
  readonly tree: TreeWriter
  /** Names to restore; undefined = everything. */
  readonly filter: NameFilter | undefined
  /** Paths that are not written although the backup has them: the tablespace map when a restore spec replaces it. */
  readonly leftOut: ReadonlySet<string>
  /** Every part must end in an end marker: local backups have it, parts of remote ones need not (RF 3.9). */
  readonly endMarked: boolean
  /** Links that the restore makes itself. */
  readonly ownLinks: ReadonlySet<string>
  readonly signal: AbortSignal | undefined
  /** Stored bytes that arrived. */
  readonly onBytes: (bytes: number) => void
}

const maxControlBytes = 65_536
const maxLabelBytes = 1 << 20
const readAheadBytes = 1 << 20
/** Files up to here are written in one go, without a trip to the thread pool. */
const wholeFileBytes = 262_144

/**
 * Fetches one part and writes what it holds. Doing it again rewrites the same files, so a failed attempt can simply be
 * repeated. With a cipher that only knows at the end whether the bytes were right, a failed attempt takes its files away again.
 * @throws Fault of the store, the codec or the tar reader; `corrupt` `BACKUP_PART_DAMAGED` when the stored bytes are not
 * those of the manifest, `RESTORE_UNSAFE_MEMBER` for a member that would leave the target.
 */
export async function extractPart(part: StoredPart, context: ExtractContext): Promise<PartTally> {
  if (context.sealed.authenticates !== 'at-the-end') return await extract(part, context)
  const { tree, written } = rememberingFiles(context.tree)
  try {
    return await extract(part, { ...context, tree })
  } catch (error) {
    for (const path of written) tree.removeFile(path)
    throw error
  }
}

/** The same tree, and the files that were written through it: as many as a part holds. */
function rememberingFiles(tree: TreeWriter): { readonly tree: TreeWriter; readonly written: ReadonlySet<string> } {
  const written = new Set<string>()
  const noting: TreeWriter = {
    ...tree,
    file: (path, mode, content) => {
      written.add(path)
      tree.file(path, mode, content)
    },
    openFile: (path, mode) => {
      written.add(path)
      return tree.openFile(path, mode)
    },
  }
  return { tree: noting, written }
}

async function extract(part: StoredPart, context: ExtractContext): Promise<PartTally> {
  const tally = emptyTally()
  const hash = part.forms === undefined ? undefined : createHash('sha256')
  let received = 0
  const observe = (chunk: Uint8Array): void => {
    throwIfAborted(context.signal)
    received += chunk.length
    hash?.update(chunk)
    context.onBytes(chunk.length)
  }
  await using body = await context.store.get(part.key, context.signal === undefined ? {} : { signal: context.signal })
  const stored = tap(prefetch(body, readAheadBytes), observe)
  let marked = false
  const onEnd = (end: TarEnd): void => void (marked = end.marked)
  for await (const member of readTar(await context.sealed.open(part.name, stored), { onEnd })) {
    throwIfAborted(context.signal)
    await restoreMember(member, context, tally)
  }
  if (context.endMarked && !marked)
    throw new Fault('corrupt', 'BACKUP_PART_DAMAGED', `${part.key} ends without an end marker: it was cut`, {
      context: { key: part.key, bytes: received },
      hint: 'Restore another backup, or bring the object back from a copy.',
    })
  const sha256 = hash?.digest('hex')
  if (part.forms?.some((form) => form.size === received && form.sha256 === sha256) ?? true) return tally
  throw new Fault('corrupt', 'BACKUP_PART_DAMAGED', `${part.key} is not what was stored: its checksum differs`, {
    context: { key: part.key, bytes: received },
    hint: 'The object was damaged or replaced in the storage. Restore another backup, or bring the object back from a copy.',
  })
}

async function restoreMember(member: TarMember, context: ExtractContext, tally: PartTally): Promise<void> {
  const { entry } = member
  const place = placeOfMember(entry.name)
  if (place.kind === 'unsafe')
    throw new Fault('corrupt', 'RESTORE_UNSAFE_MEMBER', `a member of the backup would leave the target: ${place.reason}`, {
      context: { member: JSON.stringify(entry.name) },
      hint: 'The backup was tampered with. Nothing was written outside the target; restore another backup.',
    })
  const path = place.kind === 'root' ? '' : place.path
  const known = context.filter === undefined || context.filter.mark(path)
  if (entry.type === 'directory') {
    context.tree.directory(path, entry.mode & 0o777)
    tally.directories++
  } else if (entry.type === 'file') await restoreFile(member, path, known, { context, tally })
  else noteSpecial(member, path, { context, tally })
}

interface Work {
  readonly context: ExtractContext
  readonly tally: PartTally
}

async function restoreFile(member: TarMember, path: string, known: boolean, { context, tally }: Work): Promise<void> {
  if (path === 'global/pg_control') {
    tally.controlFile = await contentOf(member, maxControlBytes)
    return
  }
  if (path === 'backup_label') tally.backupLabel = await contentOf(member, maxLabelBytes)
  // A look-up keeps the name in V8's table of strings: not for every file.
  if (context.leftOut.size > 0 && context.leftOut.has(path)) return
  if (path === '' || isReservedName(path)) return skipMember(tally, member.entry.name, 'a name that the restore itself uses')
  if (!known && path !== 'backup_label' && path !== 'tablespace_map') return skipMember(tally, member.entry.name, 'not in the file list')
  if (path === 'backup_label' && tally.backupLabel !== undefined) context.tree.file(path, member.entry.mode & 0o777, tally.backupLabel)
  else await writeFile(member, path, context.tree)
  tally.files++
  tally.bytes += member.entry.size
}

async function writeFile(member: TarMember, path: string, tree: TreeWriter): Promise<void> {
  const content = member.entry.size <= wholeFileBytes ? member.take() : undefined
  if (content === undefined) return await streamFile(member, path, tree)
  tree.file(path, member.entry.mode & 0o777, content)
  giveBack(content)
}

async function streamFile(member: TarMember, path: string, tree: TreeWriter): Promise<void> {
  const sink = tree.openFile(path, member.entry.mode & 0o777)
  let closed = false
  try {
    for await (const chunk of member.body) await sink.write(chunk)
    await sink.close()
    closed = true
  } finally {
    if (!closed) await sink.abandon()
  }
}

async function contentOf(member: TarMember, limit: number): Promise<Uint8Array> {
  return (member.entry.size <= limit ? member.take() : undefined) ?? readAll(member.body, limit)
}

/**
 * Links, devices and pipes. WAL-G stores a link with its own base name instead of its target, and restores a broken one
 * (RF 13 Q8); real targets are recorded in Waltz's manifest, where the result tells them.
 */
function noteSpecial({ entry }: TarMember, path: string, { context, tally }: Work): void {
  if (entry.type === 'symlink' && context.ownLinks.has(path)) return
  const reason =
    entry.type === 'symlink'
      ? entry.linkName === path.slice(path.lastIndexOf('/') + 1)
        ? 'a symbolic link whose target WAL-G did not store'
        : `a symbolic link to ${entry.linkName ?? 'nowhere'}`
      : entry.type === 'hardlink'
        ? 'a hard link'
        : 'a device, pipe or other special file'
  skipMember(tally, entry.name, reason)
}
