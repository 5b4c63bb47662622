import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { parseRestoreSpec } from '@waltz/repository'
import { afterAll, describe, expect, it } from 'vitest'
import { expectedLines, openRepository, restoreFrom, scratch, treeLines } from '../restore-support.ts'

const own = new URL('../fixtures', import.meta.url).pathname
const shared = [new URL('../../../../../shared/fixtures', import.meta.url).pathname].find((path) => existsSync(path))

/** Full backups that cannot be compared as they stand, with the reason. */
const excluded: Readonly<Record<string, string>> = {
  'odd-links base_000000010000000000000013': 'WAL-G restores broken links; compared below without them',
  'delta/tablespaces base_000000010000000000000016': 'listed in the original place; compared below with the restore spec',
  'remote/pg15-tablespaces base_000000010000000000000016': 'listed in the original place; compared below with a restore spec',
  'corrupt-blocks base_000000010000000000000014': 'the fixture lists the files of its delta only; restored below without comparison',
  'corrupt-blocks base_000000010000000000000016': 'as above',
  'userdata-permanent base_000000010000000000000013': 'as above',
  'userdata-permanent base_000000010000000000000019': 'as above',
  'userdata-permanent base_00000001000000000000001D': 'as above',
}
const readable = /\.(?:tar|lz4|zst|br|gz|lzma|lzo)$/

interface Case {
  readonly title: string
  readonly folder: string
  readonly backup: string
  readonly files: string
}

function casesIn(root: string, folder = ''): Case[] {
  const here = join(root, folder)
  const found: Case[] = []
  const backups = join(here, 'repo/basebackups_005')
  if (existsSync(join(here, 'files')) && existsSync(backups))
    for (const name of readdirSync(backups)) {
      const parts = join(backups, name, 'tar_partitions')
      if (!existsSync(parts) || name.includes('_D_') || !existsSync(join(backups, `${name}_backup_stop_sentinel.json`))) continue
      if (!readdirSync(parts).every((part) => readable.test(part)) || folder.startsWith('ciphers/')) continue
      found.push({ title: `${folder} ${name}`, folder: here, backup: name, files: join(here, 'files', `${name}.tsv`) })
    }
  else if (!existsSync(join(here, 'repo')))
    for (const entry of readdirSync(here, { withFileTypes: true }))
      if (entry.isDirectory()) found.push(...casesIn(root, join(folder, entry.name)))
  return found
}

describe('a backup of WAL-G that is part of this project', () => {
  it('restores exactly', async () => {
    using work = scratch()
    const target = join(work.path, 'data')
    const result = await restoreFrom(openRepository(join(own, 'odd-files/repo')), target)
    expect(treeLines(target)).toEqual(expectedLines(join(own, 'odd-files/files.tsv')))
    expect(result.skipped.members).toEqual([{ name: '/extra/fifo', reason: 'a device, pipe or other special file' }])
    expect(result.notFullyChecked).toEqual([])
    expect(result.files).toBe(expectedLines(join(own, 'odd-files/files.tsv')).filter((line) => line.split('\t')[1] === 'f').length)
  })
})

