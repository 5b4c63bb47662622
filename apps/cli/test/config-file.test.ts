import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isFault } from '@waltz/errors'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readConfigFile } from '../src/config-file.ts'
import { createFakeIo, type FakeIo } from './fake-io.ts'

let io: FakeIo
beforeEach(() => void (io = createFakeIo()))
afterEach(() => io[Symbol.dispose]())

const put = (name: string, text: string): string => {
  const path = join(io.cwd, name)
  writeFileSync(path, text)
  return path
}
const refusal = async (named: string | undefined, parts: object = {}) => {
  try {
    await readConfigFile(named, { ...io, ...parts })
  } catch (error) {
    if (isFault(error, 'invalid')) return error
    throw error
  }
  throw new Error('was accepted')
}

describe('formats', () => {
  const digits = '12345678901234567890'
  const texts = {
    'a.json': `{"WALG_FILE_PREFIX": "/x", "PGPASSWORD": ${digits}, "WALG_UPLOAD_QUEUE": 3, "verify": true, "gone": null, "walg_failover_storages": {"B": {"n": 1.50}}, "list": [1, "two"]}`,
    'a.yaml': `WALG_FILE_PREFIX: /x\nPGPASSWORD: ${digits}\nWALG_UPLOAD_QUEUE: 3\nverify: true\ngone:\nwalg_failover_storages:\n  B: {n: 1.50}\nlist: [1, two]\n`,
    'a.yml': `# comment\nWALG_FILE_PREFIX: "/x"\nPGPASSWORD: '${digits}'\nWALG_UPLOAD_QUEUE: 3\nverify: true\ngone: ~\nwalg_failover_storages: {B: {n: 1.50}}\nlist:\n- 1\n- two\n`,
  }
  it.each(Object.entries(texts))('%s keeps every digit, nested tables and lists', async (name, text) => {
    const path = put(name, text)
    expect(await readConfigFile(name, io)).toEqual({
      path,
      values: {
        WALG_FILE_PREFIX: '/x',
        PGPASSWORD: digits,
        WALG_UPLOAD_QUEUE: '3',
        verify: 'true',
        walg_failover_storages: { B: { n: '1.50' } },
        list: ['1', 'two'],
      },
    })
  })

  it('reads TOML', async () => {
    put(
      'a.toml',
      `WALG_FILE_PREFIX = "/x"\nbig = 9223372036854775807\nfraction = 1.5\nflag = false\nat = 2026-03-01T02:10:44Z\n[nested]\nkey = "v"\n`,
    )
    expect((await readConfigFile('a.toml', io))?.values).toEqual({
      WALG_FILE_PREFIX: '/x',
      big: '9223372036854775807',
      fraction: '1.5',
      flag: 'false',
      at: '2026-03-01T02:10:44.000Z',
      nested: { key: 'v' },
    })
  })

  it('reads dotenv', async () => {
    put(
      'a.env',
      `# comment\nexport WALG_FILE_PREFIX=/x # trailing\nA='si $NO ngle'\nB="line\\nnext $WHO \${A}"\nC=$WHO-\${C2}\nD: colon\nE=\nF=a#b\nG=\\$WHO\r\n`,
    )
    expect((await readConfigFile('a.env', { ...io, env: { WHO: 'me' } }))?.values).toEqual({
      WALG_FILE_PREFIX: '/x',
      A: 'si $NO ngle',
      B: 'line\nnext me si $NO ngle',
      C: 'me-',
      D: 'colon',
      E: '',
      F: 'a#b',
      G: '$WHO',
    })
  })

  it('takes an empty YAML file and a byte order mark', async () => {
    put('a.yaml', '# nothing\n')
    put('b.json', '\uFEFF{"A": "1"}')
    expect((await readConfigFile('a.yaml', io))?.values).toEqual({})
    expect((await readConfigFile('b.json', io))?.values).toEqual({ A: '1' })
  })
})

