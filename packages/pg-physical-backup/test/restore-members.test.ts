import { existsSync, mkdirSync, readFileSync, readdirSync, readlinkSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createTreeWriter } from '../src/restore/tree-writer.ts'
import { planRestore } from '../src/restore/restore-backup.ts'
import { labelMember, makeRepository, makeTar, type MadeMember } from './made-backup.ts'
import { requestFor, restoreFrom, scratch, treeLines } from './restore-support.ts'

const paths = (root: string): string[] => treeLines(root).map((line) => line.split('\t').slice(0, 3).join(' '))

describe('members that try to escape', () => {
  it.each<readonly [string, readonly MadeMember[]]>([
    ['a name with ..', [{ name: '../escaped', content: 'x' }]],
    ['a name with .. in the middle', [{ name: '/base/../../escaped', content: 'x' }]],
    ['a folder with ..', [{ name: '../escaped', flag: '5', mode: 0o755 }]],
    ['a link with ..', [{ name: 'base/../../escaped', flag: '2', link: '/etc' }]],
    [
      'a file below a file',
      [
        { name: 'a', content: 'x' },
        { name: 'a/b', content: 'x' },
      ],
    ],
    [
      'a file in the place of a folder',
      [
        { name: 'a/b', content: 'x' },
        { name: 'a', content: 'x' },
      ],
    ],
  ])('%s is refused', async (_, members) => {
    using work = scratch()
    const target = join(work.path, 'data')
    for (const files of [undefined, members.map((one) => one.name)])
      await expect(restoreFrom(await makeRepository({ parts: { 'part_001.tar': members }, files }), target)).rejects.toMatchObject({
        kind: 'corrupt',
        code: 'RESTORE_UNSAFE_MEMBER',
      })
    expect(readdirSync(work.path)).toEqual(['data'])
    expect(existsSync(join(target, 'global/pg_control'))).toBe(false)
  })

  it('an absolute name lies below the target', async () => {
    using work = scratch()
    const target = join(work.path, 'data')
    await restoreFrom(await makeRepository({ parts: { 'part_001.tar': [{ name: '/etc/waltz-escaped', content: 'x' }] } }), target)
    expect(readFileSync(join(target, 'etc/waltz-escaped'), 'utf8')).toBe('x')
    expect(existsSync('/etc/waltz-escaped')).toBe(false)
  })

  it('a link is never made, so nothing leads through it', async () => {
    using work = scratch()
    const target = join(work.path, 'data')
    const outside = join(work.path, 'outside')
    mkdirSync(outside)
    const members = [
      { name: 'out', flag: '2', link: outside },
      { name: 'out/stolen', content: 'x' },
      { name: 'hard', flag: '1', link: '/etc/passwd' },
    ]
    const result = await restoreFrom(await makeRepository({ parts: { 'part_001.tar': members } }), target)
    expect(readdirSync(outside)).toEqual([])
    expect(readFileSync(join(target, 'out/stolen'), 'utf8')).toBe('x')
    expect(result.skipped.members).toEqual([
      { name: 'out', reason: `a symbolic link to ${outside}` },
      { name: 'hard', reason: 'a hard link' },
    ])
  })

  it('a link that somebody makes meanwhile is not followed', () => {
    using work = scratch()
    mkdirSync(join(work.path, 'data'))
    symlinkSync('/etc', join(work.path, 'data/base'))
    symlinkSync('/etc/hostname', join(work.path, 'data/file'))
    const tree = createTreeWriter({ destination: join(work.path, 'data'), tablespaces: [] })
    expect(() => tree.file('base/waltz', 0o600, Buffer.from('x'))).toThrow(expect.objectContaining({ code: 'RESTORE_UNSAFE_MEMBER' }))
    expect(() => tree.file('file', 0o600, Buffer.from('x'))).toThrow(expect.objectContaining({ code: 'RESTORE_UNSAFE_MEMBER' }))
  })

  it("a member with the restore's own name is left out", async () => {
    using work = scratch()
    const target = join(work.path, 'data')
    const evil = JSON.stringify({ backup: 'x', backupId: 'x', tablespaces: [{ name: '1', location: '/home' }] })
    const result = await restoreFrom(
      await makeRepository({ parts: { 'part_001.tar': [{ name: '.waltz-restore-in-progress', content: evil }] } }),
      target,
    )
    expect(result.skipped).toMatchObject({ count: 1 })
    expect(existsSync(join(target, '.waltz-restore-in-progress'))).toBe(false)
  })
})