describe.skipIf(shared === undefined)('full backups of WAL-G beside the checkout', () => {
  const cases = shared === undefined ? [] : casesIn(shared)
  const compared = cases.filter((one) => excluded[one.title] === undefined && existsSync(one.files))

  it('finds them all', () => {
    expect(compared.length).toBeGreaterThanOrEqual(33)
    const unlisted = cases.filter((one) => excluded[one.title] === undefined && !existsSync(one.files)).map((one) => one.title)
    expect(unlisted).toEqual([])
  })

  it.each(compared)('$title restores exactly', async ({ folder, backup, files }) => {
    using work = scratch()
    const target = join(work.path, 'data')
    await restoreFrom(openRepository(join(folder, 'repo')), target, { selector: { name: backup } })
    expect(treeLines(target)).toEqual(expectedLines(files))
  })

  it.each(cases.filter((one) => !existsSync(one.files)))('$title restores', async ({ folder, backup }) => {
    using work = scratch()
    const result = await restoreFrom(openRepository(join(folder, 'repo')), join(work.path, 'data'), { selector: { name: backup } })
    expect(result.skipped.count).toBe(0)
    expect(result.files).toBeGreaterThan(250)
  })

  it.each([
    ['codec none', (name: string): string => name],
    ['codec none with the names of release 3.0.8', (name: string): string => `${name}.`],
  ])('%s restores exactly', async (_, rename) => {
    using work = scratch()
    const folder = join(shared ?? '', 'codecs/none')
    const backup = 'base_000000010000000000000011'
    execFileSync('tar', ['xzf', join(folder, 'repo.tar.gz'), '-C', work.path])
    const parts = join(work.path, 'repo/basebackups_005', backup, 'tar_partitions')
    for (const name of readdirSync(parts)) renameSync(join(parts, name), join(parts, rename(name)))
    const target = join(work.path, 'data')
    const result = await restoreFrom(openRepository(join(work.path, 'repo')), target)
    expect(treeLines(target)).toEqual(expectedLines(join(folder, 'files', `${backup}.tsv`)))
    expect(result.notFullyChecked).toEqual([expect.stringContaining('neither the codec nor the backup keeps a checksum')])
  })

  it('puts tablespaces of a remote backup where the restore spec says', async () => {
    using work = scratch()
    const folder = join(shared ?? '', 'remote/pg15-tablespaces')
    const names = ['16771', '16772']
    const restoreSpec = {
      basePrefix: '/not/used',
      tablespaces: names.map((name) => ({ name, location: join(work.path, 'new', name), link: `pg_tblspc/${name}` })),
    }
    const target = join(work.path, 'data')
    await restoreFrom(openRepository(join(folder, 'repo')), target, { restoreSpec })
    const expected = expectedLines(join(folder, 'files/base_000000010000000000000016.tsv'))
      .filter((line) => !line.startsWith('tablespace_map\t'))
      .map((line) =>
        line.replace(/\/srv\/fx\/c\/remote_pg15-tablespaces\/ts([12])$/, (_, number: string) => join(work.path, 'new', `1677${number}`)),
      )
    expect(treeLines(target)).toEqual(expected)
  })

  it('puts tablespaces where the restore spec says', async () => {
    using work = scratch()
    const folder = join(shared ?? '', 'delta/tablespaces')
    const backup = 'base_000000010000000000000016'
    const fill = (text: string): string => text.replaceAll('<RESTORE>', work.path)
    const restoreSpec = parseRestoreSpec(fill(readFileSync(join(folder, 'restore-spec.json'), 'utf8')), { origin: 'restore-spec.json' })
    const target = join(work.path, 'spec')
    const result = await restoreFrom(openRepository(join(folder, 'repo')), target, { selector: { name: backup }, restoreSpec })
    expect(treeLines(target)).toEqual(expectedLines(join(folder, 'files-restore-spec', `${backup}.tsv`)).map(fill))
    expect(existsSync(join(target, 'tablespace_map'))).toBe(false)
    expect(result.plan.tablespaces.map((one) => one.name)).toEqual(['16771', '16772'])
  })

  it('restores links as nothing, and says so', async () => {
    using work = scratch()
    const folder = join(shared ?? '', 'odd-links')
    const target = join(work.path, 'data')
    const result = await restoreFrom(openRepository(join(folder, 'repo')), target)
    const withoutLinks = expectedLines(join(folder, 'files/base_000000010000000000000013.tsv')).filter(
      (line) => line.split('\t')[1] !== 'l',
    )
    expect(treeLines(target)).toEqual(withoutLinks)
    expect(result.skipped.members.map((one) => one.name).sort()).toEqual([
      '/conf/link-abs',
      '/conf/link-dangling',
      '/conf/link-dir',
      '/conf/link-rel',
    ])
  })
})

afterAll(() => {
  if (shared === undefined) console.warn('SKIPPED: shared/fixtures is not beside the checkout; only the committed backup was compared')
})
