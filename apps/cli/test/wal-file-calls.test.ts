import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import nodes from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import nodesTimers from 'node:timers/promises'
import { afterAll, describe, expect, it } from 'vitest'
import * as ours from '../launcher/fs-promises.ts'
import * as oursTimers from '../launcher/timers-promises.ts'

type Calls = Pick<typeof nodes, Exclude<keyof typeof ours, 'default'>>

const made: string[] = []
afterAll(() => {
  for (const path of made) rmSync(path, { recursive: true, force: true })
})

/** A folder with a file, a folder, a link, a broken link, a full folder and a link to itself. */
function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'waltz-calls-'))
  made.push(folder)
  mkdirSync(join(folder, 'full/inner'), { recursive: true })
  writeFileSync(join(folder, 'file'), 'some content')
  symlinkSync('file', join(folder, 'link'))
  symlinkSync('nowhere', join(folder, 'broken'))
  symlinkSync('loop', join(folder, 'loop'))
  return folder
}

/** What a call comes to, in words that do not depend on where and when it was made. */
async function outcomeOf(folder: string, run: () => Promise<unknown>): Promise<unknown> {
  try {
    return plain(await run(), folder)
  } catch (error) {
    const { name, message, code, errno, syscall, path, dest } = error as NodeJS.ErrnoException & { dest?: string }
    return plain({ isError: error instanceof Error, name, message, code, errno, syscall, path, dest }, folder)
  }
}

function plain(value: unknown, folder: string): unknown {
  const text = JSON.stringify(value, (_key, found: unknown) => (typeof found === 'bigint' ? `${found}n` : found))
  return text === undefined ? undefined : JSON.parse(text.replaceAll(folder, 'FOLDER'))
}

interface Scene {
  readonly calls: Calls
  readonly at: (name: string) => string
}

const kindOf = (found: { isFile(): boolean; isDirectory(): boolean; isSymbolicLink(): boolean; size: number | bigint }) => [
  found.isFile(),
  found.isDirectory(),
  found.isSymbolicLink(),
  found.isDirectory() ? 0 : found.size,
]

const scenes: Readonly<Record<string, (scene: Scene) => Promise<unknown>>> = {
  copyFile: async ({ calls, at }) => [await calls.copyFile(at('file'), at('copy')), kindOf(await calls.stat(at('copy')))],
  'copyFile: nothing there': ({ calls, at }) => calls.copyFile(at('absent'), at('copy')),
  'copyFile: exclusive': ({ calls, at }) => calls.copyFile(at('file'), at('link'), 1),
  link: async ({ calls, at }) => [await calls.link(at('file'), at('second')), (await calls.stat(at('second'))).nlink],
  'link: there already': ({ calls, at }) => calls.link(at('file'), at('link')),
  'link: nothing there': ({ calls, at }) => calls.link(at('absent'), at('second')),
  lstat: async ({ calls, at }) => [kindOf(await calls.lstat(at('link'))), kindOf(await calls.lstat(at('full'), { bigint: true }))],
  'lstat: nothing there': ({ calls, at }) => calls.lstat(at('absent')),
  mkdir: ({ calls, at }) => calls.mkdir(at('new')),
  'mkdir: recursive': ({ calls, at }) => calls.mkdir(at('a/b/c'), { recursive: true }),
  'mkdir: recursive, all there': ({ calls, at }) => calls.mkdir(at('full/inner'), { recursive: true }),
  'mkdir: recursive, through a file': ({ calls, at }) => calls.mkdir(at('file/a/b'), { recursive: true }),
  'mkdir: there already': ({ calls, at }) => calls.mkdir(at('full')),
  'mkdir: nothing above': ({ calls, at }) => calls.mkdir(at('absent/a')),
  'open: nothing there': ({ calls, at }) => calls.open(at('absent')),
  'open: nothing there, by number': ({ calls, at }) => calls.open(at('absent'), 0),
  'open: exclusive': ({ calls, at }) => calls.open(at('file'), 'wx'),
  'open: a folder for writing': ({ calls, at }) => calls.open(at('full'), 'w'),
  'open: below a file': ({ calls, at }) => calls.open(at('file/a')),
  'open: a loop of links': ({ calls, at }) => calls.open(at('loop')),
  'open: a name too long': ({ calls, at }) => calls.open(at('x'.repeat(300))),
  'open: no path': ({ calls, at }) => calls.open(at('a\0b')),
  opendir: async ({ calls, at }) => (await Array.fromAsync(await calls.opendir(at('.')), (entry) => [entry.name, entry.isFile()])).sort(),
  'opendir: nothing there': ({ calls, at }) => calls.opendir(at('absent')),
  'opendir: a file': ({ calls, at }) => calls.opendir(at('file')),
  readdir: async ({ calls, at }) => (await calls.readdir(at('.'))).sort(),
  'readdir: nothing there': ({ calls, at }) => calls.readdir(at('absent')),
  readlink: ({ calls, at }) => calls.readlink(at('link')),
  'readlink: a file': ({ calls, at }) => calls.readlink(at('file')),
  realpath: ({ calls, at }) => calls.realpath(at('link')),
  'realpath: broken': ({ calls, at }) => calls.realpath(at('broken')),
  'realpath: a loop': ({ calls, at }) => calls.realpath(at('loop')),
  rename: async ({ calls, at }) => [await calls.rename(at('file'), at('other')), kindOf(await calls.stat(at('other')))],
  'rename: nothing there': ({ calls, at }) => calls.rename(at('absent'), at('other')),
  'rename: over a full folder': ({ calls, at }) => calls.rename(at('file'), at('full')),
  rmdir: ({ calls, at }) => calls.rmdir(at('full/inner')),
  'rmdir: full': ({ calls, at }) => calls.rmdir(at('full')),
  stat: async ({ calls, at }) => [kindOf(await calls.stat(at('link'))), kindOf(await calls.stat(at('link'), { bigint: true }))],
  'stat: broken': ({ calls, at }) => calls.stat(at('broken')),
  symlink: async ({ calls, at }) => [await calls.symlink('x', at('new')), await calls.readlink(at('new'))],
  'symlink: there already': ({ calls, at }) => calls.symlink('x', at('file')),
  unlink: ({ calls, at }) => calls.unlink(at('file')),
  'unlink: nothing there': ({ calls, at }) => calls.unlink(at('absent')),
  'unlink: a folder': ({ calls, at }) => calls.unlink(at('full')),
  async 'a file: write, read, truncate, sync, close'({ calls, at }) {
    const file = await calls.open(at('written'), 'wx+', 0o640)
    const bytes = Buffer.from('0123456789')
    const { bytesWritten, buffer } = await file.write(bytes)
    const more = [await file.write(bytes, 3), await file.write(bytes, 2, 4), await file.write(bytes, 0, 2, 1)]
    const vectors = [await file.writev([bytes, bytes]), await file.writev([bytes], 100)]
    await file.truncate(105)
    const into = Buffer.alloc(200, '.')
    const reads = [await file.read(into, 0, 200, 0), await file.read(into, 0, 10, 300), await file.read(into, 5, 5, 2)]
    const ends = [await file.sync(), await file.datasync(), kindOf(await file.stat()), (await file.stat({ bigint: true })).mode.toString(8)]
    const fd = typeof file.fd
    const closed = [await file.close(), await file.close(), file.fd]
    return { bytesWritten, same: buffer === bytes, more, vectors, reads: reads.map(({ bytesRead }) => bytesRead), into, ends, fd, closed }
  },
  async 'a file: reading on from where it stands'({ calls, at }) {
    const file = await calls.open(at('file'), 'r')
    const into = Buffer.alloc(8)
    const reads = [await file.read(into, 0, 5), await file.read(into, 5), await file.read(into), await file.read(into)]
    await file.close()
    return [reads.map(({ bytesRead }) => bytesRead), into.toString()]
  },
  async 'a file: writing where only reading is allowed'({ calls, at }) {
    await using file = await calls.open(at('file'), 'r')
    return await file.write(Buffer.from('x'))
  },
  async 'a file: reading a folder'({ calls, at }) {
    await using file = await calls.open(at('full'), 'r')
    return await file.read(Buffer.alloc(8), 0, 8, 0)
  },
}

