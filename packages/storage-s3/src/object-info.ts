import type { ObjectInfo } from '@waltz/storage'
import { bareEtag } from './checksums.ts'

/** What any answer tells of an object. */
export interface ToldObject {
  readonly size: number | undefined
  readonly modifiedAt: Date | undefined
  readonly etag: string | undefined
}

/** Headers tell times in seconds and listings in milliseconds: seconds it is, so that both say the same. */
export function infoOf(key: string, { size, modifiedAt, etag }: ToldObject): ObjectInfo {
  const bare = bareEtag(etag)
  return {
    key,
    size: size ?? 0,
    modifiedAt: new Date(Math.floor((modifiedAt?.getTime() ?? 0) / 1000) * 1000),
    ...(bare === undefined || bare === '' ? {} : { etag: bare }),
  }
}

/** Metadata of objects that Waltz stored: which upload made it, how large its parts are, and a checksum that is cheaper than its etag. */
export const PUT_ID = 'waltz-put'
export const PART_BYTES = 'waltz-part-bytes'
export const NOTED_CRC = 'waltz-crc32'
