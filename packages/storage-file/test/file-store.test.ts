import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { readAll, sourceOf, type ByteSource } from '@waltz/bytes'
import type { ObjectStore } from '@waltz/storage'
import { createFileStore, parseFilePrefix } from '../src/index.ts'
import { fileStore, randomHex, temporaryRoot } from './support/temporary-root.ts'

const keysOf = async (store: ObjectStore, prefix = ''): Promise<string[]> => {
  const keys: string[] = []
  for await (const info of store.list(prefix)) keys.push(info.key)
  return keys
}
const groupsOf = async (store: ObjectStore, prefix = ''): Promise<string[]> => {
  const groups: string[] = []
  for await (const group of store.listGroups(prefix)) groups.push(group)
  return groups
}
const text = async (store: ObjectStore, key: string): Promise<string> => new TextDecoder().decode(await readAll(await store.get(key), 1e6))
const missing = { kind: 'not-found', code: 'STORAGE_NOT_FOUND' }
const openFiles = (): number => readdirSync('/proc/self/fd').length

/** The class of Node's open files, to make the system misbehave. */
const handle = await open('/dev/null')
const handleClass = Object.getPrototypeOf(handle) as typeof handle
await handle.close()
const errno = (code: string, syscall = 'write'): Error => Object.assign(new Error(`${code}: on purpose`), { code, syscall, errno: -1 })

afterEach(() => {
  vi.restoreAllMocks()
})

describe('the root', () => {
  const calls: readonly (readonly [string, (store: ObjectStore) => Promise<unknown>])[] = [
    ['head', (store) => store.head('a')],
    ['head of a temporary name', (store) => store.head('a.tmp.20240203T040506Z-0123456789abcdef')],
    ['get', (store) => store.get('a/b')],
    ['get of a range', (store) => store.get('a/b', { range: { start: 1 } })],
    ['put', (store) => store.put('a', sourceOf('x'))],
    ['put in a folder', (store) => store.put('a/b', sourceOf('x'))],
    ['put if absent', (store) => store.put('a/b', sourceOf('x'), { onlyIfAbsent: true })],
    ['delete', (store) => store.delete(['a', 'a/b'])],
    ['list', (store) => keysOf(store)],
    ['list of a folder', (store) => keysOf(store, 'wal_005/')],
    ['list after a mark', (store) => store.list('a/', { after: 'b' })[Symbol.asyncIterator]().next()],
    ['listGroups', (store) => groupsOf(store)],
    ['listGroups of a folder', (store) => groupsOf(store, 'basebackups_005/')],
    ['copy', (store) => store.copy('a', 'b')],
  ]

  describe.each(calls)('%s', (_name, call) => {
    it.each([
      ['is not there', (root: string) => rmSync(root, { recursive: true })],
      ['is a file', (root: string) => (rmSync(root, { recursive: true }), writeFileSync(root, 'x'))],
      ['is a link that leads nowhere', (root: string) => (rmSync(root, { recursive: true }), symlinkSync('/no/such/place', root))],
    ])('is unavailable, never not-found or empty, when the root %s', async (_what, damage) => {
      const root = temporaryRoot()
      damage(root)
      await expect(call(fileStore(root))).rejects.toMatchObject({ kind: 'unavailable', code: 'STORAGE_ROOT_MISSING', retryable: false })
    })
  })

  it('that vanishes during a listing is noticed', async () => {
    const root = temporaryRoot()
    const store = fileStore(root)
    for (const key of ['a/1', 'b/1', 'c/1']) await store.put(key, sourceOf('x'))
    const listing = store.list('')[Symbol.asyncIterator]()
    expect((await listing.next()).value).toMatchObject({ key: 'a/1' })
    rmSync(root, { recursive: true })
    await expect(listing.next()).rejects.toMatchObject({ code: 'STORAGE_ROOT_MISSING' })
  })

  it('that vanishes during a put is noticed', async () => {
    const root = temporaryRoot()
    const source = async function* (): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(10)
      rmSync(root, { recursive: true })
    }
    await expect(fileStore(root).put('a/b', source())).rejects.toMatchObject({ code: 'STORAGE_ROOT_MISSING' })
    expect(existsSync(root)).toBe(false)
  })

  it('may be a link, end in a slash, and must be a path', async () => {
    const root = temporaryRoot()
    symlinkSync(root, `${root}-link`)
    await fileStore(`${root}-link/`).put('a/b', sourceOf('x'))
    rmSync(`${root}-link`)
    expect(await keysOf(fileStore(root))).toEqual(['a/b'])
    for (const bad of ['', 'a\0b']) {
      expect(() => fileStore(bad)).toThrow(expect.objectContaining({ kind: 'invalid', code: 'STORAGE_ROOT_INVALID' }) as Error)
    }
  })

  it('is named by a FILE prefix, with or without its legacy scheme', () => {
    expect(['/backups', 'file://localhost/backups', 'relative/path'].map(parseFilePrefix)).toEqual([
      '/backups',
      '/backups',
      'relative/path',
    ])
  })
})

