import type { SFTPWrapper, Stats } from 'ssh2'
import { connectClient, type ConnectedClient } from './connect.ts'
import { connectionFault, SFTP_STATUS, statusOf, type Doing } from './errors.ts'
import type { SshStoreOptions } from './options.ts'

/** The callback that a call of SFTP gets. */
export type Answer<T> = (error: Error | null | undefined, value?: T) => void

/** What a server can do beyond version 3 of SFTP. */
export interface SessionTraits {
  /** How the server calls itself, such as `OpenSSH_9.2p1`. */
  readonly software: string
  /** Of the key that it showed, as `ssh-keygen -l` prints it. */
  readonly fingerprint: string
  readonly fsync: boolean
  readonly hardlink: boolean
  readonly posixRename: boolean
  readonly statvfs: boolean
  /** Whether it answers strictly in the order of the requests, so that several reads of one folder may be under way. */
  readonly inOrder: boolean
  /** The most bytes of one read or write. */
  readonly requestBytes: number
}

/** One connection with its SFTP channel. */
export interface Session {
  readonly traits: SessionTraits
  /** False once the connection is gone, in whatever way. */
  isOpen(): boolean
  /**
   * Makes one request and gives its answer. Rejects with the error of ssh2 that has the status as its `code`, or with the fault of the
   * connection when that breaks before the answer; `at` is for its message.
   */
  call<T>(request: (sftp: SFTPWrapper, answer: Answer<T>) => void, at: Doing): Promise<T>
  /** Tells of every byte that arrives and every one that was taken by the system; returns what ends it. */
  onProgress(listener: () => void): () => void
  /**
   * Says that a call was given up whose requests may have no answer yet: until they have, nobody knows whether the connection still
   * works, and no new call should begin on it.
   */
  doubt(): void
  isDoubtful(): boolean
  /** Resolves when there is no doubt any more, one way or the other. */
  settled(): Promise<void>
  /** Breaks the connection off: what is under way on it fails with `reason`. */
  destroy(reason?: Error): void
  /** Takes leave of the server; resolves when the connection is closed. */
  end(): Promise<void>
}

/** Reads and writes of a server that does not tell its limits; every server must take 34,000 bytes in all. */
const SMALLEST_REQUEST_BYTES = 31_744
/** As large as one packet of an SSH channel: larger requests save nothing. */
const LARGEST_REQUEST_BYTES = 130_048
const IN_ORDER = /^OpenSSH_/

/** Connects and opens a session; the signal breaks off only the connecting. */
export async function openSession(options: SshStoreOptions, at: Doing, signal: AbortSignal): Promise<Session> {
  return createSession(await connectClient(options, at, signal))
}

type Fail = (reason: unknown) => void

/** The requests of a connection that have no answer yet. */
interface Unanswered {
  readonly failure: { readonly reason: unknown } | undefined
  add(fail: Fail): void
  /** False when it was told of the failure already. */
  remove(fail: Fail): boolean
  /** Everything that has no answer fails with the first reason that is told. */
  failAll(reason: unknown): void
  readonly doubt: () => void
  readonly isDoubtful: () => boolean
  readonly settled: () => Promise<void>
}

function createUnanswered(): Unanswered {
  const waiting = new Set<Fail>()
  let doubted = new Set<Fail>()
  let settled = Promise.withResolvers<void>()
  let failure: { readonly reason: unknown } | undefined
  return {
    get failure() {
      return failure
    },
    add: (fail) => void waiting.add(fail),
    remove(fail) {
      if (doubted.delete(fail) && doubted.size === 0) settled.resolve()
      return waiting.delete(fail)
    },
    failAll(reason) {
      failure ??= { reason }
      for (const fail of waiting) fail(failure.reason)
      waiting.clear()
      settled.resolve()
    },
    doubt() {
      doubted = new Set(waiting)
      if (doubted.size > 0) settled = Promise.withResolvers()
    },
    isDoubtful: () => doubted.size > 0,
    settled: () => (doubted.size === 0 ? Promise.resolve() : settled.promise),
  }
}

