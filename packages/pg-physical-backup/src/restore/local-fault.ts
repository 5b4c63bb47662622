import { Fault, isFault } from '@waltz/errors'

/** The text of a Node error's code; undefined for anything else. */
export function errnoOf(error: unknown): string | undefined {
  const code = (error as { readonly code?: unknown } | undefined)?.code
  return typeof code === 'string' ? code : undefined
}

/**
 * The fault for a local file operation that failed: full disk, missing rights, or anything else. None of them is worth
 * a retry of the part that was being read.
 */
export function localFault(error: unknown, action: string, path: string): Fault {
  const code = errnoOf(error)
  const context = code === undefined ? { path } : { path, errno: code }
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new Fault('unavailable', 'RESTORE_NO_SPACE', `${action} ${path}: no space left`, {
      cause: error,
      context,
      retryable: false,
      hint: 'Free space or choose a larger file system, then run the same command again: it clears what it wrote and starts over.',
    })
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')
    return new Fault('denied', 'RESTORE_NOT_WRITABLE', `${action} ${path}: not allowed (${code})`, {
      cause: error,
      context,
      hint: 'Run the restore as the user that owns the target folder, usually postgres.',
    })
  if (code === 'EISDIR' || code === 'ENOTDIR' || code === 'ELOOP')
    return new Fault('corrupt', 'RESTORE_UNSAFE_MEMBER', `${action} ${path}: two members of the backup want the same place (${code})`, {
      cause: error,
      context,
      hint: 'The backup is damaged or was tampered with. Nothing was written outside the target; restore another backup.',
    })
  return new Fault('unavailable', 'RESTORE_WRITE_FAILED', `${action} ${path}: ${error instanceof Error ? error.message : String(error)}`, {
    cause: error,
    context,
    retryable: false,
    hint: 'Look at the file system of the target (dmesg, mount options), then run the same command again.',
  })
}

/** Runs a local file operation and turns what it throws into a fault. */
export function guarded<T>(action: string, path: string, operation: () => T): T {
  try {
    return operation()
  } catch (error) {
    throw isFault(error) ? error : localFault(error, action, path)
  }
}
