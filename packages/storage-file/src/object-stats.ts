import type { BigIntStats } from 'node:fs'
import type { ObjectInfo } from '@waltz/storage'

const NS_PER_MS = 1_000_000n

/** Describes a file as an object. The etag is made of inode, size and time: a replaced file has another inode. */
export function infoOf(key: string, { size, mtimeNs, ino }: BigIntStats): ObjectInfo {
  return {
    key,
    size: Number(size),
    modifiedAt: new Date(Number(mtimeNs / NS_PER_MS)),
    modifiedAtNs: mtimeNs,
    etag: `${ino.toString(16)}-${size.toString(16)}-${mtimeNs.toString(16)}`,
  }
}
