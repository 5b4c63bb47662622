import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readAll, sourceOf } from '@waltz/bytes'
import type { UnfinishedUpload } from '@waltz/storage'
import { parseFilePrefix } from '../src/index.ts'
import { fileFault } from '../src/errors.ts'
import { publishOver } from '../src/publish.ts'
import { fileStore, temporaryRoot } from './support/temporary-root.ts'

const NAME = 'object.tmp.20240203T040506Z-0123456789abcdef'

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

function leave(root: string, folder: string, name = NAME): void {
  mkdirSync(join(root, folder), { recursive: true })
  writeFileSync(join(root, folder, name), 'half')
}

describe('unfinished uploads of a file store', () => {
  it('are temporary files, with age and size; removing them leaves everything else', async () => {
    const root = temporaryRoot()
    const store = fileStore(root)
    await store.put('a/kept', sourceOf('kept'))
    leave(root, 'a')
    leave(root, 'b/only/here')
    leave(root, '')
    const found = await all(store.maintenance.unfinishedUploads(''))
    const expected = ['a/', 'b/only/here/', ''].map((folder): UnfinishedUpload => ({
      key: `${folder}object`,
      id: folder + NAME,
      startedAt: new Date('2024-02-03T04:05:06Z'),
      bytes: 4,
    }))
    expect(found.toSorted((left, right) => (left.id < right.id ? -1 : 1))).toEqual(expected)
    expect((await all(store.maintenance.unfinishedUploads('a/ob'))).map(({ id }) => id)).toEqual([`a/${NAME}`])
    expect(await all(store.maintenance.unfinishedUploads('a/kept'))).toEqual([])
    expect(await all(store.maintenance.unfinishedUploads('none/'))).toEqual([])
    for (const upload of found) await store.maintenance.abandonUpload(upload)
    for (const upload of found) await store.maintenance.abandonUpload(upload) // gone is no error
    expect(await all(store.maintenance.unfinishedUploads(''))).toEqual([])
    expect(readdirSync(root)).toEqual(['a'])
    expect(readdirSync(join(root, 'a'))).toEqual(['kept'])
  })

  it('are none while nothing was left, and a missing root is not empty', async () => {
    const root = temporaryRoot()
    const store = fileStore(root)
    await store.put('a', sourceOf('a'))
    expect(await all(store.maintenance.unfinishedUploads(''))).toEqual([])
    const missing = fileStore(join(root, 'missing'))
    await expect(all(missing.maintenance.unfinishedUploads(''))).rejects.toMatchObject({ code: 'STORAGE_ROOT_MISSING' })
    const upload = { key: 'a', id: NAME, startedAt: undefined, bytes: undefined }
    await expect(missing.maintenance.abandonUpload(upload)).rejects.toMatchObject({ code: 'STORAGE_ROOT_MISSING' })
  })

  it('never are objects: neither a stored one, nor one that a crash left as a link to its temporary file', async () => {
    const root = temporaryRoot()
    const store = fileStore(root)
    await store.put('a/stored', sourceOf('stored'))
    leave(root, 'a')
    symlinkSync(NAME, join(root, 'a/object'))
    expect(await all(store.maintenance.unfinishedUploads(''))).toEqual([])
    const unknown = { startedAt: undefined, bytes: undefined }
    await store.maintenance.abandonUpload({ ...unknown, key: 'a/object', id: `a/${NAME}` })
    expect(Buffer.from(await readAll(await store.get('a/object'), 100)).toString()).toBe('half')
    for (const id of ['a/stored', '../outside', `../${NAME}`, '']) {
      await expect(store.maintenance.abandonUpload({ ...unknown, key: 'x', id })).rejects.toMatchObject({ kind: 'invalid' })
    }
    expect(existsSync(join(root, 'a/stored'))).toBe(true)
  })

  it('are found behind links to folders, which may lead in circles', async () => {
    const root = temporaryRoot()
    const elsewhere = temporaryRoot()
    leave(elsewhere, '')
    mkdirSync(join(root, 'a'))
    symlinkSync(elsewhere, join(root, 'a/linked'))
    symlinkSync(root, join(root, 'a/circle'))
    const found = await all(fileStore(root).maintenance.unfinishedUploads(''))
    expect(found.map(({ id }) => id)).toEqual([`a/linked/${NAME}`])
  })

  it('are not looked for after an abort', async () => {
    const signal = AbortSignal.abort()
    const { maintenance } = fileStore(temporaryRoot())
    await expect(all(maintenance.unfinishedUploads('', { signal }))).rejects.toMatchObject({ kind: 'aborted' })
    const upload = { key: 'object', id: NAME, startedAt: undefined, bytes: undefined }
    await expect(maintenance.abandonUpload(upload, { signal })).rejects.toMatchObject({ kind: 'aborted' })
  })
})

