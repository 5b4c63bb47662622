import { closeSync, readSync } from 'node:fs'
import type { BlockPool } from '@waltz/bytes'
import { throwIfAborted } from '@waltz/errors'
import { TAR_TRAILER, tarPaddingBytes, type TarEntry } from '@waltz/tar'
import type { ClusterFile } from './cluster-entry.ts'
import type { EntryQueue } from './entry-queue.ts'
import { nearestSecond, type EntryFacts, type FactsOf } from './entry-facts.ts'
import type { OwnerNames } from './owner-names.ts'
import type { PageCheck } from './page-check.ts'
import { createPartBlocks, type PartBlocks } from './part-blocks.ts'
import { closeSourceFile, openSourceFile, readInto, unreadable, type SourceFile } from './source-file.ts'
import type { StoredMember } from './stored-file.ts'

/** Files up to this size are read by synchronous calls: a thread-pool trip costs more than the read. */
const SMALL_FILE_BYTES = 262_144

/** What packing needs besides the entries. */
export interface PackOptions {
  /** A part is closed when the contents in it exceed this many bytes (RF 3.6). */
  readonly thresholdBytes: number
  /** The size of the blocks that are yielded, all but the last; each is lent. */
  readonly chunkBytes: number
  /** Where the blocks come from, so that the next part uses those of the last one again; a pool of the part's own by default. */
  readonly pool?: BlockPool
  readonly owners: OwnerNames
  readonly factsOf: FactsOf
  /** The check of the pages of a member; undefined when pages are not verified, or the member has none. */
  readonly pageCheck?: (name: string) => PageCheck | undefined
  /** Waits until so many bytes may be read from the disk. */
  readonly diskLimit?: (bytes: number, signal?: AbortSignal) => Promise<void>
  readonly onMember: (member: StoredMember, contentBytes: number) => void
  /** A file was shorter than when it was opened, and was filled up with zeros. */
  readonly onShrunk?: (name: string) => void
  readonly signal?: AbortSignal
}

/**
 * One part of a backup as a tar archive: entries are taken from the queue until the part is full. Headers and contents
 * are assembled straight into the blocks that will be compressed; only relation files under verification are copied.
 * A vanished file is left out; one that grows is cut at, and one that shrinks is filled to, the size that its header promised.
 */
export async function* packPart(queue: Pick<EntryQueue, 'take'>, options: PackOptions): AsyncGenerator<Uint8Array, void, undefined> {
  const blocks = createPartBlocks(options.chunkBytes, options.pool)
  try {
    let contentBytes = 0
    while (contentBytes <= options.thresholdBytes) {
      const entry = queue.take()
      if (entry === undefined) break
      if (entry.kind === 'directory') {
        blocks.header(header(entry.name, entry.facts, options, 'directory'))
        options.onMember({ name: entry.name, modifiedAtNs: entry.facts.modifiedAtNs, corruptBlocks: [] }, 0)
      } else {
        const file = openSourceFile(entry.path)
        if (file === undefined) continue
        contentBytes += file.size
        yield* packFile(entry, file, blocks, options)
      }
      yield* blocks.full()
    }
    blocks.bytes(TAR_TRAILER)
    yield* blocks.rest()
  } finally {
    await blocks.settled()
  }
}

/** One member: header, content, padding. Closes the file, however it ends. */
async function* packFile(
  entry: ClusterFile,
  file: SourceFile,
  blocks: PartBlocks,
  options: PackOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const corruptBlocks: number[] = []
  const pageCheck = file.size === 0 ? undefined : options.pageCheck?.(entry.name)
  const reads = new Set<Promise<void>>()
  try {
    const facts = options.factsOf(entry.name, file.stat)
    blocks.header({ ...header(entry.name, facts, options, 'file'), size: file.size })
    if (options.diskLimit === undefined && pageCheck === undefined && file.size <= SMALL_FILE_BYTES)
      readSmall(file, blocks, options, entry.name)
    else if (pageCheck === undefined) yield* readLarge(file, reads, { blocks, options, name: entry.name })
    else yield* readVerified(file, { blocks, options, name: entry.name, pageCheck, corruptBlocks })
    blocks.zeros(tarPaddingBytes(file.size))
    options.onMember({ name: entry.name, modifiedAtNs: facts.modifiedAtNs, corruptBlocks }, file.size)
  } finally {
    // A close that waits holds a descriptor: only files that fill much of a block may have one.
    if (reads.size > 0) blocks.afterReads([...reads], () => closeSourceFile(file))
    else if (file.size <= SMALL_FILE_BYTES) closeSync(file.descriptor)
    else await closeSourceFile(file)
  }
}

