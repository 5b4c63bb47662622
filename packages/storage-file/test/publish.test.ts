import { lstatSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { link, rename, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { publishIfAbsent, type LinkCalls } from '../src/publish.ts'
import { temporaryRoot } from './support/temporary-root.ts'

const fails = (code: string) => (): Promise<never> => Promise.reject(Object.assign(new Error(code), { code, syscall: 'link' }))

/** A finished upload and the name that it shall get; `taken` is what is there already. */
function upload(taken?: string): { temporary: string; path: string; root: string; content: () => string } {
  const root = temporaryRoot()
  const temporary = join(root, 'object.tmp.20240203T040506Z-0123456789abcdef')
  const path = join(root, 'object')
  writeFileSync(temporary, 'new')
  if (taken !== undefined) writeFileSync(path, taken)
  return { temporary, path, root, content: () => readFileSync(path, 'utf8') }
}

const ways: readonly (readonly [string, LinkCalls])[] = [
  ['hard links', { link, symlink, rename }],
  ...['EPERM', 'ENOTSUP', 'EMLINK'].map(
    (code) => [`symbolic links, as hard links fail with ${code}`, { link: fails(code), symlink, rename }] as const,
  ),
]

describe.each(ways)('publishIfAbsent by %s', (_name, calls) => {
  it('gives a free name to the file and leaves no other', async () => {
    const { temporary, path, root, content } = upload()
    await publishIfAbsent(temporary, path, calls)
    expect(readdirSync(root)).toEqual(['object'])
    expect([content(), lstatSync(path).isFile()]).toEqual(['new', true])
  })

  it('refuses a taken name with EEXIST and touches neither file', async () => {
    const { temporary, path, root, content } = upload('old')
    await expect(publishIfAbsent(temporary, path, calls)).rejects.toMatchObject({ code: 'EEXIST' })
    expect([content(), readdirSync(root).length]).toEqual(['old', 2])
  })
})

describe('publishIfAbsent without hard links', () => {
  it('shows the whole file under its name at every step', async () => {
    const { temporary, path, content } = upload()
    const seen: string[] = []
    const calls: LinkCalls = {
      link: fails('EPERM'),
      async symlink(target, at) {
        await symlink(target, at)
        seen.push(content())
      },
      async rename(from, to) {
        seen.push(content())
        await rename(from, to)
        seen.push(content())
      },
    }
    await publishIfAbsent(temporary, path, calls)
    expect(seen).toEqual(['new', 'new', 'new'])
  })

  it('takes the name back when the last step fails', async () => {
    const { temporary, path, root } = upload()
    await expect(publishIfAbsent(temporary, path, { link: fails('EPERM'), symlink, rename: fails('EIO') })).rejects.toMatchObject({
      code: 'EIO',
    })
    expect(readdirSync(root)).toEqual(['object.tmp.20240203T040506Z-0123456789abcdef'])
  })

  it('says so where there are no links at all, instead of looking first and writing then', async () => {
    const { temporary, path, root } = upload()
    const publishing = publishIfAbsent(temporary, path, { link: fails('EPERM'), symlink: fails('EPERM'), rename })
    await expect(publishing).rejects.toMatchObject({ kind: 'unsupported', code: 'STORAGE_CONDITIONAL_PUT_UNSUPPORTED' })
    expect(readdirSync(root)).toEqual(['object.tmp.20240203T040506Z-0123456789abcdef'])
  })

  it('passes other failures on', async () => {
    const { temporary, path } = upload()
    await expect(publishIfAbsent(temporary, path, { link: fails('EIO'), symlink, rename })).rejects.toMatchObject({ code: 'EIO' })
  })
})

describe('publishIfAbsent over a network', () => {
  it('knows its own link when the answer to the call was lost', async () => {
    const { temporary, path, root, content } = upload()
    const answerLost: LinkCalls = {
      async link(existing, at) {
        await link(existing, at)
        await fails('EEXIST')()
      },
      symlink,
      rename,
    }
    await publishIfAbsent(temporary, path, answerLost)
    expect([content(), readdirSync(root)]).toEqual(['new', ['object']])
  })
})
