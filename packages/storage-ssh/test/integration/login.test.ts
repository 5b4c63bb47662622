import { spawn } from 'node:child_process'
import { copyFileSync, chmodSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { readAll, sourceOf } from '@waltz/bytes'
import { isFault } from '@waltz/errors'
import { sharedServer, temporaryFolder } from '@waltz/testkit'
import { fingerprintOf } from '../../src/host-key-check.ts'
import { createSshStore, type SshStoreOptions } from '../../src/index.ts'
import { wireKey } from '../support/plain-server.ts'
import { optionsFor } from '../support/store-options.ts'

const sshd = await sharedServer('sshd')
const withPassword = await sharedServer('sshd-password')

async function failureOf(options: SshStoreOptions): Promise<unknown> {
  await using store = createSshStore(options)
  return await store.head('nothing').catch((error: unknown) => error)
}

describe.skipIf(sshd.missing !== undefined)(`logging in at ${sshd.title}`, () => {
  it('with a key, and with a key under a passphrase', async () => {
    const { server } = sshd
    const root = await server.createFolder()
    const keys = [{ text: server.privateKey }, { text: server.encryptedKey, passphrase: server.passphrase }]
    for (const [index, privateKey] of keys.entries()) {
      await using store = createSshStore(optionsFor(server, root, { authentication: { privateKey } }))
      await store.put(`object-${index}`, sourceOf('bytes'), { onlyIfAbsent: true })
      expect(new TextDecoder().decode(await readAll(await store.get(`object-${index}`), 100))).toBe('bytes')
      expect(await store.describeServer()).toMatchObject({
        software: expect.stringMatching(/^OpenSSH_/) as string,
        fingerprint: fingerprintOf(wireKey(server.hostKey)),
        hostKeyChecked: true,
        durable: true,
        atomicCreate: true,
        atomicReplace: true,
      })
    }
  })

  it('not with the key of a stranger, a wrong passphrase or none, or what is no key; and no fault holds a secret', async () => {
    const { server } = sshd
    const wrong = 'a wrong phrase'
    const attempts: readonly (readonly [SshStoreOptions['authentication'], string, string])[] = [
      [{ privateKey: { text: server.strangerKey } }, 'denied', 'STORAGE_ACCESS_DENIED'],
      [{ password: wrong }, 'denied', 'STORAGE_ACCESS_DENIED'],
      [{ privateKey: { text: server.encryptedKey, passphrase: wrong } }, 'invalid', 'STORAGE_PRIVATE_KEY_INVALID'],
      [{ privateKey: { text: server.encryptedKey } }, 'invalid', 'STORAGE_PRIVATE_KEY_INVALID'],
      [{ privateKey: { text: server.hostKey } }, 'invalid', 'STORAGE_PRIVATE_KEY_INVALID'],
      [{ agentSocket: '/nonexistent/agent' }, 'denied', 'STORAGE_ACCESS_DENIED'],
    ]
    const body = (text: string): string => text.split('\n').slice(2, 4).join('')
    for (const [authentication, kind, code] of attempts) {
      const fault = await failureOf(optionsFor(server, server.root, { authentication }))
      expect(fault).toMatchObject({ kind, code, retryable: false })
      const told = allOf(fault)
      for (const secret of [wrong, body(server.strangerKey), body(server.encryptedKey)]) expect(told).not.toContain(secret)
    }
  })

  it('with the keys of an agent', async () => {
    const { server } = sshd
    await using folder = temporaryFolder()
    const [socket, key] = [folder.join('agent'), folder.join('key')]
    copyFileSync(server.privateKeyFile, key)
    chmodSync(key, 0o600)
    const agent = spawn('/usr/bin/ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'inherit'] })
    try {
      await new Promise((resolve) => agent.stdout.once('data', resolve))
      const empty = await failureOf(optionsFor(server, server.root, { authentication: { agentSocket: socket } }))
      expect(empty).toMatchObject({ kind: 'denied', hint: expect.stringContaining('it holds no keys') as string })
      await run('/usr/bin/ssh-add', ['-q', key], { SSH_AUTH_SOCK: socket })
      await using store = createSshStore(optionsFor(server, await server.createFolder(), { authentication: { agentSocket: socket } }))
      await expect(store.head('nothing')).rejects.toMatchObject({ kind: 'not-found' })
      // What does not help is passed over.
      await using second = createSshStore(
        optionsFor(server, await server.createFolder(), {
          authentication: { privateKey: { text: server.strangerKey }, agentSocket: socket },
        }),
      )
      await expect(second.head('nothing')).rejects.toMatchObject({ kind: 'not-found' })
    } finally {
      agent.kill()
    }
  })

  it('only at the right server', async () => {
    const { server } = sshd
    const changed = await failureOf(
      optionsFor(server, server.root, {
        hostKeys: { kind: 'known-hosts', files: [{ path: 'wrong', text: readFileSync(server.wrongKnownHostsFile, 'utf8') }] },
      }),
    )
    expect(changed).toMatchObject({ kind: 'denied', code: 'STORAGE_HOST_KEY_CHANGED', retryable: false })
    expect((changed as Error).message).toContain(fingerprintOf(wireKey(server.hostKey)))
    const unknown = await failureOf(optionsFor(server, server.root, { hostKeys: { kind: 'known-hosts', files: [] } }))
    expect(unknown).toMatchObject({
      kind: 'denied',
      code: 'STORAGE_HOST_KEY_UNKNOWN',
      hint: expect.stringContaining('WALTZ_SSH_HOST_KEY_CHECK') as string,
    })
    const wrongPrint = await failureOf(optionsFor(server, server.root, { hostKeys: { kind: 'fingerprints', sha256: ['A'.repeat(43)] } }))
    expect(wrongPrint).toMatchObject({ kind: 'denied', code: 'STORAGE_HOST_KEY_CHANGED' })
    for (const hostKeys of [{ kind: 'accept-any' }, { kind: 'fingerprints', sha256: [fingerprintOf(wireKey(server.hostKey))] }] as const) {
      expect(await failureOf(optionsFor(server, await server.createFolder(), { hostKeys }))).toMatchObject({ kind: 'not-found' })
    }
  })

  it('a folder that is not there is unavailable and is not made', async () => {
    const { server } = sshd
    const root = `${await server.createFolder()}/missing`
    await using store = createSshStore(optionsFor(server, root))
    const calls: readonly (() => Promise<unknown>)[] = [
      () => store.head('a'),
      () => store.get('a/b'),
      () => store.put('a', sourceOf('x')),
      () => store.put('a/b', sourceOf('x'), { onlyIfAbsent: true }),
      () => store.delete(['a']),
      () => Array.fromAsync(store.list('')),
      () => Array.fromAsync(store.listGroups('a/')),
    ]
    for (const call of calls)
      await expect(call()).rejects.toMatchObject({ kind: 'unavailable', code: 'STORAGE_ROOT_MISSING', retryable: false })
  })
})

describe.skipIf(withPassword.missing !== undefined)(`a password at ${withPassword.title}`, () => {
  it('lets in when it is the right one', async () => {
    const { server } = withPassword
    const { password = '' } = server
    await using store = createSshStore(optionsFor(server, await server.createFolder(), { authentication: { password } }))
    await store.put('object', sourceOf('bytes'))
    expect((await store.head('object')).size).toBe(5)
    const fault = await failureOf(optionsFor(server, server.root, { authentication: { password: `${password}x` } }))
    expect(fault).toMatchObject({ kind: 'denied', code: 'STORAGE_ACCESS_DENIED' })
    expect(allOf(fault)).not.toContain(password)
  })
})

/** Everything that a fault tells anybody, its causes included. */
function allOf(error: unknown, depth = 0): string {
  if (!(error instanceof Error) || depth > 5) return JSON.stringify(error)
  const { message, stack } = error
  const more = isFault(error) ? `${error.hint ?? ''}${JSON.stringify(error.context)}` : ''
  return `${message}${stack ?? ''}${more}${JSON.stringify({ ...error })}${allOf(error.cause, depth + 1)}`
}

async function run(command: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<void> {
  const child = spawn(command, args, { env: { ...env }, stdio: 'ignore' })
  const code = await new Promise((resolve) => child.once('exit', resolve))
  if (code !== 0) throw new Error(`${command} ended with ${String(code)}`)
}