function readSmall(file: SourceFile, blocks: PartBlocks, options: PackOptions, name: string): void {
  let position = 0
  try {
    while (position < file.size) {
      const { block, used, room } = blocks.room()
      const count = readSync(file.descriptor, block, used, Math.min(room, file.size - position), position)
      if (count === 0) break
      blocks.advance(count)
      position += count
    }
  } catch (error) {
    throw unreadable(file.path, error)
  }
  if (position === file.size) return
  blocks.zeros(file.size - position)
  options.onShrunk?.(name)
}

/**
 * The next blocks are read while the first ones are being compressed; small files are waited for. `reads` holds what is under way.
 */
async function* readLarge(
  file: SourceFile,
  reads: Set<Promise<void>>,
  { blocks, options, name }: { readonly blocks: PartBlocks; readonly options: PackOptions; readonly name: string },
): AsyncGenerator<Uint8Array, void, undefined> {
  let told = false
  for (let position = 0; position < file.size;) {
    throwIfAborted(options.signal)
    const { block, used, room } = blocks.room()
    const length = Math.min(room, file.size - position)
    await options.diskLimit?.(length, options.signal)
    const reading = readInto(file, block, used, { position, length }).then((count) => {
      if (count === length) return
      block.fill(0, used + count, used + length)
      if (!told) options.onShrunk?.(name)
      told = true
    })
    const ended = (): void => void reads.delete(reading)
    reads.add(reading)
    reading.then(ended, ended)
    blocks.advance(length, reading)
    if (file.size <= SMALL_FILE_BYTES) await reading
    position += length
    yield* blocks.full()
  }
}

interface VerifiedRead {
  readonly blocks: PartBlocks
  readonly options: PackOptions
  readonly name: string
  readonly pageCheck: PageCheck
  readonly corruptBlocks: number[]
}

/** Pages do not fall on the borders of tar blocks, so they are read into a buffer of their own, checked, and copied. */
async function* readVerified(file: SourceFile, read: VerifiedRead): AsyncGenerator<Uint8Array, void, undefined> {
  const { blocks, options, pageCheck } = read
  const { blockBytes } = pageCheck
  const pages = Buffer.allocUnsafeSlow(Math.min(SMALL_FILE_BYTES, Math.ceil(file.size / blockBytes) * blockBytes))
  for (let position = 0; position < file.size;) {
    throwIfAborted(options.signal)
    const length = Math.min(pages.length, file.size - position)
    await options.diskLimit?.(length, options.signal)
    const count = await readInto(file, pages, 0, { position, length })
    const whole = count - (count % blockBytes)
    if (whole > 0) read.corruptBlocks.push(...(await pageCheck.check(file, pages.subarray(0, whole), position / blockBytes)))
    blocks.bytes(pages.subarray(0, count))
    position += count
    yield* blocks.full()
    if (count < length) return yield* fillShrunk(file.size - position, blocks, options, read.name)
  }
}

/** Zeros for the rest of a file that was truncated while it was read, block by block. */
async function* fillShrunk(
  missing: number,
  blocks: PartBlocks,
  options: PackOptions,
  name: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  options.onShrunk?.(name)
  for (let left = missing; left > 0;) {
    const count = Math.min(left, SMALL_FILE_BYTES)
    blocks.zeros(count)
    left -= count
    yield* blocks.full()
  }
}

function header(name: string, facts: EntryFacts, { owners }: PackOptions, type: 'file' | 'directory'): TarEntry {
  const { mode, uid, gid, modifiedAtNs } = facts
  return { name, type, size: 0, mode, uid, gid, ...owners.of(uid, gid), modifiedAtSeconds: nearestSecond(modifiedAtNs) }
}
