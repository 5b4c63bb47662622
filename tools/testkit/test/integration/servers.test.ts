import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import {
  accepts,
  freePorts,
  missingForAzurite,
  missingForRadosgw,
  missingForSshd,
  missingForSwift,
  nodeBinary,
  ordinaryUid,
  runAs,
  sharedServer,
  signedS3Request,
  startAs,
  startAzurite,
  startRadosgw,
  startSshd,
  startSwift,
  swiftSession,
  type Radosgw,
  type RunningProcess,
  type ServerFacts,
  type ServerOwner,
  type Sshd,
  type Swift,
} from '../../src/index.ts'
import type { KeeperAnswer } from '../../src/servers/keeper.ts'
import { isAlive, withDescendants } from '../../src/servers/process-tree.ts'
import { startServer } from '../../src/servers/start-server.ts'

const lacking = (missing: readonly string[]): string => (missing.length === 0 ? '' : ` (not installed: ${missing.join(', ')})`)

/** Two of a kind run at once, as the ordinary user; after `stop` nothing is left of them. */
async function liveAndDie<S extends ServerFacts & ServerOwner>(start: () => Promise<S>, use: (server: S) => Promise<void>): Promise<void> {
  const outcomes = await Promise.allSettled([start(), start()])
  const servers = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
  try {
    expect(outcomes.filter((outcome) => outcome.status === 'rejected')).toEqual([])
    for (const server of servers) {
      expect(server.ports.length).toBeGreaterThan(0)
      expect(await Promise.all(server.ports.map(accepts))).not.toContain(false)
      for (const pid of server.pids) expect(statSync(`/proc/${pid}`).uid).toBe(ordinaryUid())
      await use(server)
    }
    expect(new Set(servers.flatMap(({ ports }) => ports)).size).toBe(servers.flatMap(({ ports }) => ports).length)
  } finally {
    await Promise.all(servers.map((server) => server.stop()))
  }
  for (const server of servers) await isGone(server)
}

async function isGone({ folder, pids, ports }: ServerFacts): Promise<void> {
  expect(pids.filter(isAlive)).toEqual([])
  expect(await Promise.all(ports.map(accepts))).not.toContain(true)
  expect(existsSync(folder)).toBe(false)
}

async function storesByS3(server: Radosgw): Promise<void> {
  const bucket = await server.createBucket()
  await signedS3Request(server, { method: 'PUT', path: `/${bucket}/a b/c+ü`, body: 'kept' })
  expect(await (await signedS3Request(server, { method: 'GET', path: `/${bucket}/a b/c+ü` })).text()).toBe('kept')
  const wrong = { ...server, secretAccessKey: 'wrong' }
  await expect(signedS3Request(wrong, { method: 'GET', path: `/${bucket}/a b/c+ü` })).rejects.toThrow('SignatureDoesNotMatch')
  const other = { ...server, ...server.other }
  await expect(signedS3Request(other, { method: 'GET', path: `/${bucket}/a b/c+ü` })).rejects.toThrow('AccessDenied')
  const headers = { 'x-amz-storage-class': server.storageClasses[1] ?? '' }
  await signedS3Request(server, { method: 'PUT', path: `/${bucket}/seldom`, headers, body: 'x' })
  const head = await signedS3Request(server, { method: 'HEAD', path: `/${bucket}/seldom` })
  expect(head.headers.get('x-amz-storage-class')).toBe(server.storageClasses[1])
  const locked = await server.createBucket({ objectLock: true })
  expect(await (await signedS3Request(server, { method: 'GET', path: `/${locked}`, query: { versioning: '' } })).text()).toContain(
    'Enabled',
  )
}

