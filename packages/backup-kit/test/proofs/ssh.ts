import { execFileSync, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { sharedServer, startSshd, type Sshd } from '@waltz/testkit'
import { expect } from 'vitest'
import { bytesOf, fileOf, folderOf, list, present, put, seen, type Act, type Given, type KeysOf, type Proof, type Seen } from './proof.ts'

async function server(): Promise<Sshd> {
  const shared = await sharedServer('sshd')
  if (shared.missing !== undefined) throw new Error(shared.missing)
  return shared.server
}

/** Settings that work at this server, with some changed. */
async function ssh(given: Given, act: Act = put(), { home, at }: { readonly home?: string; readonly at?: Sshd } = {}): Promise<Seen> {
  const { host, port, user, privateKeyFile, knownHostsFile, root } = at ?? (await server())
  return seen(
    () =>
      present({
        WALG_SSH_PREFIX: `ssh://${host}${root}`,
        SSH_PORT: String(port),
        SSH_USERNAME: user,
        SSH_PRIVATE_KEY_PATH: privateKeyFile,
        WALTZ_SSH_KNOWN_HOSTS: knownHostsFile,
        WALTZ_STORAGE_MAX_RETRIES: '0',
        ...given,
      }),
    { act, more: { home } },
  )
}

const works = async (given: Given, more: { readonly home?: string; readonly at?: Sshd } = {}): Promise<void> => {
  expect((await ssh(given, list, more)).error).toBeUndefined()
}
const refused = async (given: Given, more: { readonly home?: string; readonly at?: Sshd } = {}): Promise<unknown> => {
  const { error } = await ssh(given, list, more)
  expect(error).toBeDefined()
  return error
}

/** An agent that holds the key of the user. */
async function withAgent(work: (socket: string) => Promise<void>): Promise<void> {
  const { privateKeyFile } = await server()
  const socket = join(folderOf('agent'), `socket-${process.hrtime.bigint()}`)
  const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' })
  try {
    for (let tries = 0; !existsSync(socket) && tries < 100; tries += 1) await pause(20)
    execFileSync('ssh-add', ['-q', privateKeyFile], { env: { ...process.env, SSH_AUTH_SOCK: socket }, stdio: 'ignore' })
    await work(socket)
  } finally {
    agent.kill()
  }
}

/** A line to the server that counts its connections and the bytes that the client sends. */
async function counting(
  port: number,
): Promise<AsyncDisposable & { readonly port: number; readonly most: () => number; readonly sent: () => number }> {
  let open = 0
  let most = 0
  let sent = 0
  const line = createServer((client) => {
    const onward = connect(port, '127.0.0.1')
    open += 1
    most = Math.max(most, open)
    client.on('data', (chunk) => (sent += chunk.length))
    client.on('close', () => {
      open -= 1
      onward.destroy()
    })
    client.on('error', () => undefined)
    onward.on('error', () => client.destroy())
    client.pipe(onward).pipe(client)
  })
  await new Promise<void>((resolve) => line.listen(0, '127.0.0.1', resolve))
  return {
    port: (line.address() as AddressInfo).port,
    most: () => most,
    sent: () => sent,
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => line.close(resolve))
    },
  }
}

