import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { readAll, sourceOf } from '@waltz/bytes'
import { fileStore, temporaryRoot } from './support/temporary-root.ts'

const NOBODY = 65_534
const isRoot = process.getuid?.() === 0
const root = (path: string, mode: number, owner?: number): void => {
  if (owner !== undefined) chownSync(path, owner, owner)
  chmodSync(path, mode)
}

/** What each call ends with when an ordinary user makes it: "kind code", or "ok". */
function asNobody(path: string, calls: Readonly<Record<string, string>>): Record<string, string> {
  const program = `
    import { createFileStore } from '@waltz/storage-file'
    const store = createFileStore({ root: ${JSON.stringify(path)}, now: () => new Date(), randomHex: (digits) => 'a'.repeat(digits) })
    const body = async function* () { yield new Uint8Array(10) }
    const all = async (items) => { for await (const item of items) if (item === '') return }
    process.setgroups([]); process.setgid(${NOBODY}); process.setuid(${NOBODY})
    const outcome = {}
    const calls = { ${Object.entries(calls)
      .map(([name, code]) => `${JSON.stringify(name)}: () => ${code}`)
      .join(',\n')} }
    for (const [name, call] of Object.entries(calls)) {
      try { await call(); outcome[name] = 'ok' } catch (error) { outcome[name] = error.kind + ' ' + error.code }
    }
    console.log(JSON.stringify(outcome))
  `
  const output = execFileSync(process.execPath, ['--conditions=source', '--input-type=module', '-e', program], {
    cwd: new URL('..', import.meta.url),
    encoding: 'utf8',
  })
  return JSON.parse(output) as Record<string, string>
}

if (!isRoot) console.warn('SKIPPED: tests of permissions and mounts need root')

describe.skipIf(!isRoot)('an ordinary user', () => {
  it('is denied, never told "not found" or "empty", where the permissions forbid', () => {
    const path = temporaryRoot()
    root(path, 0o755)
    mkdirSync(join(path, 'closed'))
    writeFileSync(join(path, 'closed/object'), 'x')
    root(join(path, 'closed'), 0o700)
    writeFileSync(join(path, 'secret'), 'x')
    root(join(path, 'secret'), 0o600)
    mkdirSync(join(path, 'readable'))
    writeFileSync(join(path, 'readable/object'), 'x')
    const denied = 'denied STORAGE_DENIED'
    const outcome = asNobody(path, {
      'head in a closed folder': `store.head('closed/object')`,
      'head of what is not in a closed folder': `store.head('closed/missing')`,
      'get in a closed folder': `store.get('closed/missing')`,
      'get of a closed file': `store.get('secret')`,
      'list of a closed folder': `all(store.list('closed/'))`,
      'list over a closed folder': `all(store.list(''))`,
      'listGroups over a closed folder': `all(store.listGroups(''))`,
      'delete in a closed folder': `store.delete(['closed/missing'])`,
      'delete in a folder of somebody else': `store.delete(['readable/object'])`,
      'put in a folder of somebody else': `store.put('readable/new', body())`,
      'put over an object of somebody else': `store.put('readable/object', body())`,
      'put that needs a new folder': `store.put('new/object', body())`,
      'put in a closed folder': `store.put('closed/new', body())`,
      'conditional put in a closed folder': `store.put('closed/new', body(), { onlyIfAbsent: true })`,
      'copy of a closed file': `store.copy('secret', 'readable/new')`,
      'missing in a readable folder': `store.head('readable/missing')`,
      'list of a readable folder': `all(store.list('readable/'))`,
    })
    expect(outcome).toEqual({
      ...Object.fromEntries(Object.keys(outcome).map((name) => [name, denied])),
      'missing in a readable folder': 'not-found STORAGE_NOT_FOUND',
      'list of a readable folder': 'ok',
    })
    expect(readdirSync(path, { recursive: true }).sort()).toEqual(['closed', 'closed/object', 'readable', 'readable/object', 'secret'])
  })

  it('is denied where the root itself is closed', () => {
    const path = temporaryRoot()
    mkdirSync(join(path, 'repository'))
    root(join(path, 'repository'), 0o700)
    root(path, 0o755)
    const calls = {
      head: `store.head('a')`,
      get: `store.get('a/b')`,
      list: `all(store.list(''))`,
      put: `store.put('a', body())`,
      delete: `store.delete(['a'])`,
    }
    expect(new Set(Object.values(asNobody(join(path, 'repository'), calls)))).toEqual(new Set(['denied STORAGE_DENIED']))
    root(path, 0o700)
    expect(new Set(Object.values(asNobody(join(path, 'repository'), calls)))).toEqual(new Set(['denied STORAGE_DENIED']))
  })

  it('may use a folder of its own below a root of somebody else', () => {
    const path = temporaryRoot()
    root(path, 0o755)
    mkdirSync(join(path, 'own'))
    root(join(path, 'own'), 0o700, NOBODY)
    const outcome = asNobody(path, {
      put: `store.put('own/deep/er/object', body(), { onlyIfAbsent: true })`,
      copy: `store.copy('own/deep/er/object', 'own/copy')`,
      list: `all(store.list('own/'))`,
      'delete with its folders': `store.delete(['own/deep/er/object', 'own/copy'])`,
    })
    expect(new Set(Object.values(outcome))).toEqual(new Set(['ok']))
    expect(readdirSync(path)).toEqual(['own'])
  })
})