async function storesBySwift({ container, ...account }: { container: string; authUrl: string; user: string; key: string }): Promise<void> {
  const { storageUrl, token } = await swiftSession(account)
  const headers = { 'x-auth-token': token }
  const put = async (name: string, body: string): Promise<number> =>
    (await fetch(`${storageUrl}/${container}/${name}`, { method: 'PUT', headers, body })).status
  expect([await put('s/1', 'ab'), await put('s/2', 'cd')]).toEqual([201, 201])
  const parts = JSON.stringify(['s/1', 's/2'].map((name) => ({ path: `/${container}/${name}` })))
  expect(await put('whole?multipart-manifest=put', parts)).toBe(201)
  expect(await (await fetch(`${storageUrl}/${container}/whole`, { headers })).text()).toBe('abcd')
}

async function storesBySftp(server: Sshd): Promise<void> {
  const folder = await server.createFolder()
  const options = [`UserKnownHostsFile=${server.knownHostsFile}`, 'StrictHostKeyChecking=yes', 'GlobalKnownHostsFile=/dev/null']
  const args = ['-b', '-', '-P', String(server.port), ...options.flatMap((option) => ['-o', option])]
  const sftp = (key: string): ReturnType<typeof runAs> =>
    runAs('/usr/bin/sftp', [...args, '-i', key, '-o', 'IdentitiesOnly=yes', `${server.user}@${server.host}`], {
      input: `put /proc/version ${folder}/here\n`,
    })
  expect(await sftp(server.privateKeyFile)).toMatchObject({ code: 0 })
  expect(readFileSync(`${folder}/here`, 'utf8')).toBe(readFileSync('/proc/version', 'utf8'))
  expect(statSync(`${folder}/here`).uid).toBe(ordinaryUid())
  expect(await sftp(server.strangerKeyFile)).toMatchObject({ code: 255, stderr: expect.stringContaining('Permission denied') as string })
}

describe.skipIf(missingForRadosgw().length > 0)(`radosgw${lacking(missingForRadosgw())}`, () => {
  it('has a second user for policies, keys for encryption, and logs', async () => {
    await using server = await startRadosgw()
    const bucket = await server.createBucket()
    const at = { path: `/${bucket}/shared` }
    const Resource = [`arn:aws:s3:::${bucket}/*`]
    const allow = { Effect: 'Allow', Principal: { AWS: [server.other.userArn] }, Action: ['s3:PutObject', 's3:GetObject'], Resource }
    const body = JSON.stringify({ Version: '2012-10-17', Statement: [allow] })
    await signedS3Request(server, { method: 'PUT', path: `/${bucket}`, query: { policy: '' }, body })
    const other = { ...server, ...server.other }
    await signedS3Request(other, { method: 'PUT', ...at, body: 'by another' })
    expect(await (await signedS3Request(other, { method: 'GET', ...at })).text()).toBe('by another')
    await expect(signedS3Request(other, { method: 'DELETE', ...at })).rejects.toThrow('AccessDenied')
    const encryption = { 'x-amz-server-side-encryption': 'aws:kms' }
    const encrypt = (id: string): Promise<Response> =>
      signedS3Request(server, {
        method: 'PUT',
        ...at,
        headers: { ...encryption, 'x-amz-server-side-encryption-aws-kms-key-id': id },
        body: 'x',
      })
    for (const id of server.kmsKeyIds) await encrypt(id)
    await expect(encrypt('unknown')).rejects.toThrow(/answered [45]/)
    expect(server.logs()).toMatch(/--- client\.rgw\.log\n[^]*PUT/)
  })

  it('stores by S3 and by Swift, beside another one, and leaves nothing behind', async () => {
    await liveAndDie(startRadosgw, async (server) => {
      await storesByS3(server)
      await storesBySwift({ ...server.swift, container: await server.createContainer() })
    })
  })
})

