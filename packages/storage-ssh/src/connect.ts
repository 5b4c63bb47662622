import { connect as connectSocket, type Socket } from 'node:net'
import { abortedFault, isFault, throwIfAborted, type Fault } from '@waltz/errors'
import { DEFAULT_CONNECT_TIMEOUT_MS, unreachableFault } from '@waltz/storage'
import type { Algorithms, AuthenticationType, Client, ConnectConfig, SFTPWrapper } from 'ssh2'
import { prepareCredentials, type Credentials, type Ssh2 } from './authentication.ts'
import { connectionFault, type Doing } from './errors.ts'
import { createHostKeyCheck, fingerprintOf, type HostKeyCheck } from './host-key-check.ts'
import { DEFAULT_SSH_PORT, type SshStoreOptions } from './options.ts'

/** A client that is logged in, with its SFTP channel. */
export interface ConnectedClient {
  readonly client: Client
  readonly sftp: SFTPWrapper
  readonly socket: Socket
  /** Of the server's key. */
  readonly fingerprint: string
}

const DEFAULT_KEEP_ALIVE_MS = 15_000
const DEFAULT_MAX_UNANSWERED = 3

/** What `ssh-keygen` calls a key, and the algorithms that such a key is used with, the best first (RFC 8332). */
const ALGORITHMS_OF_TYPE: Readonly<Record<string, readonly string[]>> = { 'ssh-rsa': ['rsa-sha2-512', 'rsa-sha2-256', 'ssh-rsa'] }

/** The parts of the client that its types leave out. */
interface SftpClient {
  readonly client: Client
  connect(config: ConnectConfig): Promise<SFTPWrapper>
}
type SftpClientConstructor = new (name: string, callbacks: Readonly<Record<'error' | 'end' | 'close', () => void>>) => SftpClient

interface Modules {
  readonly ssh2: Ssh2
  readonly SftpClient: SftpClientConstructor
}

interface Attempt {
  readonly options: SshStoreOptions
  readonly at: Doing
  readonly check: HostKeyCheck
  readonly modules: Modules
  /** Types of keys that the server has shown already and that were not wanted. */
  readonly shown: readonly string[]
  readonly signal: AbortSignal
}

/**
 * Connects, checks the server's key, logs in and opens the SFTP channel, all within the connect time-out, unless the signal ends it.
 * @throws Fault `unavailable` `STORAGE_UNREACHABLE`; `denied` `STORAGE_ACCESS_DENIED`, `STORAGE_HOST_KEY_UNKNOWN`,
 * `STORAGE_HOST_KEY_CHANGED`, `STORAGE_HOST_KEY_REVOKED`; `invalid` `STORAGE_PRIVATE_KEY_INVALID`, `STORAGE_REQUEST_REFUSED`.
 */
export async function connectClient(options: SshStoreOptions, at: Doing, signal: AbortSignal): Promise<ConnectedClient> {
  const modules = await loadModules()
  const check = createHostKeyCheck(options.hostKeys, { host: options.host, port: options.port ?? DEFAULT_SSH_PORT, location: at.location })
  const shown: string[] = []
  let first: unknown
  for (;;) {
    try {
      return await connectOnce({ options, at, check, modules, shown, signal })
    } catch (error) {
      // A server has several keys and shows one: the fingerprint that is wanted may be that of another one.
      const keyType =
        options.hostKeys.kind === 'fingerprints' && isFault(error) && error.code === 'STORAGE_HOST_KEY_CHANGED' && error.context['keyType']
      if (typeof keyType !== 'string') throw first !== undefined && isFault(error, 'invalid') ? first : error
      first ??= error
      shown.push(keyType)
    }
  }
}

/** The libraries are loaded by the first connection: whoever never connects pays nothing. */
async function loadModules(): Promise<Modules> {
  const [ssh2, client] = (await Promise.all([import('ssh2'), import('ssh2-sftp-client')])) as unknown as readonly [
    { readonly default: Ssh2 },
    { readonly default: SftpClientConstructor },
  ]
  return { ssh2: ssh2.default, SftpClient: client.default }
}

