import type { FaultCodeTable } from '@waltz/errors'

/** Codes thrown by this package; those of the contract are explained in `@waltz/storage`. */
export const faultCodes: FaultCodeTable = {
  STORAGE_ROOT_MISSING:
    'The folder that holds the repository is not there, or is no folder. Check that its disk is mounted and that the path is right; it is never created for you.',
  STORAGE_ROOT_INVALID: 'The path of the repository folder is empty, cannot be a path, or names another host. Correct the setting.',
  STORAGE_KEY_INVALID:
    'The file system cannot hold an object of this name: it is too long, has the form of a temporary name, or a folder stands there. Use another name or prefix.',
  STORAGE_OBJECT_TOO_LARGE: 'The file system takes no file of this size. Use smaller parts or another file system.',
  STORAGE_DENIED: 'The file system refused access. Check owner and permissions of the named path for the user that runs this.',
  STORAGE_MOUNT_READ_ONLY:
    'The file system is mounted read-only. Mount it for writing; a disk with errors is often switched to read-only by the system.',
  STORAGE_FULL: 'The file system has no space left, or a quota is used up. Nothing was stored. Free space or raise the quota.',
  STORAGE_IO:
    'The file system failed to answer: a disk error, a stale network mount, too many open files. See the cause; try again when it is repaired.',
  STORAGE_SHORT_OBJECT:
    'A stored file became shorter while it was read. Something other than Waltz changed it; the copy cannot be trusted.',
}