describe.skipIf(missingForSwift().length > 0)(`Swift${lacking(missingForSwift())}`, () => {
  it('stores, also large objects, beside another one, and leaves nothing behind', async () => {
    await liveAndDie(startSwift, async (server) => storesBySwift({ ...server, container: await server.createContainer() }))
  })

  it('offers what a store needs, and tells users apart', async () => {
    await using server = await startSwift()
    const info = (await (await fetch(`${server.endpoint}/info`)).json()) as object
    expect(Object.keys(info)).toEqual(expect.arrayContaining(['bulk_delete', 'slo', 'symlink', 'tempauth']))
    const container = await server.createContainer()
    const { storageUrl, token } = await swiftSession(server.restricted)
    expect((await fetch(`${storageUrl}/${container}`, { headers: { 'x-auth-token': token } })).status).toBe(403)
    await expect(swiftSession({ ...server, key: 'wrong' } satisfies Swift)).rejects.toThrow('answered 401')
  })
})

describe.skipIf(missingForAzurite().length > 0)(`Azurite${lacking(missingForAzurite())}`, () => {
  it('makes containers, beside another one, and leaves nothing behind', async () => {
    await liveAndDie(startAzurite, async (server) => {
      const container = await server.createContainer()
      await expect(server.createContainer(container)).rejects.toThrow('ContainerAlreadyExists')
      await expect(server.createContainer('No')).rejects.toThrow('answered 400')
      await expect(fetch(`${server.endpoint}/${container}?restype=container&comp=list`)).resolves.toMatchObject({ status: 403 })
    })
  })
})

describe.skipIf(missingForSshd().length > 0)(`sshd${lacking(missingForSshd())}`, () => {
  it('takes files from those it knows, beside another one, and leaves nothing behind', async () => {
    await liveAndDie(startSshd, storesBySftp)
  })

  it('ends sessions along with itself', async () => {
    await using server = await startSshd()
    const options = ['-o', `UserKnownHostsFile=${server.knownHostsFile}`, '-i', server.privateKeyFile, '-p', String(server.port)]
    const session = startAs('/usr/bin/ssh', ['-N', ...options, `${server.user}@${server.host}`])
    const processes = (): readonly number[] => server.pids.flatMap(withDescendants)
    while (!server.logs().includes('Accepted publickey') || processes().length < 2) await new Promise((wake) => setTimeout(wake, 10))
    const pids = processes()
    await server.stop()
    await session.exited
    await isGone({ ...server, pids })
  })
})

describe.skipIf(missingForSshd({ password: true }).length > 0)(`sshd with passwords${lacking(missingForSshd({ password: true }))}`, () => {
  it('lets in by the password and by no other', async () => {
    await using server = await startSshd({ password: true })
    await storesBySftp(server)
    const ask = `${server.folder}/ask`
    const login = async (password: string): Promise<number | undefined> => {
      writeFileSync(ask, `#!/bin/sh\necho '${password}'\n`, { mode: 0o755 })
      const options = ['PubkeyAuthentication=no', `UserKnownHostsFile=${server.knownHostsFile}`, 'NumberOfPasswordPrompts=1']
      const args = ['-P', String(server.port), ...options.flatMap((option) => ['-o', option]), `${server.user}@${server.host}`]
      const env = { SSH_ASKPASS: ask, SSH_ASKPASS_REQUIRE: 'force', DISPLAY: ':0' }
      return (await runAs('/usr/bin/sftp', args, { env, input: 'pwd\n' })).code
    }
    expect(await login(server.password ?? '')).toBe(0)
    expect(await login('guessed')).toBe(255)
  })
})

