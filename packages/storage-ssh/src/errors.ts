import { Fault, isFault } from '@waltz/errors'
import {
  accessDeniedFault,
  networkFault,
  quotaFault,
  requestRefusedFault,
  serverFailedFault,
  unreachableFault,
  type StoreCall,
} from '@waltz/storage'

/** What was being done, for messages. */
export type Doing = Pick<StoreCall, 'doing' | 'location'>

/** Status codes of SFTP: 0 to 8 of version 3, and those of later versions that some servers send all the same. */
export const SFTP_STATUS = {
  EOF: 1,
  NO_SUCH_FILE: 2,
  PERMISSION_DENIED: 3,
  FAILURE: 4,
  BAD_MESSAGE: 5,
  NO_CONNECTION: 6,
  CONNECTION_LOST: 7,
  UNSUPPORTED: 8,
  NO_SUCH_PATH: 10,
  FILE_ALREADY_EXISTS: 11,
  WRITE_PROTECT: 12,
  NO_SPACE: 14,
  QUOTA_EXCEEDED: 15,
} as const

/** The status that the server answered with; undefined for what is no answer of a server. */
export function statusOf(error: unknown): number | undefined {
  if (isFault(error) || !(error instanceof Error)) return undefined
  const { code } = error as { readonly code?: unknown }
  return typeof code === 'number' ? code : undefined
}

/** Whether the server answered that no file is there: no entry, or a file in the place of a folder. */
export function isMissing(error: unknown): boolean {
  const status = statusOf(error)
  return status === SFTP_STATUS.NO_SUCH_FILE || status === SFTP_STATUS.NO_SUCH_PATH
}

/** The answer that version 3 gives when a name is taken, among much else. */
export function maybeTaken(error: unknown): boolean {
  const status = statusOf(error)
  return status === SFTP_STATUS.FAILURE || status === SFTP_STATUS.FILE_ALREADY_EXISTS
}

const FULL = /no space|disk full|quota/i
const DENIED_HINT = 'check owner and permissions of the folder on the server for the user that logs in'

/** The fault for an answer of the server. Faults are returned as they are; an error that is no answer is a mistake and is returned, too. */
export function answerFault(error: unknown, at: Doing): Error {
  const status = statusOf(error)
  if (status === undefined) return error as Error
  const answer = `SFTP status ${status}: ${(error as Error).message}`
  const call = { ...at, answer, cause: error }
  switch (status) {
    case SFTP_STATUS.PERMISSION_DENIED:
    case SFTP_STATUS.WRITE_PROTECT:
      return accessDeniedFault({ ...call, hint: DENIED_HINT })
    case SFTP_STATUS.NO_SPACE:
    case SFTP_STATUS.QUOTA_EXCEEDED:
      return quotaFault(call)
    case SFTP_STATUS.NO_CONNECTION:
    case SFTP_STATUS.CONNECTION_LOST:
      return unreachableFault(call, 'the server lost the connection to its files')
    case SFTP_STATUS.BAD_MESSAGE:
      return requestRefusedFault({ ...call, hint: 'the name may be too long for the file system of the server' })
    case SFTP_STATUS.UNSUPPORTED:
      return requestRefusedFault({ ...call, hint: 'the server lacks a part of SFTP that is needed' })
    default:
      if (FULL.test((error as Error).message)) return quotaFault(call)
      return serverFailedFault({ ...call })
  }
}

/** Where an error of ssh2 arose (`level`), and its code. */
interface SshError {
  readonly level?: unknown
  readonly message?: unknown
  readonly code?: unknown
}

const CANNOT_AGREE = /no matching|unsupported algorithm/i
const REFUSES_USER = /authentication/i

/** The fault for a connection that could not be made, or broke. `tried` names the ways of authentication that were tried. */
export function connectionFault(error: unknown, at: Doing & { readonly tried?: string }): Fault {
  if (isFault(error)) return error
  const { tried, ...call } = at
  const { level, message } = (error ?? {}) as SshError
  const text = typeof message === 'string' ? message : ''
  const known = networkFault(error, call)
  if (known !== undefined) return known
  const answered = { ...call, answer: text, cause: bareCause(error) }
  if (CANNOT_AGREE.test(text))
    return requestRefusedFault({ ...answered, hint: 'client and server have no algorithm in common: see the algorithms of the server' })
  if (level === 'client-authentication' || level === 'agent' || REFUSES_USER.test(text)) {
    return accessDeniedFault({
      ...answered,
      hint: `check the user, and the ways that were tried to prove who it is: ${tried ?? 'none'}; the log of the SSH server tells why it refused`,
    })
  }
  return unreachableFault(answered, 'the connection broke')
}

/** Only the name and the words: errors of ssh2 carry their whole connection, with its keys. */
function bareCause(error: unknown): Error | undefined {
  if (!(error instanceof Error)) return undefined
  const cause = new Error(error.message)
  cause.name = error.name
  return cause
}

/** The fault for a store that was closed. */
export function closedFault({ doing, location }: Doing): Fault {
  return new Fault('invalid', 'STORAGE_CLOSED', `${doing} in ${location} was asked of a storage that is closed`, {
    hint: 'this is a mistake in the calling program',
    context: { location },
  })
}
