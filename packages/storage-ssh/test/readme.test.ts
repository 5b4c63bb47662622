import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { startPlainServer } from './support/plain-server.ts'

const cwd = new URL('..', import.meta.url)

async function runText(text: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
  const args = ['--conditions=source', '--input-type=module-typescript', '-e', text]
  return (await promisify(execFile)(process.execPath, args, { cwd, encoding: 'utf8', env })).stdout
}

it('the example of the README runs as it stands', { timeout: 60_000 }, async () => {
  await using server = await startPlainServer()
  await using folder = await mkdtempDisposable(join(tmpdir(), 'known-hosts-'))
  const known = join(folder.path, 'known_hosts')
  writeFileSync(known, `[127.0.0.1]:${server.port} ${server.hostKeyLine}\n`)
  const example = /```ts\n(.*?)```/s.exec(readFileSync(new URL('README.md', cwd), 'utf8'))?.[1] ?? ''
  const env = {
    SSH_HOST: '127.0.0.1',
    SSH_PORT: String(server.port),
    SSH_USERNAME: 'backup',
    SSH_PASSWORD: 'secret',
    SSH_KNOWN_HOSTS: known,
    SSH_FOLDER: server.root,
  }
  expect(await runText(example, env)).toBe('wal_005/000000010000000000000001.lz4 11\none\n')
})

it('importing the package loads none of its libraries', { timeout: 60_000 }, async () => {
  const text = `
    import { createRequire } from 'node:module'
    import { createSshStore } from '@waltz/storage-ssh'
    const around = { retry: {}, budget: {}, now: () => new Date(), sleep: async () => {}, randomHex: () => '' }
    createSshStore({ ...around, host: 'h', user: 'u', root: '/r', authentication: { password: 'p' }, hostKeys: { kind: 'accept-any' } } as never)
    const loaded = Object.keys(createRequire(import.meta.url).cache).filter((path) => path.includes('ssh2'))
    await import('ssh2')
    const later = Object.keys(createRequire(import.meta.url).cache).filter((path) => path.includes('ssh2'))
    console.log(loaded.length, later.length > 0)
  `
  expect(await runText(text)).toBe('0 true\n')
})