describe('what is written', () => {
  it('is what the file list names, folders always, modes without setuid', async () => {
    using work = scratch()
    const target = join(work.path, 'data')
    const members: MadeMember[] = [
      { name: '/', flag: '5', mode: 0o40750 & 0o7777 },
      { name: '/base', flag: '5', mode: 0o700 },
      { name: '/base/1', content: 'one', mode: 0o4755 },
      { name: '/base/2', content: 'not listed' },
      { name: '/locked', flag: '5', mode: 0o500 },
      { name: '/locked/in', content: '', mode: 0o400 },
      { name: '/pg_wal', flag: '5', mode: 0o700 },
    ]
    const result = await restoreFrom(
      await makeRepository({ parts: { 'part_001.tar': members }, files: ['/', '/base/1', '/locked/in'] }),
      target,
    )
    expect(statSync(target).mode & 0o7777).toBe(0o750)
    expect(paths(target).filter((line) => /^(?:base|locked|pg_wal)/.test(line))).toEqual([
      'base d 0700',
      'base/1 f 0755',
      'locked d 0500',
      'locked/in f 0400',
      'pg_wal d 0700',
    ])
    expect(result.skipped.members).toEqual([{ name: '/base/2', reason: 'not in the file list' }])
    expect(result.files).toBe(5)
  })

  it('takes folders that PostgreSQL needs', async () => {
    using work = scratch()
    const target = join(work.path, 'data')
    await restoreFrom(
      await makeRepository({ parts: { 'part_001.tar': [{ name: 'PG_VERSION', content: '15\n' }] }, files: ['PG_VERSION'] }),
      target,
    )
    expect(paths(target).filter((line) => line.endsWith('d 0700'))).toEqual(
      [
        'global',
        'pg_dynshmem',
        'pg_notify',
        'pg_replslot',
        'pg_serial',
        'pg_snapshots',
        'pg_stat_tmp',
        'pg_subtrans',
        'pg_tblspc',
        'pg_twophase',
        'pg_wal',
        'pg_wal/archive_status',
      ].map((name) => `${name} d 0700`),
    )
  })

  it('is large files in pieces, parts without an end, and a control file inside a part', async () => {
    using work = scratch()
    const target = join(work.path, 'data')
    const large = Buffer.alloc(3_000_000, 'abcdefg')
    const tar = makeTar(
      [
        { name: 'global/pg_control', content: 'not the right one' },
        { name: 'standby.signal' },
        { name: 'backup_label', content: labelMember.content ?? '' },
        { name: 'base/1/2', content: large },
      ],
      false,
    )
    const store = await makeRepository({
      parts: { 'part_001.tar': tar },
      files: ['global/pg_control', 'standby.signal', 'backup_label', 'base/1/2'],
      label: [],
    })
    const result = await restoreFrom(store, target)
    expect(readFileSync(join(target, 'base/1/2')).equals(large)).toBe(true)
    expect(readFileSync(join(target, 'global/pg_control')).length).toBe(8192)
    expect(result.warnings).toContainEqual(expect.stringContaining('the backup holds standby.signal'))
  })

  it('never lacks a label', async () => {
    using work = scratch()
    const target = join(work.path, 'data')
    await expect(
      restoreFrom(await makeRepository({ parts: { 'part_001.tar': [{ name: 'x' }] }, label: [{ name: 'tablespace_map' }] }), target),
    ).rejects.toMatchObject({
      code: 'BACKUP_LABEL_MISSING',
    })
    expect(existsSync(join(target, 'global/pg_control'))).toBe(false)
  })

  it('lacks nothing that is listed', async () => {
    using work = scratch()
    const files = ['/a', '/b', '/c']
    await expect(
      restoreFrom(await makeRepository({ parts: { 'part_001.tar': [{ name: '/b' }] }, files }), join(work.path, 'data')),
    ).rejects.toMatchObject({
      code: 'RESTORE_FILES_MISSING',
      message: expect.stringContaining('2 of 3 files of base_000000010000000000000013 are in none of its parts: /a, /c'),
    })
  })
})

