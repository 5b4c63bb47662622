import { optionsFault, type Leftover, type NetworkStoreOptions } from '@waltz/storage'

/** What an SSH store is made from. */
export interface SshStoreOptions extends NetworkStoreOptions {
  /** A name or an address, without a port. */
  readonly host: string
  /** 22 unless given. */
  readonly port?: number
  /** There is no default: the caller decides whether the name of the operating system's user is meant. */
  readonly user: string
  /** The absolute path of the repository's folder on the server. It must exist: a missing one is taken for an unmounted disk and never created. */
  readonly root: string
  readonly authentication: SshAuthentication
  readonly hostKeys: SshHostKeys
  /** Connections that are open at most; made when they are needed, kept until the store is disposed of, replaced when the server drops them. 4 unless given. */
  readonly connections?: number
  readonly keepAlive?: SshKeepAlive
  /** Objects above this go in parts, each of which is synced on the server and sent again when the connection breaks. 16 MiB unless given. */
  readonly partBytes?: number
  /** Parts of one object in flight, over several connections. 3 unless given. */
  readonly partsInFlight?: number
  /** What is offered to the server instead of the defaults of ssh2; the names are those of `ssh -Q kex`, `key`, `cipher` and `mac`. */
  readonly algorithms?: SshAlgorithms
  /** Told when the temporary file of an upload could not be removed. */
  readonly onLeftover?: (leftover: Leftover) => void
}

/**
 * The ways to prove who the user is. Those that are given are tried in this order, as long as the server refuses: the private key, the
 * keys of the agent, the password (both as `password` and as the only answer of `keyboard-interactive`). At least one must be given.
 */
export interface SshAuthentication {
  readonly privateKey?: SshPrivateKey
  /** The path of the socket on which an agent listens (`SSH_AUTH_SOCK`). */
  readonly agentSocket?: string
  readonly password?: string
}

/** A private key in memory: whoever reads its file is the caller. */
export interface SshPrivateKey {
  /** In the format of OpenSSH or in PEM. */
  readonly text: string
  /** For an encrypted key. */
  readonly passphrase?: string
}

/** Which server is the right one. */
export type SshHostKeys =
  /**
   * The texts of known_hosts files, as sshd(8) describes them: names, wildcards, negations, `[host]:port`, hashed names, several
   * lines for one host, `@cert-authority` and `@revoked`.
   */
  | { readonly kind: 'known-hosts'; readonly files: readonly KnownHostsFile[] }
  /** The key must have one of these fingerprints, in the form that `ssh-keygen -l` prints: `SHA256:` and base64; the beginning may be left out. */
  | { readonly kind: 'fingerprints'; readonly sha256: readonly string[] }
  /** Any key of anybody who answers, as WAL-G does. */
  | { readonly kind: 'accept-any' }

/** One file of known hosts, read by the caller; one that does not exist is left out. */
export interface KnownHostsFile {
  /** For messages. */
  readonly path: string
  readonly text: string
}

/** Questions to a silent server, so that firewalls keep the connection and a dead one is noticed. */
export interface SshKeepAlive {
  /** 15 s unless given; 0 asks nothing. */
  readonly intervalMs?: number
  /** A connection that left so many questions unanswered is given up. 3 unless given. */
  readonly maxUnanswered?: number
}

/** Each list replaces the default one. */
export interface SshAlgorithms {
  readonly keyExchange?: readonly string[]
  readonly serverHostKey?: readonly string[]
  readonly cipher?: readonly string[]
  readonly mac?: readonly string[]
}

/** Unless given in `SshStoreOptions`. */
export const DEFAULT_SSH_PORT = 22
/** Unless given in `SshStoreOptions`. */
export const DEFAULT_SSH_CONNECTIONS = 4

/**
 * Refuses what cannot work, before anything is connected.
 * @throws Fault `invalid` `STORAGE_OPTIONS_INVALID`.
 */
export function checkOptions(options: SshStoreOptions): void {
  checkAddress(options)
  checkTrust(options)
  for (const name of ['connections', 'partBytes', 'partsInFlight'] as const) {
    const count = options[name]
    if (count !== undefined && !isCount(count)) throw optionsFault(`the option ${name} cannot be ${count}`)
  }
}

function checkAddress({ host, port = DEFAULT_SSH_PORT, user, root }: SshStoreOptions): void {
  if (host === '' || /[\s/@\0]/.test(host))
    throw optionsFault(`${JSON.stringify(host)} is not the name of an SSH server`, 'give its name or address')
  if (!isCount(port) || port > 65_535) throw optionsFault(`${port} is not a port`)
  if (user === '') throw optionsFault('no user is given for the SSH server', 'set the name of the user on the server')
  if (!root.startsWith('/') || root.includes('\0'))
    throw optionsFault(`${JSON.stringify(root)} is not an absolute path`, 'give the whole path of the repository folder on the server')
}

function checkTrust({ user, authentication, hostKeys }: SshStoreOptions): void {
  const { privateKey, agentSocket, password } = authentication
  if (privateKey === undefined && agentSocket === undefined && password === undefined)
    throw optionsFault(`nothing is given that proves who ${user} is to the SSH server`, 'give a private key, an agent or a password')
  if (hostKeys.kind !== 'fingerprints') return
  if (hostKeys.sha256.length === 0 || !hostKeys.sha256.every((text) => FINGERPRINT.test(text)))
    throw optionsFault(
      'the fingerprints of the SSH server are not in the form that `ssh-keygen -l` prints',
      'they read SHA256: and 43 characters',
    )
}

/** A fingerprint of 32 bytes in base64, with or without what `ssh-keygen` puts around it. */
const FINGERPRINT = /^(?:SHA256:)?[A-Za-z0-9+/]{43}=?$/

function isCount(value: number): boolean {
  return Number.isInteger(value) && value >= 1
}