describe('a start that fails', () => {
  const sleeper = (facts: Partial<ServerFacts>): ServerFacts => ({ folder: '', pids: [], ports: [], ...facts })

  it('shows the logs, and leaves neither process nor folder', async () => {
    let seen = sleeper({})
    const failing = startServer('sleeper', async (home) => {
      const process = home.start('sleeper', '/bin/sh', ['-c', 'echo I sleep; sleep 100 & sleep 100'])
      await home.until('words', () => home.logs().includes('I sleep'))
      await home.until('its child', () => withDescendants(process.pid).length > 1)
      seen = sleeper({ folder: home.path, pids: withDescendants(process.pid) })
      throw new Error('halfway')
    })
    await expect(failing).rejects.toThrow(/sleeper did not start: halfway\n[^]*I sleep/)
    expect(seen.pids.length).toBeGreaterThan(1)
    await isGone(seen)
  })

  it('is noticed when a process ends', async () => {
    const failing = startServer('quitter', async (home) => {
      home.start('quitter', '/bin/sh', ['-c', 'echo I leave; exit 7'])
      await home.until('the end of time', () => false)
      return sleeper({})
    })
    await expect(failing).rejects.toThrow(/quitter ended with exit 7\n[^]*I leave/)
  })

  it('is tried again with other ports when one was snatched away', async () => {
    const [port = 0] = await freePorts(1)
    const thief = createServer().listen(port, '127.0.0.1')
    await new Promise((resolve) => thief.once('listening', resolve))
    let attempts = 0
    const { facts, owner } = await startServer('late', async (home) => {
      attempts += 1
      const [wanted = 0] = attempts === 1 ? [port] : await freePorts(1)
      const script = `require('node:net').createServer().listen(${wanted}, '127.0.0.1')`
      const process = home.start('late', await nodeBinary(), ['-e', script])
      await home.until('late', () => process.listensOn(wanted))
      return sleeper({ folder: home.path, pids: [process.pid], ports: [wanted] })
    })
    thief.close()
    expect(attempts).toBe(2)
    expect(facts.ports).not.toContain(port)
    await owner.stop()
    await owner.stop()
    await isGone(facts)
  })
})

describe.skipIf(missingForSshd().length > 0)(`servers that a run shares${lacking(missingForSshd())}`, () => {
  const keeper = fileURLToPath(new URL('../../src/servers/keeper.ts', import.meta.url))

  /** A run of tests that asks for one server; the keeper's id comes on standard error. */
  async function startRun(): Promise<{ readonly facts: ServerFacts; readonly run: RunningProcess; readonly keeperPid: number }> {
    const script = `const { spawn } = require('node:child_process')
      const options = { stdio: ['pipe', 'inherit', 'inherit'], detached: true }
      const child = spawn(process.execPath, ['--conditions=source', ${JSON.stringify(keeper)}], options)
      child.stdin.write('sshd\\n')
      console.error(child.pid)`
    const run = startAs(await nodeBinary(), ['-e', script], { user: 'self' })
    await run.waitFor(/"facts".*\n/)
    const answer = JSON.parse(run.stdout()) as KeeperAnswer & { facts: ServerFacts }
    expect(answer.name).toBe('sshd')
    expect(await Promise.all(answer.facts.ports.map(accepts))).toEqual([true])
    return { facts: answer.facts, run, keeperPid: Number(run.stderr()) }
  }

  async function goneSoon(facts: ServerFacts): Promise<void> {
    const deadline = Date.now() + 10_000
    while (facts.pids.some(isAlive) && Date.now() < deadline) await new Promise((wake) => setTimeout(wake, 20))
    expect(facts.pids.filter(isAlive)).toEqual([])
    expect(await Promise.all(facts.ports.map(accepts))).not.toContain(true)
  }

  it('end, folders included, when the run that asked for them is killed', async () => {
    const { facts, run, keeperPid } = await startRun()
    run.kill('SIGKILL')
    await run.exited
    await goneSoon({ ...facts, pids: [...facts.pids, keeperPid] })
    expect(existsSync(facts.folder)).toBe(false)
  })

  it('end even when the process that keeps them is killed', async () => {
    const { facts, run, keeperPid } = await startRun()
    process.kill(keeperPid, 'SIGKILL')
    await goneSoon(facts)
    run.kill('SIGKILL')
    await run.exited
    rmSync(facts.folder, { recursive: true })
  })

  it('are the same for everybody who asks', async () => {
    const [one, two] = await Promise.all([sharedServer('sshd'), sharedServer('sshd')])
    expect(one.missing).toBeUndefined()
    expect(one.server.pids).toEqual(two.server.pids)
    expect(process.env['WALTZ_SHARED_SERVERS']).toBeDefined()
    expect(one.server).not.toHaveProperty('stop')
    await storesBySftp(one.server)
  })
})
