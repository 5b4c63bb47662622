import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const cwd = new URL('..', import.meta.url)

function runText(text: string): string {
  const args = ['--conditions=source', '--input-type=module-typescript', '-e', text]
  return execFileSync(process.execPath, args, { cwd, encoding: 'utf8' })
}

it('the example of the README runs as it stands', { timeout: 60_000 }, () => {
  const example = /```ts\n(.*?)```/s.exec(readFileSync(new URL('README.md', cwd), 'utf8'))?.[1] ?? ''
  expect(runText(example)).toBe('wal_005/000000010000000000000001.lz4 11\none\n')
})

it('importing the package loads none of its libraries', { timeout: 60_000 }, () => {
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
  expect(runText(text)).toBe('0 true\n')
})