describe('which file', () => {
  it('prefers --config, then WALG_CONFIG_PATH, then the home directory', async () => {
    const home = join(io.cwd, 'home')
    mkdirSync(home)
    for (const [path, value] of [
      ['flag.json', 'flag'],
      ['env.json', 'env'],
      ['home/.walg.yaml', 'yaml'],
      ['home/.walg.toml', 'toml'],
    ] as const) {
      put(path, path.endsWith('.toml') ? `from = "${value}"` : JSON.stringify({ from: value }))
    }
    const fromOf = async (named: string | undefined, env: Record<string, string>) =>
      (await readConfigFile(named, { env, cwd: io.cwd, home }))?.values['from']
    expect(await fromOf('flag.json', { WALG_CONFIG_PATH: 'env.json' })).toBe('flag')
    expect(await fromOf(undefined, { WALG_CONFIG_PATH: 'env.json' })).toBe('env')
    expect(await fromOf('', { WALG_CONFIG_PATH: '' })).toBe('toml')
    put('home/.walg.json', '{"from": "json"}')
    expect(await fromOf(undefined, {})).toBe('json')
  })

  it('needs no home, and no file in it', async () => {
    for (const home of [undefined, '', '/does/not/exist', '/dev/null/home', io.cwd])
      expect(await readConfigFile(undefined, { ...io, home })).toBeUndefined()
  })

  it('is relative to the working directory, and told as an absolute path', async () => {
    mkdirSync(join(io.cwd, 'sub'))
    put('sub/c.json', '{}')
    expect((await readConfigFile('sub/c.json', io))?.path).toBe(join(io.cwd, 'sub/c.json'))
  })
})

describe('a file that cannot be used is fatal', () => {
  it.each([
    ['missing.json', 'it does not exist'],
    ['folder.json', 'it is a directory'],
    ['plain', 'its extension says nothing about its format'],
    ['a.ini', 'its extension says nothing about its format'],
  ])('%s: %s', async (name, reason) => {
    mkdirSync(join(io.cwd, 'folder.json'))
    put('plain', '{}')
    put('a.ini', 'a=b')
    const fault = await refusal(name)
    expect(fault.code).toBe('CONFIG_FILE_UNREADABLE')
    expect(fault.message).toContain(join(io.cwd, name))
    expect(fault.message).toContain(reason)
  })

  it('without permission', async () => {
    chmodSync(put('secret.json', '{}'), 0)
    chmodSync(io.cwd, 0o755)
    const root = process.geteuid?.() === 0
    // Root may read everything, so the test is somebody else for a moment.
    if (root) process.seteuid?.(65_534)
    try {
      expect((await refusal('secret.json')).message).toContain('may not be read')
    } finally {
      if (root) process.seteuid?.(0)
    }
  })

  it('in the home directory too', async () => {
    put('.walg.json', '{"PGPASSWORD": ')
    expect((await refusal(undefined, { home: io.cwd })).code).toBe('CONFIG_FILE_INVALID')
  })

  it.each([
    ['a.json', '{"PGPASSWORD": "hunter2",\n "x": hunter2}'],
    ['a.json', '["hunter2"]'],
    ['a.json', ''],
    ['a.yaml', 'PGPASSWORD: "hunter2\nx: ['],
    ['a.yaml', 'a: *hunter2'],
    ['a.yaml', 'a: !<hunter2> b\n- c'],
    ['a.toml', 'PGPASSWORD = "hunter2'],
    ['a.env', 'hunter2'],
    ['a.env', 'PGPASSWORD="hunter2'],
  ])('%s with %j, without showing what stands there', async (name, text) => {
    put(name, text)
    const fault = await refusal(name)
    expect(fault.code).toBe('CONFIG_FILE_INVALID')
    expect(fault.message).toContain(join(io.cwd, name))
    expect(`${fault.message} ${fault.stack} ${String(fault.cause)} ${JSON.stringify(fault)}`).not.toContain('hunter2')
  })
})