async function connectOnce(attempt: Attempt): Promise<ConnectedClient> {
  const { options, at, modules, signal } = attempt
  throwIfAborted(signal)
  const credentials = await prepareCredentials(modules.ssh2, options.user, options.authentication)
  const timer = new AbortController()
  const outcome: { failure?: Fault; fingerprint: string } = { fingerprint: '' }
  const nothing = (): void => undefined
  const sftpClient = new modules.SftpClient('waltz', { error: nothing, end: nothing, close: nothing })
  const socket = connectSocket({ host: options.host, port: options.port ?? DEFAULT_SSH_PORT, noDelay: true })
  socket.on('error', nothing) // told by the client, which listens only later
  const limitMs = options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS
  options.sleep(limitMs, timer.signal).then(
    () => {
      if (timer.signal.aborted) return
      outcome.failure = unreachableFault(at, `no connection within ${limitMs} ms`)
      socket.destroy()
    },
    () => undefined,
  )
  const onAbort = (): void => {
    outcome.failure = abortedFault(signal)
    socket.destroy()
  }
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    const sftp = await sftpClient.connect(configOf(attempt, { socket, credentials, outcome }))
    sftpClient.client.setNoDelay(true) // without it every small request waits for the acknowledgement of the one before
    return { client: sftpClient.client, sftp, socket, fingerprint: outcome.fingerprint }
  } catch (error) {
    socket.destroy()
    throw outcome.failure ?? connectionFault(error, { ...at, tried: credentials.tried() })
  } finally {
    timer.abort()
    signal.removeEventListener('abort', onAbort)
  }
}

interface Connecting {
  readonly socket: Socket
  readonly credentials: Credentials
  readonly outcome: { failure?: Fault; fingerprint: string }
}

function configOf({ options, check, shown }: Attempt, { socket, credentials, outcome }: Connecting): ConnectConfig {
  const { keepAlive } = options
  return {
    sock: socket,
    username: options.user,
    readyTimeout: 0, // the whole way is watched by the caller
    keepaliveInterval: keepAlive?.intervalMs ?? DEFAULT_KEEP_ALIVE_MS,
    keepaliveCountMax: keepAlive?.maxUnanswered ?? DEFAULT_MAX_UNANSWERED,
    algorithms: algorithmsOf(options, check, shown),
    hostVerifier: (key: Buffer): boolean => {
      outcome.fingerprint = fingerprintOf(key)
      const refusal = check.refusal(key)
      if (refusal !== undefined) outcome.failure = refusal
      return refusal === undefined
    },
    authHandler: (allowed: readonly AuthenticationType[], _partial, next) => next(credentials.next(allowed) as Parameters<typeof next>[0]),
  }
}

/** The kinds of host keys, the best first. */
const HOST_KEY_ALGORITHMS = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
  'ssh-rsa',
]

/** What is offered. Host keys of known kinds come first, so that the server shows the one that can be checked, as `ssh` does it. */
function algorithmsOf({ algorithms = {} }: SshStoreOptions, { acceptedTypes = [] }: HostKeyCheck, shown: readonly string[]): Algorithms {
  const without = new Set(shown.flatMap(algorithmsOfType))
  const wanted = new Set(acceptedTypes.flatMap(algorithmsOfType))
  const offered = (algorithms.serverHostKey ?? HOST_KEY_ALGORITHMS).filter((name) => !without.has(name))
  const ordered = [...offered.filter((name) => wanted.has(name)), ...offered.filter((name) => !wanted.has(name))]
  const { keyExchange, cipher, mac } = algorithms
  if (ordered.length === 0) throw new Error('no matching host key: all kinds were tried')
  return {
    serverHostKey: ordered,
    ...(keyExchange === undefined ? {} : { kex: [...keyExchange] }),
    ...(cipher === undefined ? {} : { cipher: [...cipher] }),
    ...(mac === undefined ? {} : { hmac: [...mac] }),
  } as Algorithms
}

function algorithmsOfType(keyType: string): readonly string[] {
  return ALGORITHMS_OF_TYPE[keyType] ?? [keyType]
}
