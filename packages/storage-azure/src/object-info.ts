import type { ObjectInfo } from '@waltz/storage'

/** What Azure tells of a blob, in headers or in a listing. */
export interface BlobFacts {
  readonly etag?: string | undefined
  readonly lastModified?: Date | undefined
}

/** Headers quote the etag and listings do not: it is kept without quotes. */
export function infoOf(key: string, size: number, { etag, lastModified }: BlobFacts): ObjectInfo {
  return { key, size, modifiedAt: lastModified ?? new Date(0), ...(etag === undefined ? {} : { etag: bareEtag(etag) }) }
}

/** An etag as `ObjectInfo` shows it. */
export function bareEtag(etag: string): string {
  return etag.replaceAll('"', '')
}

/** An etag as the API wants it in a condition. */
export function quotedEtag(etag: string): string {
  return `"${bareEtag(etag)}"`
}
