import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { programExists } from '../binaries.ts'
import { mustRun } from '../run-as.ts'
import { ordinaryUid, runningAsRoot } from '../users.ts'
import type { ServerHome } from './server-home.ts'
import { freePorts } from './sockets.ts'
import { logsOf, startServer, type ServerFacts, type ServerOwner, type ServerUse } from './start-server.ts'

/** What a client needs to know of an OpenSSH server that offers SFTP and nothing else. */
export interface SshdFacts extends ServerFacts {
  readonly host: string
  readonly port: number
  readonly user: string
  /** A folder for the tests; not changed root, so paths are those of the machine. Sessions begin in it. */
  readonly root: string
  /** A private key that is let in, as a file only its owner may read (the user that servers run as, and root). */
  readonly privateKeyFile: string
  readonly privateKey: string
  /** The same, under a passphrase. */
  readonly encryptedKeyFile: string
  readonly encryptedKey: string
  readonly passphrase: string
  /** A private key that is not let in. */
  readonly strangerKeyFile: string
  readonly strangerKey: string
  /** Lists this server and its port, by its key. */
  readonly knownHostsFile: string
  /** Lists this server with the key of another one. */
  readonly wrongKnownHostsFile: string
  /** The server's public key, as `ssh-ed25519 BASE64`. */
  readonly hostKey: string
  /** Set where the server lets in by a password too. */
  readonly password: string | undefined
}

/** An SFTP server to work with. */
export interface Sshd extends SshdFacts, ServerUse {
  /** Makes an empty folder of a random name in the root, as the user who logs in, and returns its path. */
  createFolder(): Promise<string>
}

/** How the server shall be. */
export interface SshdOptions {
  /** Let in by a password as well; an ordinary user may not read the system's passwords, so this needs Debian's libnss-wrapper. */
  readonly password?: boolean
  /** Further lines of its configuration. */
  readonly configuration?: readonly string[]
}

const SSHD = '/usr/sbin/sshd'
const KEYGEN = '/usr/bin/ssh-keygen'
const OPENSSL = '/usr/bin/openssl'
const PASSPHRASE = 'keys have phrases'

/** Programs and libraries that are missing for it. */
export function missingForSshd({ password = false }: SshdOptions = {}): readonly string[] {
  const missing = [SSHD, KEYGEN, ...(password ? [OPENSSL] : [])].filter((path) => !programExists(path))
  // The user that servers of root run as is locked in the system's list, and sshd then refuses every login.
  const needsList = password || runningAsRoot()
  return needsList && nssWrapper() === undefined ? [...missing, 'libnss_wrapper.so'] : missing
}

/** Starts it, with keys of its own. @throws Error with the logs when it does not start. */
export async function startSshd(options: SshdOptions = {}): Promise<Sshd & ServerOwner> {
  const { facts, owner } = await startServer('sshd', (home) => build(home, options))
  return { ...useSshd(facts), ...owner }
}

/** Adds to the facts what can be done by them. */
export function useSshd(facts: SshdFacts): Sshd {
  return {
    ...facts,
    logs: () => logsOf(facts),
    createFolder: async () => {
      const path = join(facts.root, `folder-${randomBytes(6).toString('hex')}`)
      await mustRun('/usr/bin/mkdir', [path])
      return path
    },
  }
}

async function build(home: ServerHome, options: SshdOptions): Promise<SshdFacts> {
  const [port = 0] = await freePorts(1)
  const root = home.makeFolder('root')
  const keys = home.makeFolder('keys')
  const login = await createLogin(home, options)
  const makeKey = async (
    name: string,
    passphrase = '',
  ): Promise<{ readonly file: string; readonly secret: string; readonly open: string }> => {
    const file = join(keys, name)
    await home.run(KEYGEN, ['-q', '-t', 'ed25519', '-N', passphrase, '-C', name, '-f', file], login.env)
    return { file, secret: readFileSync(file, 'utf8'), open: readFileSync(`${file}.pub`, 'utf8').split(' ').slice(0, 2).join(' ') }
  }
  const host = await makeKey('host')
  const user = await makeKey('user')
  const locked = await makeKey('locked', PASSPHRASE)
  const stranger = await makeKey('stranger')
  const authorized = home.write('keys/authorized', `${user.open}\n${locked.open}\n`)
  const lines = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${host.file}`,
    `AuthorizedKeysFile ${authorized}`,
    `PidFile ${home.path}/sshd.pid`,
    'StrictModes no',
    'UsePAM no',
    `PasswordAuthentication ${login.password === undefined ? 'no' : 'yes'}`,
    'KbdInteractiveAuthentication no',
    'MaxStartups 100',
    'MaxSessions 100',
    `Subsystem sftp internal-sftp -d ${root}`,
    'ForceCommand internal-sftp',
    ...(options.configuration ?? []),
  ]
  const configuration = home.write('sshd_config', `${lines.join('\n')}\n`)
  const server = home.start('sshd', SSHD, ['-D', '-e', '-f', configuration], login.env)
  await home.until('sshd', () => server.listensOn(port))
  return {
    folder: home.path,
    pids: [server.pid],
    ports: [port],
    host: '127.0.0.1',
    port,
    user: login.user,
    root,
    privateKeyFile: user.file,
    privateKey: user.secret,
    encryptedKeyFile: locked.file,
    encryptedKey: locked.secret,
    passphrase: PASSPHRASE,
    strangerKeyFile: stranger.file,
    strangerKey: stranger.secret,
    knownHostsFile: home.write('keys/known_hosts', `[127.0.0.1]:${port} ${host.open}\n`),
    wrongKnownHostsFile: home.write('keys/wrong_known_hosts', `[127.0.0.1]:${port} ${stranger.open}\n`),
    hostKey: host.open,
    password: login.password,
  }
}

interface Login {
  readonly user: string
  readonly password: string | undefined
  readonly env: Readonly<Record<string, string>>
}

/**
 * Whom the server lets in: a user that only it knows, with the number of the one it runs as (nobody else can log in at a server
 * of an ordinary user), or, where the library for that is missing, whoever runs it.
 */
async function createLogin(home: ServerHome, { password: wanted = false }: SshdOptions): Promise<Login> {
  const library = nssWrapper()
  if (library === undefined) return { user: (await mustRun('/usr/bin/id', ['-un'])).trim(), password: undefined, env: {} }
  const user = 'waltz'
  const password = wanted ? randomBytes(9).toString('base64url') : undefined
  // `x` alone is the hash of no password.
  const hash = password === undefined ? 'x' : (await mustRun(OPENSSL, ['passwd', '-6', '-stdin'], { input: `${password}\n` })).trim()
  const id = ordinaryUid()
  const env = {
    LD_PRELOAD: library,
    NSS_WRAPPER_PASSWD: home.write('passwd', `${user}:x:${id}:${id}:${user}:${home.path}/root:/bin/sh\n`),
    NSS_WRAPPER_SHADOW: home.write('shadow', `${user}:${hash}:20000:0:99999:7:::\n`, 0o600),
    NSS_WRAPPER_GROUP: home.write('group', `${user}:x:${id}:\n`),
  }
  return { user, password, env }
}

/** Debian's libnss-wrapper, which gives a program a list of users of its own. */
function nssWrapper(): string | undefined {
  const folders = readdirSync('/usr/lib').filter((name) => name.endsWith('-linux-gnu'))
  return folders.map((name) => `/usr/lib/${name}/libnss_wrapper.so`).find((path) => existsSync(path))
}
