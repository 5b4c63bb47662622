import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { factsOfStat } from '../src/push/entry-facts.ts'
import { createSpool } from '../src/push/spool.ts'
import { readSortedFolder } from '../src/push/sorted-folder.ts'
import { noFindings, walkDataDirectory, type WalkFindings } from '../src/push/walk.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'waltz-walk-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

/** Makes files (and the folders above them); a name that ends in '/' is a folder. */
function plant(base: string, ...names: string[]): void {
  for (const name of names) {
    const path = join(base, name)
    mkdirSync(name.endsWith('/') ? path : dirname(path), { recursive: true })
    if (!name.endsWith('/')) writeFileSync(path, name)
  }
}

function walk(
  dataDirectory: string,
  walFolders: string[] = ['archive_status'],
): { names: string[]; paths: Map<string, string>; findings: WalkFindings } {
  const findings = noFindings()
  const entries = [...walkDataDirectory({ dataDirectory, walFolders, spool: createSpool(root), findings, factsOf: factsOfStat })]
  return {
    names: entries.map(({ name }) => name),
    paths: new Map(entries.flatMap((entry) => (entry.kind === 'file' ? [[entry.name, entry.path] as const] : []))),
    findings,
  }
}

describe('walkDataDirectory', () => {
  it('goes depth first in byte order, the data directory first, pg_control left for the end', () => {
    const data = join(root, 'data')
    plant(
      data,
      'PG_VERSION',
      'base/5/16384',
      'base/5/16384_fsm',
      'base/5/2',
      'base/5/PG_VERSION',
      'base-x',
      'global/1262',
      'global/pg_control',
      'pg_wal/000000010000000000000001',
    )
    expect(walk(data).names).toEqual([
      '/',
      '/PG_VERSION',
      '/base',
      '/base/5',
      '/base/5/16384',
      '/base/5/16384_fsm',
      '/base/5/2',
      '/base/5/PG_VERSION',
      '/base-x',
      '/global',
      '/global/1262',
      '/pg_wal',
      '/pg_wal/archive_status',
    ])
  })

  it('leaves out what PostgreSQL recreates, and keeps the folders it expects', () => {
    const data = join(root, 'data')
    plant(
      data,
      'postmaster.pid',
      'postmaster.opts',
      'backup_label',
      'tablespace_map',
      'backup_manifest',
      'backup_label.old',
      'standby.signal',
      'current_logfiles.tmp',
      'postgresql.auto.conf.tmp',
      'log/today.log',
      'pg_stat_tmp/global.stat',
      'pg_replslot/slot/state',
      'extension/log/deep',
      'base/pgsql_tmp/pgsql_tmp1.0',
      'base/5/pg_internal.init',
      'base/5/pg_internal.init.123',
      'base/5/t3_16400',
      'base/5/t3_16400_fsm',
      'base/5/t3_16400.1',
      'base/5/t-is-not-temporary',
      'other/t3_16400',
      'global/pg_internal.init',
    )
    expect(walk(data).names).toEqual([
      '/',
      '/backup_label.old',
      '/base',
      '/base/5',
      '/base/5/t-is-not-temporary',
      '/base/pgsql_tmp',
      '/extension',
      '/extension/log',
      '/global',
      '/log',
      '/other',
      '/other/t3_16400',
      '/pg_replslot',
      '/pg_stat_tmp',
    ])
  })

  it('keeps of an unlogged relation the init fork only, in any segment and fork', () => {
    const data = join(root, 'data')
    plant(
      data,
      'base/5/700',
      'base/5/700.1',
      'base/5/700_fsm',
      'base/5/700_vm',
      'base/5/700_init',
      'base/5/7000',
      'base/6/700',
      'global/700',
      'global/700_init',
    )
    expect(walk(data).names.filter((name) => /700/.test(name))).toEqual([
      '/base/5/7000',
      '/base/5/700_init',
      '/base/6/700',
      '/global/700',
      '/global/700_init',
    ])
  })

  it('walks tablespaces in place of their links, before the folder of the links', () => {
    const data = join(root, 'data')
    const outside = join(root, 'space with blanks')
    plant(data, 'pg_tblspc/16500/PG_18_202506291/5/16501', 'pg_subtrans/0000', 'pg_twophase/')
    plant(outside, 'PG_18_202506291/5/16502', 'PG_18_202506291/5/16502_init', 'PG_18_202506291/pgsql_tmp/x')
    symlinkSync(`${outside}/`, join(data, 'pg_tblspc/16400'))
    const { names, findings, paths } = walk(data)
    expect(names.slice(names.indexOf('/pg_subtrans'))).toEqual([
      '/pg_subtrans',
      '/pg_tblspc/16400/PG_18_202506291',
      '/pg_tblspc/16400/PG_18_202506291/5',
      '/pg_tblspc/16400/PG_18_202506291/5/16502_init',
      '/pg_tblspc/16400/PG_18_202506291/pgsql_tmp',
      '/pg_tblspc',
      '/pg_tblspc/16500',
      '/pg_tblspc/16500/PG_18_202506291',
      '/pg_tblspc/16500/PG_18_202506291/5',
      '/pg_tblspc/16500/PG_18_202506291/5/16501',
      '/pg_twophase',
    ])
    expect(findings.tablespaces).toEqual([{ name: '16400', location: outside }])
    expect(paths.get('/pg_tblspc/16400/PG_18_202506291/5/16502_init')).toBe(join(data, 'pg_tblspc/16400/PG_18_202506291/5/16502_init'))
  })

  it('reaches a tablespace whose location is a link itself', () => {
    const data = join(root, 'data')
    plant(data, 'pg_tblspc/')
    plant(root, 'real/PG_15_202209061/5/1')
    symlinkSync(join(root, 'real'), join(root, 'alias'))
    symlinkSync(join(root, 'alias'), join(data, 'pg_tblspc/16400'))
    const { names, findings } = walk(data)
    expect(names).toContain('/pg_tblspc/16400/PG_15_202209061/5/1')
    expect(findings.tablespaces).toEqual([{ name: '16400', location: join(root, 'alias') }])
  })

  it('stores what links lead to, and says so; pg_wal behind a link is an empty folder', () => {
    const data = join(root, 'data')
    plant(data, 'PG_VERSION')
    plant(root, 'wal/000000010000000000000001', 'etc/postgresql.conf', 'etc/conf.d/a.conf', 'somewhere/x')
    symlinkSync('../wal', join(data, 'pg_wal'))
    symlinkSync('../etc/postgresql.conf', join(data, 'postgresql.conf'))
    symlinkSync('../etc/conf.d', join(data, 'conf.d'))
    symlinkSync('nowhere', join(data, 'dangling'))
    symlinkSync('..', join(data, 'circle'))
    const { names, findings, paths } = walk(data, ['archive_status', 'summaries'])
    expect(names).toEqual(
      expect.arrayContaining(['/conf.d', '/conf.d/a.conf', '/pg_wal', '/pg_wal/archive_status', '/pg_wal/summaries', '/postgresql.conf']),
    )
    expect(names.filter((name) => name.startsWith('/pg_wal/0'))).toEqual([])
    expect(paths.get('/postgresql.conf')).toBe(join(data, 'postgresql.conf'))
    expect(findings.links).toEqual(
      expect.arrayContaining([
        { path: '/postgresql.conf', target: '../etc/postgresql.conf' },
        { path: '/pg_wal', target: '../wal' },
      ]),
    )
    expect(findings.skipped).toEqual(
      expect.arrayContaining([
        { path: '/dangling', reason: 'it is a symbolic link to nowhere, which does not exist' },
        { path: '/circle/data', reason: 'a symbolic link leads back to it' },
      ]),
    )
  })

  it('reports sockets, pipes and names that are not UTF-8', () => {
    const data = join(root, 'data')
    plant(data, 'kept', 'ünïcode name', '\uFFFD is a character too')
    execFileSync('mkfifo', [join(data, 'pipe')])
    writeFileSync(Buffer.concat([Buffer.from(`${data}/bad`), Buffer.from([0xff, 0xfe])]), 'x')
    const { names, findings } = walk(data)
    expect(names).toEqual(['/', '/kept', '/ünïcode name', '/\uFFFD is a character too'])
    expect(findings.skipped.map(({ reason }) => reason)).toEqual(['its name is not UTF-8', 'it is a socket, pipe or device'])
  })

  it('counts what it visits and does not store', () => {
    const data = join(root, 'data')
    plant(data, 'postmaster.pid', 'global/pg_control')
    const { findings } = walk(data)
    const folders = Number(execFileSync('stat', ['-c', '%s', data])) + Number(execFileSync('stat', ['-c', '%s', join(data, 'global')]))
    expect(findings.visitedBytes).toBe('postmaster.pid'.length + 'global/pg_control'.length + folders)
  })
})