const afterClose = ['datasync', 'read', 'stat', 'sync', 'truncate', 'write', 'writev'] as const

describe('the file calls of the WAL commands', () => {
  it.each(Object.entries(scenes))('%s', async (_what, scene) => {
    const [of, expected] = await Promise.all(
      [ours as unknown as Calls, nodes].map((calls) => {
        const folder = makeFolder()
        return outcomeOf(folder, () => scene({ calls, at: (name) => join(folder, name) }))
      }),
    )
    expect(of).toEqual(expected)
  })

  it('cover every call there is', () => {
    const named = Object.keys(scenes).map((name) => name.split(':')[0])
    expect(Object.keys(ours).filter((name) => name !== 'default' && name !== 'open' && !named.includes(name))).toEqual([])
  })

  it.each(afterClose)('%s on a closed file', async (method) => {
    const folder = makeFolder()
    const [of, expected] = await Promise.all(
      [ours as unknown as Calls, nodes].map(async (calls) => {
        const file = await calls.open(join(folder, 'file'), 'r+')
        await file.close()
        const args: unknown[] = method === 'writev' ? [[Buffer.alloc(1)]] : method === 'read' || method === 'write' ? [Buffer.alloc(1)] : []
        return outcomeOf(folder, () => (file[method] as (...all: unknown[]) => Promise<unknown>)(...args))
      }),
    )
    expect(of).toMatchObject({ isError: true, code: 'EBADF', syscall: (expected as { syscall: string }).syscall })
    expect((expected as { code: string }).code).toBe('EBADF')
  })

  it('never close a descriptor twice, which may be another file by then', async () => {
    const folder = makeFolder()
    const file = await ours.open(join(folder, 'file'), 'r')
    await file.close()
    const next = openSync(join(folder, 'file'), 'r')
    await file.close()
    await file[Symbol.asyncDispose]()
    expect(() => closeSync(next)).not.toThrow()
  })
})

describe('waiting', () => {
  const outcome = async (wait: typeof nodesTimers.setTimeout, signal?: AbortSignal): Promise<unknown> => {
    try {
      return await wait(5, 'value', signal === undefined ? undefined : { signal })
    } catch (error) {
      const { name, code, cause, message } = error as NodeJS.ErrnoException
      return { name, code, cause, message }
    }
  }

  it('ends after the time, or when told to, as with node:timers/promises', async () => {
    const reason = new Error('enough')
    const later = (): AbortSignal => {
      const controller = new AbortController()
      queueMicrotask(() => controller.abort(reason))
      return controller.signal
    }
    for (const signal of [() => undefined, () => AbortSignal.abort(reason), later]) {
      expect(await outcome(oursTimers.setTimeout, signal())).toEqual(await outcome(nodesTimers.setTimeout, signal()))
    }
  })
})