describe('what is on disk', () => {
  it('is one file per object in folders made on demand, with the usual modes', async () => {
    const root = temporaryRoot()
    const before = process.umask(0o022)
    try {
      await fileStore(root).put('basebackups_005/base_1/tar_partitions/part_1.tar.lz4', sourceOf('bytes'))
    } finally {
      process.umask(before)
    }
    const folder = join(root, 'basebackups_005/base_1/tar_partitions')
    expect(readFileSync(join(folder, 'part_1.tar.lz4'), 'utf8')).toBe('bytes')
    expect(readdirSync(folder)).toEqual(['part_1.tar.lz4'])
    for (const [path, mode] of [
      ['basebackups_005', 0o755],
      ['basebackups_005/base_1', 0o755],
      ['basebackups_005/base_1/tar_partitions/part_1.tar.lz4', 0o644],
    ] as const) {
      expect(statSync(join(root, path)).mode & 0o777, path).toBe(mode)
    }
  })

  it('during a put is a temporary name in the same folder, in the form that WAL-G hides', async () => {
    const root = temporaryRoot()
    const store = fileStore(root, { randomHex: () => '0123456789abcdef' })
    let seen: string[] = []
    const source = async function* (): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(1_000_000)
      seen = readdirSync(join(root, 'wal_005'))
      yield new Uint8Array(1)
    }
    await store.put('wal_005/000000010000000000000003.lz4', source())
    expect(seen).toEqual(['000000010000000000000003.lz4.tmp.20240203T040506Z-0123456789abcdef'])
    expect(readdirSync(join(root, 'wal_005'))).toEqual(['000000010000000000000003.lz4'])
  })

  it('is not touched by reads: no folder appears', async () => {
    const root = temporaryRoot()
    const store = fileStore(root)
    await expect(store.head('a/b/c')).rejects.toMatchObject(missing)
    await expect(store.get('a/b/c')).rejects.toMatchObject(missing)
    await expect(store.copy('a/b/c', 'd/e/f')).rejects.toMatchObject(missing)
    expect([await keysOf(store, 'x/y/'), await groupsOf(store, 'x/y/')]).toEqual([[], []])
    await store.delete(['p/q/r'])
    expect(readdirSync(root)).toEqual([])
  })

  it('is as before after a failed put, folders included', async () => {
    const root = temporaryRoot()
    const failing = async function* (): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(2_000_000)
      throw new Error('boom')
    }
    await expect(fileStore(root).put('a/b/c', failing())).rejects.toThrow('boom')
    expect(readdirSync(root)).toEqual([])
  })

  it('loses folders with their last object, never the root', async () => {
    const root = temporaryRoot()
    const store = fileStore(root, { sync: true })
    for (const key of ['a/b/c/1', 'a/b/c/2', 'a/x', 'd/1', 'top']) await store.put(key, sourceOf('x'))
    await store.delete(['a/b/c/1', 'd/1'])
    expect(readdirSync(root, { recursive: true }).sort()).toEqual(['a', 'a/b', 'a/b/c', 'a/b/c/2', 'a/x', 'top'])
    await store.delete(['a/b/c/2'])
    expect(readdirSync(root, { recursive: true }).sort()).toEqual(['a', 'a/x', 'top'])
    await store.delete(['a/x', 'top', 'a/y'])
    expect(readdirSync(root)).toEqual([])
  })

  it('keeps the nanoseconds of modification times', async () => {
    const root = temporaryRoot()
    const store = fileStore(root)
    const info = await store.put('object', sourceOf('x'))
    expect(info.modifiedAtNs).toBe(statSync(join(root, 'object'), { bigint: true }).mtimeNs)
    execFileSync('touch', ['-d', '2023-05-06T07:08:09.123456789Z', join(root, 'object')])
    const touched = await store.head('object')
    expect([touched.modifiedAtNs, touched.modifiedAt.toISOString()]).toEqual([1_683_356_889_123_456_789n, '2023-05-06T07:08:09.123Z'])
    expect(touched.etag).not.toBe(info.etag)
    utimesSync(join(root, 'object'), new Date(0), new Date(-1500))
    expect((await store.head('object')).modifiedAt.getTime()).toBe(-1500)
  })

  it('may have names of 255 bytes, in characters of any length', async () => {
    const root = temporaryRoot()
    const store = fileStore(root)
    for (const name of ['x'.repeat(255), `x${'é'.repeat(127)}`, 'x'.repeat(217), 'x'.repeat(218), '한'.repeat(85)]) {
      await store.put(`f/${name}`, sourceOf(name))
      await store.put(`f/${name}`, sourceOf(name))
      expect(await text(store, `f/${name}`)).toBe(name)
    }
    const tooLong = 'y'.repeat(256)
    for (const call of [
      () => store.head(tooLong),
      () => store.get(tooLong),
      () => store.put(tooLong, sourceOf('x')),
      () => store.delete([tooLong]),
    ]) {
      await expect(call()).rejects.toMatchObject({ kind: 'invalid', code: 'STORAGE_KEY_INVALID' })
    }
    expect(readdirSync(root)).toEqual(['f'])
  })
})