describe('readSortedFolder', () => {
  it('sorts on disk what is too much for memory, in the same order', () => {
    const names = Array.from({ length: 1000 }, (_, index) => `${(index * 7919) % 1000}${index % 97 === 0 ? '_init' : ''}`)
    plant(join(root, 'many'), ...names, '\u{1F600}', '\uFF5E')
    const spool = createSpool(root)
    const inMemory = readSortedFolder(join(root, 'many'), spool)
    const onDisk = readSortedFolder(join(root, 'many'), spool, 64)
    const expected = [...names, '\u{1F600}', '\uFF5E']
      .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      .map((name) => `f${name}`)
    expect([...inMemory.entries]).toEqual(expected)
    expect([...onDisk.entries]).toEqual(expected)
    expect(onDisk.unlogged).toEqual(inMemory.unlogged)
    expect(onDisk.unlogged.size).toBe(11)
    onDisk.close()
  })
})

describe('spool', () => {
  it('gives texts back in order, as often as asked, across its buffer', () => {
    const file = createSpool(root).open()
    const texts = Array.from({ length: 20_000 }, (_, index) => `${index} line\nwith break ${'é'.repeat(index % 40)}`)
    for (const text of texts) file.append(text)
    expect([...file.texts()]).toEqual(texts)
    file.append('more')
    expect([...file.texts()].at(-1)).toBe('more')
    file.close()
  })

  it('says where it could not write', () => {
    expect(() => createSpool(join(root, 'missing')).open()).toThrow(expect.objectContaining({ kind: 'unavailable', code: 'SPOOL_FAILED' }))
  })
})
