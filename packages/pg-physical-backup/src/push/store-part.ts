import { createHash } from 'node:crypto'
import { tap, type ByteSource } from '@waltz/bytes'
import { partKey, type SealedFormat } from '@waltz/repository'
import type { ObjectStore } from '@waltz/storage'

/** One stored tar object. */
export interface StoredPart {
  /** With the codec's extension: `part_001.tar.lz4`. */
  readonly name: string
  /** Stored size in bytes. */
  readonly storedBytes: number
  /** Of the stored bytes, in lower-case hex. */
  readonly sha256: string
  /** Sum of the contents of its members, without headers and padding. */
  readonly contentBytes: number
}

/** Where the parts of one backup go. */
export interface PartTarget {
  readonly store: ObjectStore
  readonly format: SealedFormat
  readonly backupName: string
  readonly signal: AbortSignal
}

/** Seals and stores one tar archive, hashing what is stored on its way. */
export async function storePart(
  target: PartTarget,
  part: { readonly name: string; readonly source: ByteSource; readonly contentBytes: () => number },
): Promise<StoredPart> {
  const hash = createHash('sha256')
  let storedBytes = 0
  const sealed = tap(target.format.seal(part.source), (chunk) => {
    hash.update(chunk)
    storedBytes += chunk.length
  })
  await target.store.put(partKey(target.backupName, part.name), sealed, { signal: target.signal })
  return { name: part.name, storedBytes, sha256: hash.digest('hex'), contentBytes: part.contentBytes() }
}
