import type { FaultCodeTable } from '@waltz/errors'

/** Codes thrown by this package. */
export const faultCodes: FaultCodeTable = {
  TAR_ENTRY_INVALID: 'A member cannot be written to a tar as described, for instance because its name holds a NUL. The message says why.',
  TAR_HEADER_DAMAGED:
    'A member header does not match its checksum or makes no sense. The archive was damaged: use another copy or another backup.',
  TAR_MEMBER_UNSUPPORTED:
    'A member is of a kind that is not readable here: a sparse file, or a name that is not UTF-8. Unpack the archive with GNU tar.',
  TAR_TRAILING_BYTES: 'Something other than zeros follows the end marker. The archive was appended to or overwritten in part.',
  TAR_TRUNCATED: 'The archive ends within a member. It was cut, for instance by an upload that broke off.',
}
