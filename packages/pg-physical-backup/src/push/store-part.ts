import { createHash } from 'node:crypto'
import { tap, type ByteSource } from '@waltz/bytes'
import { isFault } from '@waltz/errors'
import { partKey, type SealedFormat } from '@waltz/repository'
import type { ObjectStore } from '@waltz/storage'
import { absentOnly, strangerFault } from './put-again.ts'

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
  /** Length of the archive before it was sealed. */
  readonly tarBytes: number
}

/** Where the parts of one backup go. */
export interface PartTarget {
  readonly store: ObjectStore
  readonly format: SealedFormat
  readonly backupName: string
  readonly signal: AbortSignal
}

/**
 * Seals and stores one tar archive, hashing what is stored on its way. Never over something that is there: the name was cleared when
 * it was claimed, so whatever is there now is somebody else's.
 * @throws Fault `conflict` `BACKUP_NAME_TAKEN`; what the store and the source say.
 */
export async function storePart(
  target: PartTarget,
  part: { readonly name: string; readonly source: ByteSource; readonly contentBytes: () => number },
): Promise<StoredPart> {
  const hash = createHash('sha256')
  let storedBytes = 0
  let tarBytes = 0
  const tar = tap(part.source, (chunk) => (tarBytes += chunk.length))
  const sealed = tap(target.format.seal(tar), (chunk) => {
    hash.update(chunk)
    storedBytes += chunk.length
  })
  const key = partKey(target.backupName, part.name)
  try {
    await target.store.put(key, sealed, { signal: target.signal, ...absentOnly(target.store) })
  } catch (error) {
    throw isFault(error, 'already-exists') ? strangerFault(key, error) : error
  }
  return { name: part.name, storedBytes, sha256: hash.digest('hex'), contentBytes: part.contentBytes(), tarBytes }
}