it('a file store keeps no versions', async () => {
  const { maintenance } = fileStore(temporaryRoot())
  const fault = { kind: 'unsupported', code: 'STORAGE_VERSIONS_UNSUPPORTED' }
  await expect(all(maintenance.versions(''))).rejects.toMatchObject(fault)
  await expect(maintenance.deleteVersions([])).rejects.toMatchObject(fault)
})

describe('network file systems', () => {
  const failing = (code: string) => async (): Promise<never> => {
    throw Object.assign(new Error(code), { code, syscall: 'rename' })
  }

  it('a stale handle is unavailable and may be tried again', () => {
    const error = Object.assign(new Error('ESTALE'), { code: 'ESTALE', syscall: 'read' })
    expect(fileFault(error, { doing: 'read', path: '/mnt/a' })).toMatchObject({ kind: 'unavailable', code: 'STORAGE_IO', retryable: true })
    expect(fileFault(error, { doing: 'read', path: '/mnt/a' }).message).toContain('stale')
  })

  it('a rename that was made although its answer was lost is known by its file', async () => {
    const root = temporaryRoot()
    const [temporary, path] = [join(root, NAME), join(root, 'object')]
    writeFileSync(temporary, 'new')
    const { stat, rename } = await import('node:fs/promises')
    const found = await stat(temporary, { bigint: true })
    const answerLost = {
      async rename(from: string, to: string) {
        await rename(from, to)
        await failing('ENOENT')()
      },
    }
    await publishOver(temporary, path, found, answerLost)
    expect(readdirSync(root)).toEqual(['object'])
    await expect(publishOver(temporary, path, { ...found, ino: found.ino + 1n }, { rename: failing('ENOENT') })).rejects.toMatchObject({
      code: 'ENOENT',
    })
    await expect(publishOver(temporary, path, found, { rename: failing('EIO') })).rejects.toMatchObject({ code: 'EIO' })
  })

  it('what NFS keeps of a deleted file is no object', async () => {
    const root = temporaryRoot()
    const store = fileStore(root)
    const silly = '.nfs000000000012ab3400000001'
    await store.put('a/object', sourceOf('x'))
    writeFileSync(join(root, 'a', silly), 'deleted')
    expect((await all(store.list(''))).map(({ key }) => key)).toEqual(['a/object'])
    await expect(store.head(`a/${silly}`)).rejects.toMatchObject({ kind: 'not-found' })
    await expect(store.put(`a/${silly}`, sourceOf('x'))).rejects.toMatchObject({ kind: 'invalid' })
    expect(await all(store.maintenance.unfinishedUploads(''))).toEqual([])
  })
})

it('ifMatch is refused, and changes nothing', async () => {
  const store = fileStore(temporaryRoot())
  const { etag } = await store.put('a', sourceOf('first'))
  const put = store.put('a', sourceOf('second'), { ifMatch: String(etag) })
  await expect(put).rejects.toMatchObject({ kind: 'unsupported', code: 'STORAGE_CONDITIONAL_PUT_UNSUPPORTED' })
  expect((await store.head('a')).size).toBe(5)
})

describe('a FILE prefix', () => {
  it.each([
    ['/mnt/backups', '/mnt/backups'],
    ['backups/here', 'backups/here'],
    ['./backups', './backups'],
    ['file://localhost/mnt/backups', '/mnt/backups'],
    ['file:///mnt/backups', '/mnt/backups'],
    ['file:///mnt/with%20space', '/mnt/with%20space'],
    ['', ''],
  ])('%s is the folder %s', (text, folder) => {
    expect(parseFilePrefix(text)).toBe(folder)
  })

  it.each(['file://server/backups', 'file://mnt'])('%s names another host', (text) => {
    expect(() => parseFilePrefix(text)).toThrow(expect.objectContaining({ kind: 'invalid', code: 'STORAGE_ROOT_INVALID' }) as Error)
  })

  it('may be relative to the working folder', async () => {
    const before = process.cwd()
    const root = temporaryRoot()
    mkdirSync(join(root, 'here'))
    process.chdir(root)
    try {
      await fileStore(parseFilePrefix('here'), { sync: true }).put('a/b', sourceOf('x'))
    } finally {
      process.chdir(before)
    }
    expect(readdirSync(join(root, 'here/a'))).toEqual(['b'])
  })
})