function createSession(connected: ConnectedClient): Session {
  const { client, sftp, socket } = connected
  const unanswered = createUnanswered()
  const listeners = new Set<() => void>()
  const closed = Promise.withResolvers<void>()
  const lost = (reason?: unknown): void => {
    unanswered.failAll(reason ?? new Error('the server closed the connection'))
    socket.destroy()
  }
  const gone = (): void => {
    lost()
    closed.resolve()
  }
  const moved = (): void => {
    for (const listener of listeners) listener()
  }
  client.on('error', lost)
  client.on('end', () => lost())
  for (const event of ['close', 'end']) sftp.on(event, () => lost())
  sftp.on('error', lost)
  socket.on('data', moved).on('drain', moved).on('close', gone)
  if (socket.destroyed) gone()

  return {
    traits: traitsOf(connected),
    isOpen: () => unanswered.failure === undefined && !socket.destroyed,
    call: (request, at) =>
      new Promise((resolve, reject) => {
        const fail = (reason: unknown): void => reject(connectionFault(reason, at))
        const { failure } = unanswered
        if (failure !== undefined) return fail(failure.reason)
        unanswered.add(fail)
        try {
          request(sftp, (error, value) => {
            moved()
            if (!unanswered.remove(fail)) return
            if (error === undefined || error === null) resolve(value as never)
            else if (statusOf(error) === undefined) fail(error)
            else reject(error)
          })
        } catch (error) {
          unanswered.remove(fail)
          fail(error)
        }
      }),
    onProgress(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    doubt: unanswered.doubt,
    isDoubtful: unanswered.isDoubtful,
    settled: unanswered.settled,
    destroy: lost,
    async end() {
      client.end()
      await closed.promise
    },
  }
}

/** The parts of ssh2 that its types leave out. */
interface SftpInternals {
  readonly _extensions?: Readonly<Record<string, string>>
  readonly _maxReadLen?: number
  readonly _maxWriteLen?: number
}
interface ClientInternals {
  readonly _remoteVer?: string
}

function traitsOf({ client, sftp, fingerprint }: ConnectedClient): SessionTraits {
  const { _extensions: offered = {}, _maxReadLen, _maxWriteLen } = sftp as unknown as SftpInternals
  const { _remoteVer: software = '' } = client as unknown as ClientInternals
  const limit = Math.min(_maxReadLen ?? 0, _maxWriteLen ?? 0)
  return {
    software,
    fingerprint,
    fsync: offered['fsync@openssh.com'] === '1',
    hardlink: offered['hardlink@openssh.com'] === '1',
    posixRename: offered['posix-rename@openssh.com'] === '1',
    statvfs: offered['statvfs@openssh.com'] === '2',
    inOrder: IN_ORDER.test(software),
    requestBytes: Math.max(SMALLEST_REQUEST_BYTES, Math.min(limit, LARGEST_REQUEST_BYTES)),
  }
}

/** A file or folder as the server describes it. */
export interface FoundStats {
  readonly kind: 'file' | 'folder' | 'link' | 'other'
  readonly size: number
  /** Whole seconds: version 3 of SFTP has no more. */
  readonly modifiedAt: Date
}

const MODE_KIND: Readonly<Record<number, FoundStats['kind']>> = { 0o100_000: 'file', 0o040_000: 'folder', 0o120_000: 'link' }

/** What the attributes of an answer say. */
export function statsOf({ mode, size, mtime }: Pick<Stats, 'mode' | 'size' | 'mtime'>): FoundStats {
  return { kind: MODE_KIND[mode & 0o170_000] ?? 'other', size, modifiedAt: new Date(mtime * 1000) }
}

/** Whether the answer is the end of a file or of a folder. */
export function isEnd(error: unknown): boolean {
  return statusOf(error) === SFTP_STATUS.EOF
}