describe('uploads that a crash left', () => {
  const left = 'f/object.tmp.20240203T040506Z-0123456789abcdef'

  it('are hidden from every reader, and nobody can make or remove one', async () => {
    const root = temporaryRoot()
    const store = fileStore(root)
    mkdirSync(join(root, 'f'))
    writeFileSync(join(root, left), 'half')
    mkdirSync(join(root, 'dir.tmp.20240203T040506Z-0123456789abcdef'))
    writeFileSync(join(root, 'dir.tmp.20240203T040506Z-0123456789abcdef/x'), 'half')
    expect([await keysOf(store), await groupsOf(store), await keysOf(store, 'f/object')]).toEqual([[], [], []])
    await expect(store.head(left)).rejects.toMatchObject(missing)
    await expect(store.get(left)).rejects.toMatchObject(missing)
    await expect(store.put(left, sourceOf('x'))).rejects.toMatchObject({ kind: 'invalid', code: 'STORAGE_KEY_INVALID' })
    await expect(store.copy(left, 'g')).rejects.toMatchObject(missing)
    await store.delete([left])
    expect(readFileSync(join(root, left), 'utf8')).toBe('half')
    await store.put('f/object', sourceOf('whole'))
    expect([await keysOf(store), await groupsOf(store)]).toEqual([['f/object'], ['f/']])
    await store.delete(['f/object'])
    expect([await keysOf(store), await groupsOf(store)]).toEqual([[], []])
  })

  it.each([
    'f/object.tmp.20240203T040506Z-0123456789ABCDEF',
    'f/object.tmp.20240203T040506Z-0123',
    'f/object.tmp',
    'f/object.tmp.2024-0123456789abcdef',
  ])('are told from objects by their exact form: %s is an object', async (key) => {
    const store = fileStore(temporaryRoot())
    await store.put(key, sourceOf('x'))
    expect(await keysOf(store)).toEqual([key])
  })

  it('are all that kill -9 in the middle of a put leaves', async () => {
    const root = temporaryRoot()
    await fileStore(root).put('f/object', sourceOf('old'))
    const program = `
      import { createFileStore } from '@waltz/storage-file'
      import { createHash } from 'node:crypto'
      const body = async function* () { yield new Uint8Array(3_000_000); yield new Uint8Array(1); process.kill(process.pid, 'SIGKILL'); yield new Uint8Array(1) }
      const store = createFileStore({ root: ${JSON.stringify(root)}, now: () => new Date(), randomHex: (digits) => 'f'.repeat(digits) })
      await store.put('f/object', body())
    `
    const cwd = new URL('..', import.meta.url)
    expect(() =>
      execFileSync(process.execPath, ['--conditions=source', '--input-type=module', '-e', program], { cwd, stdio: 'pipe' }),
    ).toThrow(expect.objectContaining({ signal: 'SIGKILL' }) as Error)
    const names = readdirSync(join(root, 'f'))
    expect(names).toHaveLength(2)
    expect(names.some((name) => /^object\.tmp\.\d{8}T\d{6}Z-f{16}$/.test(name))).toBe(true)
    const store = fileStore(root)
    expect(await keysOf(store)).toEqual(['f/object'])
    expect(await text(store, 'f/object')).toBe('old')
    await store.put('f/object', sourceOf('new'))
    expect(await text(store, 'f/object')).toBe('new')
  })

  it('do not stop a new upload that draws the same name', async () => {
    const root = temporaryRoot()
    const drawn = ['0123456789abcdef', '0123456789abcdef', 'fedcba9876543210']
    mkdirSync(join(root, 'f'))
    writeFileSync(join(root, left), 'half')
    const store = fileStore(root, { randomHex: () => drawn.shift() ?? 'none' })
    await store.put('f/object', sourceOf('whole'))
    expect(await text(store, 'f/object')).toBe('whole')
    expect(drawn).toEqual([])
    await expect(store.put('f/object', sourceOf('x'))).rejects.toMatchObject({ kind: 'internal' })
  })
})