const mounted: string[] = []
afterEach(() => {
  for (const path of mounted.splice(0)) execFileSync('umount', [path])
})

/** A small disk of its own, or undefined where mounting is not allowed. */
function mountDisk(options: string): string | undefined {
  const path = temporaryRoot()
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path], { stdio: 'pipe' })
  } catch {
    console.warn(`SKIPPED: may not mount a disk with ${options}`)
    return undefined
  }
  mounted.push(path)
  return path
}

describe.skipIf(!isRoot)('a disk of its own', () => {
  it('that is full fails the put, keeps what was there, and takes the next one when there is room', async (context) => {
    const path = mountDisk('size=3m') ?? context.skip()
    const store = fileStore(path, { sync: true })
    await store.put('f/object', sourceOf('old'))
    await store.put('f/ballast', sourceOf(new Uint8Array(1_500_000)))
    for (const options of [{}, { onlyIfAbsent: true }]) {
      await expect(
        store.put('f/new/object', sourceOf(new Uint8Array(1_000_000), new Uint8Array(1_000_000)), options),
      ).rejects.toMatchObject({
        kind: 'unavailable',
        code: 'STORAGE_FULL',
        retryable: false,
        hint: expect.stringContaining('free space') as string,
      })
    }
    await expect(store.put('f/object', sourceOf(new Uint8Array(2_000_000)))).rejects.toMatchObject({ code: 'STORAGE_FULL' })
    expect(readdirSync(path, { recursive: true }).sort()).toEqual(['f', 'f/ballast', 'f/object'])
    expect(new TextDecoder().decode(await readAll(await store.get('f/object'), 10))).toBe('old')
    await store.delete(['f/ballast'])
    expect((await store.put('f/new/object', sourceOf(new Uint8Array(2_000_000)))).size).toBe(2_000_000)
  })

  it('that is out of names fails in the same way', async (context) => {
    const path = mountDisk('size=3m,nr_inodes=4') ?? context.skip()
    const store = fileStore(path)
    await store.put('a', sourceOf('x'))
    await store.put('b', sourceOf('x'))
    await store.put('c', sourceOf('x'))
    await expect(store.put('d', sourceOf('x'))).rejects.toMatchObject({ code: 'STORAGE_FULL' })
    await expect(store.put('folder/d', sourceOf('x'))).rejects.toMatchObject({ code: 'STORAGE_FULL' })
  })

  it('that is read-only is denied for writing and read as usual', async (context) => {
    const path = mountDisk('size=3m') ?? context.skip()
    const store = fileStore(path)
    await store.put('f/object', sourceOf('x'))
    execFileSync('mount', ['-o', 'remount,ro', path])
    const readOnly = { kind: 'denied', code: 'STORAGE_MOUNT_READ_ONLY' }
    await expect(store.put('f/object', sourceOf('y'))).rejects.toMatchObject(readOnly)
    await expect(store.put('new/object', sourceOf('y'))).rejects.toMatchObject(readOnly)
    await expect(store.delete(['f/object'])).rejects.toMatchObject(readOnly)
    await expect(store.copy('f/object', 'f/copy')).rejects.toMatchObject(readOnly)
    expect((await store.head('f/object')).size).toBe(1)
    await expect(store.head('f/missing')).rejects.toMatchObject({ kind: 'not-found' })
  })

  it('that is unmounted is unavailable, not empty', async (context) => {
    const path = mountDisk('size=3m') ?? context.skip()
    mkdirSync(join(path, 'repository'))
    const store = fileStore(join(path, 'repository'))
    await store.put('wal_005/x', sourceOf('x'))
    execFileSync('umount', [path])
    mounted.pop()
    await expect(store.get('wal_005/x')).rejects.toMatchObject({ kind: 'unavailable', code: 'STORAGE_ROOT_MISSING' })
    await expect(store.list('wal_005/')[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'STORAGE_ROOT_MISSING' })
  })
})
