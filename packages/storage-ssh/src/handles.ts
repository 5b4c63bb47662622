import type { Doing } from './errors.ts'
import type { Operation } from './place.ts'
import type { Session } from './session.ts'

/** A file or folder that is open on the server. */
export interface OpenHandle {
  readonly handle: Buffer
  readonly session: Session
  /** Waits for the answer. Harmless when called again. */
  close(): Promise<void>
  /** Without waiting, and whatever comes of it: for a call that has failed, or is not interested. */
  drop(): void
}

/** What a file is opened for. */
export const OPEN_FLAGS: Readonly<Record<'READ' | 'WRITE' | 'CREATE_NEW', number>> = {
  READ: 0x01,
  WRITE: 0x02,
  CREATE_NEW: 0x02 | 0x08 | 0x20,
}

const FILE_MODE = 0o644

/**
 * Opens a file. When the operation ends before the answer is there, a handle that still comes is closed, because nobody else would.
 * Rejects with the server's answer.
 */
export function openFile({ session, at, call }: Operation, path: string, flags: number): Promise<OpenHandle> {
  const attributes = flags === OPEN_FLAGS.CREATE_NEW ? { mode: FILE_MODE } : {}
  return opened({ session, at }, call, (answer) => (sftp) => sftp.open(path, flags, attributes, answer))
}

/** Opens a folder for listing it. Rejects with the server's answer. */
export function openFolder({ session, at, call }: Operation, path: string): Promise<OpenHandle> {
  return opened({ session, at }, call, (answer) => (sftp) => sftp.opendir(path, answer))
}

type Call = Operation['call']
type Request = Parameters<Call>[0]
type HandleAnswer = (error: Error | null | undefined, handle?: Buffer) => void

interface Opener {
  readonly session: Session
  readonly at: Doing
}

async function opened(
  opener: Opener,
  call: Call,
  request: (answer: HandleAnswer) => (sftp: Parameters<Request>[0]) => void,
): Promise<OpenHandle> {
  let abandoned = false
  try {
    const handle = await call<Buffer>((sftp, answer) =>
      request((error, value) => {
        if (abandoned && value !== undefined) closing(opener, value).catch(() => undefined)
        answer(error, value)
      })(sftp),
    )
    return openHandle(opener, handle)
  } catch (error) {
    abandoned = true
    throw error
  }
}

function openHandle(opener: Opener, handle: Buffer): OpenHandle {
  let closed: Promise<void> | undefined
  const close = (): Promise<void> => (closed ??= closing(opener, handle))
  return { handle, session: opener.session, close, drop: () => void close().catch(() => undefined) }
}

async function closing({ session, at }: Opener, handle: Buffer): Promise<void> {
  await session.call<void>((sftp, answer) => sftp.close(handle, answer), at)
}