describe('links and other things', () => {
  it('links to files and folders are followed, in no circles', async () => {
    const root = temporaryRoot()
    const outside = temporaryRoot()
    const store = fileStore(root)
    await fileStore(outside).put('deep/er/object', sourceOf('outside'))
    for (const key of ['a/1', 'a/b/2', 'empty/x']) await store.put(key, sourceOf('inside'))
    rmSync(join(root, 'empty/x'))
    symlinkSync(join(root, 'a/1'), join(root, 'file-link'))
    symlinkSync(outside, join(root, 'out'))
    symlinkSync('..', join(root, 'a/up'))
    symlinkSync('.', join(root, 'self'))
    symlinkSync('../a', join(root, 'a/b/again'))
    symlinkSync('round', join(root, 'round'))
    symlinkSync('nowhere', join(root, 'dangling'))
    symlinkSync('../empty', join(root, 'empty/loop'))
    const keys = await keysOf(store)
    expect(keys).toContain('out/deep/er/object')
    expect(keys).toContain('file-link')
    expect(keys.filter((key) => !/(?:up|self|again)\//.test(key))).toEqual(['a/1', 'a/b/2', 'file-link', 'out/deep/er/object'])
    expect(keys.length).toBeLessThan(20)
    expect(new Set(keys).size).toBe(keys.length)
    expect(await groupsOf(store)).toEqual(['a/', 'out/'])
    expect(await text(store, 'out/deep/er/object')).toBe('outside')
    expect((await store.head('file-link')).size).toBe(6)
    for (const key of ['dangling', 'round', 'out', 'self/a']) await expect(store.get(key), key).rejects.toMatchObject(missing)
  })

  it('two folders that lead into each other are walked once each way', async () => {
    const root = temporaryRoot()
    const store = fileStore(root)
    for (const key of ['p/1', 'q/2']) await store.put(key, sourceOf('x'))
    symlinkSync('../q', join(root, 'p/to-q'))
    symlinkSync('../p', join(root, 'q/to-p'))
    expect(await keysOf(store)).toEqual(['p/1', 'p/to-q/2', 'q/2', 'q/to-p/1'])
  })

  it('pipes and sockets are no objects and stop nobody', async () => {
    const root = temporaryRoot()
    execFileSync('mkfifo', [join(root, 'pipe')])
    const store = fileStore(root)
    expect([await keysOf(store), await groupsOf(store)]).toEqual([[], []])
    await expect(store.get('pipe')).rejects.toMatchObject(missing)
    await expect(store.head('pipe')).rejects.toMatchObject(missing)
  })

  it('a folder cannot be replaced by an object, nor an object become a folder', async () => {
    const root = temporaryRoot()
    const store = fileStore(root)
    await store.put('folder/object', sourceOf('x'))
    const invalid = { kind: 'invalid', code: 'STORAGE_KEY_INVALID' }
    await expect(store.put('folder', sourceOf('x'))).rejects.toMatchObject(invalid)
    await expect(store.put('folder', sourceOf('x'), { onlyIfAbsent: true })).rejects.toMatchObject(invalid)
    await expect(store.put('folder/object/below', sourceOf('x'))).rejects.toMatchObject(invalid)
    await expect(store.put('folder/object/far/below', sourceOf('x'))).rejects.toMatchObject(invalid)
    await expect(store.copy('folder/object', 'folder')).rejects.toMatchObject(invalid)
    expect(readdirSync(root, { recursive: true }).sort()).toEqual(['folder', 'folder/object'])
  })
})

describe('a disk that misbehaves', () => {
  it.each([
    ['ENOSPC', 'unavailable', 'STORAGE_FULL', false],
    ['EDQUOT', 'unavailable', 'STORAGE_FULL', false],
    ['EIO', 'unavailable', 'STORAGE_IO', true],
    ['ESTALE', 'unavailable', 'STORAGE_IO', true],
    ['EROFS', 'denied', 'STORAGE_MOUNT_READ_ONLY', false],
    ['EACCES', 'denied', 'STORAGE_DENIED', false],
    ['EPERM', 'denied', 'STORAGE_DENIED', false],
    ['EFBIG', 'invalid', 'STORAGE_OBJECT_TOO_LARGE', false],
  ])('while writing: %s is %s %s', async (code, kind, fault, retryable) => {
    const root = temporaryRoot()
    const store = fileStore(root, { sync: true })
    await store.put('f/kept', sourceOf('old'))
    for (const method of ['write', 'sync', 'stat'] as const) {
      vi.spyOn(handleClass, method).mockRejectedValueOnce(errno(code))
      await expect(store.put('f/kept', sourceOf('new')), method).rejects.toMatchObject({
        kind,
        code: fault,
        retryable,
        context: { errno: code },
      })
      vi.restoreAllMocks()
    }
    expect(await text(store, 'f/kept')).toBe('old')
    expect(readdirSync(join(root, 'f'))).toEqual(['kept'])
  })

  it.each([
    ['EIO', 'unavailable', 'STORAGE_IO'],
    ['ESTALE', 'unavailable', 'STORAGE_IO'],
    ['EACCES', 'denied', 'STORAGE_DENIED'],
  ])('while reading: %s is %s %s', async (code, kind, fault) => {
    const store = fileStore(temporaryRoot())
    await store.put('object', sourceOf(new Uint8Array(2_000_000)))
    const before = openFiles()
    vi.spyOn(handleClass, 'read').mockRejectedValueOnce(errno(code, 'read'))
    await expect(text(store, 'object')).rejects.toMatchObject({ kind, code: fault })
    expect(openFiles()).toBe(before)
  })

  it('a write that takes only part of its bytes is continued', async () => {
    const store = fileStore(temporaryRoot())
    const bytes = Uint8Array.from({ length: 1_500_000 }, (_, index) => (index * 13) % 251)
    // Overloads of the handle's methods, of which the store uses one each.
    const { write, writev } = handleClass as any
    vi.spyOn(handleClass as any, 'write').mockImplementation(function (this: any, chunk: any) {
      return write.call(this, chunk, 0, Math.min(chunk.length, 60_001)) as never
    })
    vi.spyOn(handleClass as any, 'writev').mockImplementation(function (this: any, chunks: any) {
      return writev.call(this, [...chunks.slice(0, 2), (chunks[2] as Uint8Array | undefined)?.subarray(0, 5) ?? new Uint8Array(0)]) as never
    })
    const pieces = async function* (): AsyncGenerator<Uint8Array> {
      for (let offset = 0; offset < bytes.length; offset += 33_333) yield bytes.slice(offset, offset + 33_333)
    }
    await store.put('small', pieces())
    await store.put('large', sourceOf(bytes))
    vi.restoreAllMocks()
    expect(Buffer.compare(await readAll(await store.get('small'), 2e6), bytes)).toBe(0)
    expect(Buffer.compare(await readAll(await store.get('large'), 2e6), bytes)).toBe(0)
  })

  it('a read that gives only part of its bytes is continued', async () => {
    const store = fileStore(temporaryRoot())
    const bytes = Uint8Array.from({ length: 1_500_000 }, (_, index) => (index * 13) % 251)
    await store.put('object', sourceOf(bytes))
    const { read } = handleClass as any
    vi.spyOn(handleClass as any, 'read').mockImplementation(function (this: any, buffer: any, offset: any, length: any, position: any) {
      return read.call(this, buffer, offset, Math.min(length, 100_003), position) as never
    })
    expect(Buffer.compare(await readAll(await store.get('object'), 2e6), bytes)).toBe(0)
  })

  it('a file that becomes shorter while it is read is corrupt', async () => {
    const root = temporaryRoot()
    const store = fileStore(root)
    await store.put('object', sourceOf(new Uint8Array(3_000_000)))
    const body = await store.get('object')
    truncateSync(join(root, 'object'), 100_000)
    await expect(readAll(body, 1e7)).rejects.toMatchObject({ kind: 'corrupt', code: 'STORAGE_SHORT_OBJECT' })
  })

  it('the file is durable before it has its name, and its folders before put resolves', async () => {
    const store = fileStore(temporaryRoot(), { sync: true })
    const sync = vi.spyOn(handleClass, 'sync')
    await store.put('a/b/object', sourceOf('x'))
    expect(sync).toHaveBeenCalledTimes(4) // the file, b, and for the new folders: the root and a
    await store.put('a/b/other', sourceOf('x'))
    expect(sync).toHaveBeenCalledTimes(6)
    await store.delete(['a/b/object', 'a/b/other'])
    expect(sync).toHaveBeenCalledTimes(7)
    vi.restoreAllMocks()
    vi.spyOn(handleClass, 'sync').mockRejectedValue(errno('EINVAL', 'fsync'))
    await expect(store.put('a/b/object', sourceOf('x'))).rejects.toMatchObject({ code: 'STORAGE_IO' })
    await expect(store.head('a/b/object')).rejects.toMatchObject(missing)
  })

  it('no file stays open, however a call ends', async () => {
    const root = temporaryRoot()
    const store = fileStore(root, { sync: true })
    await store.put('object', sourceOf(new Uint8Array(2_000_000)))
    const before = openFiles()
    const failing = async function* (): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(500_000)
      throw new Error('boom')
    }
    const hanging = (abort: () => void): ByteSource =>
      (async function* () {
        yield new Uint8Array(10)
        abort()
        await new Promise(() => undefined)
      })()
    for (let round = 0; round < 10; round += 1) {
      await (await store.get('object'))[Symbol.asyncDispose]()
      for await (const chunk of await store.get('object')) if (chunk.length > 0) break
      await expect(store.get('object', { range: { start: 5, end: 1 } })).rejects.toMatchObject({ kind: 'invalid' })
      await expect(store.put('other', failing())).rejects.toThrow('boom')
      const controller = new AbortController()
      await expect(
        store.put(
          'other',
          hanging(() => controller.abort()),
          { signal: controller.signal },
        ),
      ).rejects.toMatchObject({ kind: 'aborted' })
      await store.put('stored', sourceOf('x'))
      await store.copy('stored', 'copied')
      for await (const info of store.list('')) if (info.key !== '') break
    }
    expect(openFiles()).toBe(before)
  })
})

describe('many at once', () => {
  it('stores on the same root agree on one winner of onlyIfAbsent', async () => {
    const root = temporaryRoot()
    const stores = Array.from({ length: 8 }, () => fileStore(root))
    const outcomes = await Promise.allSettled(
      stores.map((store, index) => store.put('new/folder/object', sourceOf(`winner ${index}`), { onlyIfAbsent: true })),
    )
    const winner = outcomes.findIndex(({ status }) => status === 'fulfilled')
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(await text(fileStore(root), 'new/folder/object')).toBe(`winner ${winner}`)
    expect(readdirSync(join(root, 'new/folder'))).toEqual(['object'])
  })

  it('puts survive deletions that remove their folder again and again', async () => {
    const root = temporaryRoot()
    const [left, right] = [fileStore(root), fileStore(root)]
    const lane = async (store: ObjectStore, name: string): Promise<void> => {
      for (let round = 0; round < 200; round += 1) {
        await store.put(`a/b/c/${name}`, sourceOf(name))
        await store.delete([`a/b/c/${name}`])
      }
    }
    await Promise.all([lane(left, 'l'), lane(right, 'r'), lane(left, 'm')])
    expect(readdirSync(root)).toEqual([])
  })
})

describe('options', () => {
  it('names of uploads need 16 digits', async () => {
    const root = temporaryRoot()
    const store = createFileStore({
      root,
      now: () => new Date(),
      randomHex: (digits) => randomHex(digits).toUpperCase().replace(/^./, 'F'),
    })
    await expect(store.put('a', sourceOf('x'))).rejects.toMatchObject({ kind: 'internal', code: 'ASSERTION_FAILED' })
    chmodSync(root, 0o755)
    expect(readdirSync(root)).toEqual([])
  })
})

describe('a folder with more names than are held at once', () => {
  it('is listed whole, in order, from any mark, with its sub-folders where they belong', async () => {
    const root = temporaryRoot()
    mkdirSync(join(root, 'wal'))
    const names = Array.from({ length: 3000 }, (_, index) => `wal/${(index * 7919) % 3000}`.padEnd(9, '0'))
    const unique = [...new Set(names)]
    for (const name of unique) writeFileSync(join(root, name), '')
    for (const folder of ['wal/0a', 'wal/1x', 'wal/9z']) {
      mkdirSync(join(root, folder))
      writeFileSync(join(root, folder, 'inside'), '')
      unique.push(`${folder}/inside`)
    }
    const store = fileStore(root)
    const expected = unique.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    expect(await keysOf(store)).toEqual(expected)
    expect(await keysOf(store, 'wal/2')).toEqual(expected.filter((key) => key.startsWith('wal/2')))
    expect(await groupsOf(store, 'wal/')).toEqual(['wal/0a/', 'wal/1x/', 'wal/9z/'])
    for (const after of ['wal/1x/inside', 'wal/1x/', 'wal/1x', expected[1500]!, expected[1023]!]) {
      const keys: string[] = []
      for await (const { key } of store.list('wal/', { after })) keys.push(key)
      expect(keys, after).toEqual(expected.filter((key) => Buffer.compare(Buffer.from(key), Buffer.from(after)) > 0))
    }
    const open = openFiles()
    for await (const { key } of store.list('wal/')) {
      expect(key).toBe(expected[0])
      break
    }
    expect(openFiles()).toBe(open)
  })
})
