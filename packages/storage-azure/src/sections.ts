import type { CallOptions } from '@waltz/storage'
import { BLOCK_SUMS, decodeBlockId } from './block-id.ts'
import { bareEtag } from './object-info.ts'
import { attempt, type Place } from './place.ts'

/** Bytes of a blob, half-open, whose MD5 is known. */
export interface Section {
  readonly start: number
  readonly end: number
  readonly md5: Uint8Array
}

/** A blob as its download describes it. */
export interface DescribedBlob {
  readonly key: string
  readonly size: number
  readonly etag: string | undefined
  readonly metadata: Readonly<Record<string, string>>
}

/** So many lists of blocks are kept, for downloads that go on after a broken connection; longer lists are fetched again. */
const KEPT_LISTS = 32
const KEPT_SECTIONS = 4096

/**
 * The blocks of a blob that Waltz stored in blocks, with their sums. None for blobs of other programs, and for one that was replaced
 * since its download began: its bytes will not be mixed, only not checked here.
 */
export async function blockSections(place: Place, blob: DescribedBlob, options: CallOptions | undefined): Promise<readonly Section[]> {
  if (blob.metadata[BLOCK_SUMS] === undefined) return []
  const { key } = blob
  const version = versionOf(blob)
  const kept = place.sections.get(version)
  if (kept !== undefined) return kept
  const answer = await attempt(place, { doing: `look at the blocks of ${key}`, key }, options, (container, abortSignal) =>
    container.getBlockBlobClient(key).getBlockList('committed', { abortSignal }),
  )
  if (answer.etag === undefined || blob.etag === undefined || bareEtag(answer.etag) !== bareEtag(blob.etag)) return []
  const sections: Section[] = []
  let start = 0
  for (const { name, size } of answer.committedBlocks ?? []) {
    const md5 = decodeBlockId(name)?.md5
    if (md5 === undefined) return []
    sections.push({ start, end: start + size, md5 })
    start += size
  }
  if (start !== blob.size) return []
  if (sections.length <= KEPT_SECTIONS) keep(place, version, sections)
  return sections
}

/** Names one version of an object. */
export function versionOf({ key, etag }: Pick<DescribedBlob, 'key' | 'etag'>): string {
  return `${etag ?? ''} ${key}`
}

function keep({ sections: kept }: Place, version: string, sections: readonly Section[]): void {
  const [oldest] = kept.keys()
  if (oldest !== undefined && kept.size >= KEPT_LISTS) kept.delete(oldest)
  kept.set(version, sections)
}
