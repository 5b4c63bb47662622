import { quotaFault } from '@waltz/storage'
import { isMissing, SFTP_STATUS, statusOf } from './errors.ts'
import { requireRoot, type Operation } from './place.ts'

/** SFTP has no word for a full disk: where the server tells how much space it has, that is asked. */
export async function explained(operation: Operation, error: unknown): Promise<unknown> {
  const { place, session, call, at } = operation
  if (statusOf(error) === undefined) return error
  if (isMissing(error)) await requireRoot(operation)
  if (statusOf(error) !== SFTP_STATUS.FAILURE || !session.traits.statvfs) return error
  const space = await call<FileSystemSpace>((sftp, answer) => sftp.ext_openssh_statvfs(place.root, answer)).catch(() => undefined)
  if (space === undefined) return error
  const full = space.f_bavail * space.f_frsize < LITTLE_SPACE_BYTES || (space.f_files > 0 && space.f_favail === 0)
  return full ? quotaFault({ ...at, answer: 'the file system of the server has no space left', cause: error }) : error
}

/** What the server tells of its file system; counts in units of `f_frsize` bytes. */
interface FileSystemSpace {
  readonly f_frsize: number
  readonly f_bavail: number
  readonly f_files: number
  readonly f_favail: number
}

const LITTLE_SPACE_BYTES = 1_048_576