/** Every setting of SSH, at OpenSSH's server. */
export const sshProofs: Readonly<Record<KeysOf<'ssh'>, Proof>> = {
  async sshPrefix() {
    const { host, root, createFolder } = await server()
    const folder = await createFolder()
    expect((await ssh({ WALG_SSH_PREFIX: undefined, WALE_SSH_PREFIX: `ssh://${host}${folder}` })).error).toBeUndefined()
    expect(existsSync(join(folder, 'key'))).toBe(true)
    expect(folder.startsWith(root)).toBe(true)
  },
  async sshPort() {
    const { port } = await server()
    await works({ SSH_PORT: undefined, WALG_SSH_PORT: String(port) })
    expect(await refused({ SSH_PORT: '9' })).toMatchObject({ kind: 'unavailable' })
  },
  async sshUsername() {
    const { user } = await server()
    await works({ SSH_USERNAME: undefined, WALE_SSH_USERNAME: user })
    expect(await refused({ SSH_USERNAME: 'nobody-here' })).toMatchObject({ kind: 'denied' })
  },
  async sshPassword() {
    const own = await startSshd({ password: true })
    try {
      await works({ SSH_PRIVATE_KEY_PATH: undefined, SSH_PASSWORD: own.password }, { at: own })
      expect(await refused({ SSH_PRIVATE_KEY_PATH: undefined, SSH_PASSWORD: 'wrong' }, { at: own })).toMatchObject({ kind: 'denied' })
    } finally {
      await own.stop()
    }
  },
  async sshPrivateKeyPath() {
    const { strangerKeyFile } = await server()
    await works({})
    expect(await refused({ SSH_PRIVATE_KEY_PATH: strangerKeyFile })).toMatchObject({ kind: 'denied' })
  },
  async sshKeyPassphrase() {
    const { encryptedKeyFile, passphrase } = await server()
    await works({ SSH_PRIVATE_KEY_PATH: encryptedKeyFile, WALTZ_SSH_KEY_PASSPHRASE: passphrase })
    await refused({ SSH_PRIVATE_KEY_PATH: encryptedKeyFile, WALTZ_SSH_KEY_PASSPHRASE: 'another' })
    await refused({ SSH_PRIVATE_KEY_PATH: encryptedKeyFile })
  },
  async sshAgent() {
    await withAgent(async (socket) => {
      await works({ SSH_PRIVATE_KEY_PATH: undefined, WALTZ_SSH_AGENT: socket })
      await refused({ SSH_PRIVATE_KEY_PATH: undefined, WALTZ_SSH_AGENT: `${socket}-not-there`, SSH_AUTH_SOCK: socket })
    })
  },
  async sshAuthSock() {
    await withAgent((socket) => works({ SSH_PRIVATE_KEY_PATH: undefined, SSH_AUTH_SOCK: socket }))
  },
  async sshHostKeyCheck() {
    const { wrongKnownHostsFile } = await server()
    await works({ WALTZ_SSH_HOST_KEY_CHECK: 'false', WALTZ_SSH_KNOWN_HOSTS: wrongKnownHostsFile })
    await refused({ WALTZ_SSH_HOST_KEY_CHECK: 'true', WALTZ_SSH_KNOWN_HOSTS: wrongKnownHostsFile })
  },
  async sshKnownHosts() {
    const { knownHostsFile, port, hostKey } = await server()
    await works({ WALTZ_SSH_KNOWN_HOSTS: `${fileOf('no hosts', '')}:${knownHostsFile}` })
    await refused({ WALTZ_SSH_KNOWN_HOSTS: fileOf('no hosts', '') })
    // Unless given, the file of the user.
    const home = folderOf('ssh home')
    folderOf('ssh home/.ssh')
    await refused({ WALTZ_SSH_KNOWN_HOSTS: undefined }, { home })
    fileOf('ssh home/.ssh/known_hosts', `[127.0.0.1]:${port} ${hostKey}\n`)
    await works({ WALTZ_SSH_KNOWN_HOSTS: undefined }, { home })
  },
  async sshHostFingerprint() {
    const { hostKey } = await server()
    const [, fingerprint = ''] = execFileSync('ssh-keygen', ['-l', '-f', fileOf('host.pub', `${hostKey}\n`)])
      .toString()
      .split(' ')
    await works({ WALTZ_SSH_KNOWN_HOSTS: undefined, WALTZ_SSH_HOST_FINGERPRINT: `SHA256:${'A'.repeat(43)}, ${fingerprint}` })
    await refused({ WALTZ_SSH_KNOWN_HOSTS: undefined, WALTZ_SSH_HOST_FINGERPRINT: `SHA256:${'A'.repeat(43)}` })
  },
  async sshConnections() {
    const { port } = await server()
    const most = async (WALTZ_SSH_CONNECTIONS: string): Promise<number> => {
      await using line = await counting(port)
      const many: Act = (store) => Promise.all(Array.from({ length: 6 }, (_, index) => store.put(`many-${index}`, bytesOf(2_000_000))))
      const given = { SSH_PORT: String(line.port), WALTZ_SSH_HOST_KEY_CHECK: 'false', WALTZ_SSH_CONNECTIONS }
      expect((await ssh(given, many)).error).toBeUndefined()
      return line.most()
    }
    expect(await most('1')).toBe(1)
    expect(await most('3')).toBe(3)
  },
  async sshKeepAlive() {
    const { port } = await server()
    const sentWhileIdle = async (WALTZ_SSH_KEEP_ALIVE: string): Promise<number> => {
      await using line = await counting(port)
      let sent = 0
      const idle: Act = async (store) => {
        await list(store)
        await pause(100)
        const before = line.sent()
        await pause(600)
        sent = line.sent() - before
      }
      await ssh({ SSH_PORT: String(line.port), WALTZ_SSH_HOST_KEY_CHECK: 'false', WALTZ_SSH_KEEP_ALIVE }, idle)
      return sent
    }
    expect(await sentWhileIdle('100ms')).toBeGreaterThan(0)
    expect(await sentWhileIdle('0')).toBe(0)
  },
}