describe('tablespaces', () => {
  const members: MadeMember[] = [
    { name: '/pg_tblspc', flag: '5', mode: 0o700 },
    { name: '/pg_tblspc/16400/PG_15_202209061/5/1', content: 'in the tablespace' },
    { name: '/pg_tblspc/16500/PG_15_202209061/5/1', content: 'in place' },
    { name: '/pg_tblspc/16400', flag: '2', link: '/old/ts' },
  ]
  const repository = (location: string): ReturnType<typeof makeRepository> =>
    makeRepository({
      parts: { 'part_001.tar': members },
      tablespaces: { '16400': location },
      label: [labelMember, { name: 'tablespace_map', content: `16400 ${location}\n` }],
    })

  it('return to where they were, with their map', async () => {
    using work = scratch()
    const target = join(work.path, 'data')
    const location = join(work.path, 'a/b ts')
    const result = await restoreFrom(await repository(location), target)
    expect(readlinkSync(join(target, 'pg_tblspc/16400'))).toBe(location)
    expect(readFileSync(join(location, 'PG_15_202209061/5/1'), 'utf8')).toBe('in the tablespace')
    expect(readFileSync(join(target, 'pg_tblspc/16500/PG_15_202209061/5/1'), 'utf8')).toBe('in place')
    expect(readFileSync(join(target, 'tablespace_map'), 'utf8')).toContain(location)
    expect(result.skipped.count).toBe(0)
  })

  it('are refused where something lies, and where folders would lie in each other', async () => {
    using work = scratch()
    const target = join(work.path, 'data')
    const location = join(work.path, 'ts')
    mkdirSync(location)
    writeFileSync(join(location, 'precious'), '')
    await expect(restoreFrom(await repository(location), target)).rejects.toMatchObject({
      kind: 'already-exists',
      code: 'RESTORE_TABLESPACE_NOT_EMPTY',
    })
    await expect(restoreFrom(await repository(join(target, 'ts')), target)).rejects.toMatchObject({ code: 'RESTORE_DESTINATION_INVALID' })
    await expect(restoreFrom(await repository(work.path), target)).rejects.toMatchObject({ code: 'RESTORE_DESTINATION_INVALID' })
    expect(readdirSync(work.path)).toEqual(['ts'])
    expect(readdirSync(location)).toEqual(['precious'])
  })

  it('go where a complete restore spec says; extra entries are told', async () => {
    using work = scratch()
    const target = join(work.path, 'data')
    const entry = (name: string): { readonly name: string; readonly location: string; readonly link: string } => ({
      name,
      location: join(work.path, name),
      link: `pg_tblspc/${name}`,
    })
    const store = await repository('/nowhere/at/all')
    const plan = await planRestore(
      await requestFor(store, target, { restoreSpec: { basePrefix: '/x', tablespaces: [entry('16400'), entry('9')] } }),
    )
    expect(plan.tablespaces).toEqual([{ name: '16400', originalLocation: '/nowhere/at/all', location: join(work.path, '16400') }])
    expect(plan.warnings).toContain('the restore spec names tablespace 9, which this backup does not have')
    await expect(restoreFrom(store, target, { restoreSpec: { basePrefix: '/x', tablespaces: [entry('9')] } })).rejects.toMatchObject({
      code: 'RESTORE_SPEC_INCOMPLETE',
    })
    await restoreFrom(store, target, { restoreSpec: { basePrefix: '/x', tablespaces: [entry('16400')] } })
    expect(existsSync(join(target, 'tablespace_map'))).toBe(false)
    expect(readlinkSync(join(target, 'pg_tblspc/16400'))).toBe(join(work.path, '16400'))
  })
})
