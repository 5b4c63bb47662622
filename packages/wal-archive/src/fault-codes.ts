import type { FaultCodeTable } from '@waltz/errors'

/** Codes thrown by this package. */
export const faultCodes: FaultCodeTable = {
  WAL_ARCHIVE_EMPTY:
    'The place that the settings name holds no archived WAL at all, so nothing can be concluded from a missing file. Check the storage prefix (WALG_FILE_PREFIX, WALG_STORAGE_PREFIX) in the environment of the server.',
  WAL_ARCHIVE_ENCRYPTED:
    'The archive holds encrypted objects and no key is configured, so a new object would lie there as it is. Configure the key; nothing was stored.',
  WAL_ARCHIVE_FOREIGN:
    'The place that the settings name belongs to another cluster: its system identifier differs. Check the storage prefix; give every cluster, also one made by pg_upgrade or initdb, a prefix of its own.',
  WAL_CONFLICT:
    'The archive already holds other bytes under this name; nothing was changed. Two servers archive to one prefix, or a server was restored without a new timeline. Find out which one is right before removing anything. WALG_PREVENT_WAL_OVERWRITE=false overwrites as WAL-G does.',
  WAL_CRC_UNAVAILABLE:
    'The native package that computes CRC-32C does not load here, so WAL stored without a checksum (brotli, none) cannot be checked. Install the dependencies again for this machine and this version of Node.',
  WAL_CONTENT_WRONG:
    'A file came out of the archive, but its content cannot be what its name says: wrong size, page header, timeline, cluster or record checksum. Restore that object from a copy; nothing was given to PostgreSQL.',
  WAL_DESTINATION: 'The fetched file could not be written where it should go. Check the folder, its owner, and the free space.',
  WAL_FILE_INVALID:
    'The file to archive is not what its name says: a segment needs a size of a power of two from 1 MiB to 1 GiB and a page header that fits its name. Check which file was given.',
  WAL_FILE_CHANGED: 'The file to archive changed its size while it was read. Only finished files may be archived; try again.',
  WAL_FILE_MISSING: 'There is no file of that name to archive. Pass %p of archive_command as it is; by hand, give the path of the file.',
  WAL_FILE_UNREADABLE: 'The file to archive cannot be read. Check its owner and permissions, and the disk it lies on.',
  WAL_HISTORY_HOLE:
    'A timeline history file is missing although the archive holds WAL of that timeline or a later one. Put it back (pg_wal of a server of that timeline has it); recovery would otherwise follow the wrong timeline.',
  WAL_HOLE:
    'A segment is missing although the archive holds later ones: WAL was lost or is still being uploaded out of order. Wait for the archiver, or put the segment back; recovery must not end here.',
  WAL_NAME_INVALID: 'The name cannot be the name of an archived file: it is empty, holds a slash, or would read as another file.',
  WAL_NOT_FOUND:
    'The archive answered that it has no such file, and nothing suggests that it should: for recovery, the end of the archive.',
  WAL_STORED_DAMAGED:
    'The archive holds an object under this name that cannot be read, so it cannot be compared with the local file; nothing was changed. Remove or repair the damaged object, then the next attempt stores the file.',
  WAL_UNKNOWN_EXTENSION:
    'The archive holds this file in a compression format that cannot be read here. Use a version that can, or recompress the object.',
}
