import { isTemporaryKey, isTemporaryName } from '@waltz/storage'

/** How NFS keeps a file that was deleted while somebody had it open: the system's own, and gone when the file is closed. */
const SILLY_RENAMED = /^\.nfs[0-9a-f]{24}$/
const SILLY_RENAMED_PART = /(?:^|\/)\.nfs[0-9a-f]{24}(?:\/|$)/

/** Whether a file name is that of an upload in progress, or of a file that NFS has yet to forget: hidden from every reader. */
export function isHiddenName(name: string): boolean {
  return isTemporaryName(name) || SILLY_RENAMED.test(name)
}

/** Whether any part of a key is such a name. */
export function isHiddenKey(key: string): boolean {
  return isTemporaryKey(key) || SILLY_RENAMED_PART.test(key)
}
