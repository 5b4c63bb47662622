import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { archive, inChunks, list, member, text } from '../support.ts'

const folder = mkdtempSync(join(tmpdir(), 'waltz-tar-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const isPresent = (command: string) => {
  const present = spawnSync(command, ['--version']).error === undefined
  if (!present) console.warn(`SKIPPED: the program ${command} is not installed`)
  return present
}
const long = `deep/${'d'.repeat(120)}/${'e'.repeat(120)}/${'f'.repeat(200)}`
const wanted = new Map([
  ['plain', 'hello'],
  ['grüße “quoted” 日本.txt', 'wide'],
  [long, 'long'],
  ['zeros', '\0'.repeat(5000)],
])

function makeTree(root: string): void {
  for (const [name, content] of wanted) {
    mkdirSync(join(root, name, '..'), { recursive: true })
    writeFileSync(join(root, name), content)
    chmodSync(join(root, name), 0o640)
    utimesSync(join(root, name), 1_600_000_000, 1_600_000_000)
  }
  symlinkSync(long, join(root, 'link'))
}

describe.skipIf(!isPresent('tar'))('GNU tar', () => {
  it('unpacks what is written here', () => {
    const target = join(folder, 'ours')
    mkdirSync(target)
    const members = [...wanted].map(([name, content]) => member({ name, mode: 0o4750, modifiedAtSeconds: 1_600_000_001 }, text(content)))
    const bytes = archive(
      member({ name: 'directory', type: 'directory', mode: 0o1770 }),
      ...members,
      member({ name: 'soft', type: 'symlink', linkName: long }),
      member({ name: 'hard', type: 'hardlink', linkName: 'plain' }),
      member({ name: 'fifo', type: 'other', typeFlag: '6', mode: 0o600 }),
    )
    const result = spawnSync('tar', ['-xp', '--no-same-owner', '-C', target], { input: bytes, encoding: 'utf8' })
    expect([result.status, result.stderr]).toEqual([0, ''])
    for (const [name, content] of wanted) {
      expect(readFileSync(join(target, name), 'utf8')).toBe(content)
      const { mode, mtimeMs } = lstatSync(join(target, name))
      expect([mode & 0o7777, mtimeMs]).toEqual([0o4750, 1_600_000_001_000])
    }
    expect(lstatSync(join(target, 'directory')).mode & 0o7777).toBe(0o1770)
    expect(readlinkSync(join(target, 'soft'))).toBe(long)
    expect(lstatSync(join(target, 'hard')).ino).toBe(lstatSync(join(target, 'plain')).ino)
    expect(lstatSync(join(target, 'fifo')).isFIFO()).toBe(true)
  })

  it('sees sizes of 8 GiB and more', () => {
    const header = member({ name: 'huge', size: 2 ** 40 + 1, uid: 3_000_000 })
    const listing = spawnSync('tar', ['-tv', '--numeric-owner'], { input: header, encoding: 'utf8' }).stdout
    expect(listing).toMatch(/3000000\/71 1099511627777 .* huge/)
  })

  const theirs = join(folder, 'theirs')
  it.each([['gnu'], ['posix'], ['ustar'], ['v7']])('is read in its format %s', async (format) => {
    rmSync(theirs, { recursive: true, force: true })
    mkdirSync(theirs)
    makeTree(theirs)
    const names = [...wanted.keys(), 'link'].filter((name) =>
      format === 'ustar' || format === 'v7' ? name !== long && name !== 'link' : true,
    )
    const bytes = execFileSync('tar', ['-c', `--format=${format}`, '-C', theirs, '--', ...names], { maxBuffer: 2 ** 26 })
    for (const cut of [[10_240], [511, 3]]) {
      const found = await list(inChunks(new Uint8Array(bytes), cut))
      expect(found.map((item) => item.entry.name)).toEqual(names)
      for (const { entry, content } of found) {
        if (entry.type === 'symlink') expect(entry.linkName).toBe(long)
        else {
          expect(Buffer.from(content, 'latin1').toString()).toBe(wanted.get(entry.name))
          expect([entry.mode, entry.modifiedAtSeconds]).toEqual([0o640, 1_600_000_000])
        }
      }
    }
  })
})

describe.skipIf(!isPresent('bsdtar'))('bsdtar', () => {
  it.each([['pax'], ['gnutar']])('is read in its format %s', async (format) => {
    const root = join(folder, `bsd-${format}`)
    mkdirSync(root)
    makeTree(root)
    const bytes = execFileSync('bsdtar', ['-c', '-f', '-', `--format=${format}`, '-C', root, ...wanted.keys()], { maxBuffer: 2 ** 26 })
    const found = await list(inChunks(new Uint8Array(bytes), [4096]))
    expect(found.map((item) => item.entry.name)).toEqual([...wanted.keys()])
  })
})
