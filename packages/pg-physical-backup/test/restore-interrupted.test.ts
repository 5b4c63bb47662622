import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { TablespaceSpec } from '@waltz/repository'
import { applyRestore } from '../src/restore/apply-restore.ts'
import { inspectDestination } from '../src/restore/destination.ts'
import { markerName, ownerName, readMarker } from '../src/restore/marker.ts'
import { prepareRestore } from '../src/restore/prepare-restore.ts'
import { restoreBackup } from '../src/restore/restore-backup.ts'
import { currentOwner, ownerIsAlive } from '../src/restore/restore-owner.ts'
import { syncTrees } from '../src/restore/sync-tree.ts'
import { labelMember, madeName, makeRepository, type MadeMember } from './made-backup.ts'
import { quick, requestFor, restoreFrom, scratch, treeLines } from './restore-support.ts'

const members: MadeMember[] = [
  { name: '/base/1', content: 'one' },
  { name: '/base/2', content: 'two' },
  { name: '/pg_tblspc/16400/PG_15/3', content: 'three' },
]
const whole = (work: string): ReturnType<typeof makeRepository> =>
  makeRepository({
    parts: { 'part_001.tar': members },
    files: members.map((one) => one.name),
    tablespaces: { '16400': join(work, 'ts') },
  })

const elsewhere = (work: string, folder: string): TablespaceSpec => ({
  basePrefix: '/',
  tablespaces: [{ name: '16400', location: join(work, folder), link: 'pg_tblspc/16400' }],
})

/** Restores until everything is extracted, then stops as if the process had died: its owner runs no more. */
async function interrupt(work: string, target: string): Promise<void> {
  const request = await requestFor(await whole(work), target)
  const stop = new Error('killed')
  await expect(
    restoreBackup(request, {
      ...quick,
      observe: (event) => {
        if (event.type === 'phase' && event.phase === 'syncing') throw stop
      },
    }),
  ).rejects.toBe(stop)
  expect(readMarker(target)).toEqual({
    backup: madeName,
    backupId: expect.any(String),
    tablespaces: [{ name: '16400', location: join(work, 'ts') }],
  })
}

it('brings the control file last, when everything else is there and synced', async () => {
  using work = scratch()
  const target = join(work.path, 'data')
  const seen: Record<string, readonly string[]> = {}
  await restoreBackup(await requestFor(await whole(work.path), target), {
    ...quick,
    sync: true,
    observe: (event) => {
      if (event.type === 'phase') seen[event.phase] = treeLines(target).map((line) => line.split('\t')[0] ?? '')
    },
  })
  const after = treeLines(target).map((line) => line.split('\t')[0] ?? '')
  expect(Object.keys(seen)).toEqual(['extracting', 'checking', 'syncing', 'finishing'])
  const ofBackup = (paths: readonly string[] | undefined) => paths?.filter((path) => !path.includes('.waltz-'))
  expect(ofBackup(seen['extracting'])).toEqual([])
  expect(ofBackup(seen['syncing'])).toEqual(after.filter((path) => !path.startsWith('global')))
  expect(seen['finishing']).toEqual(seen['syncing'])
  expect(seen['finishing']).toContain(markerName)
})

describe('an interrupted restore', () => {
  it('cannot be started, and the same restore starts over', async () => {
    using work = scratch()
    const target = join(work.path, 'data')
    await interrupt(work.path, target)
    expect(existsSync(join(target, 'global/pg_control'))).toBe(false)
    expect(readFileSync(join(work.path, 'ts/PG_15/3'), 'utf8')).toBe('three')
    writeFileSync(join(target, 'base/1'), 'half of')
    const result = await restoreFrom(await whole(work.path), target)
    expect(result.startedOver).toBe(true)
    expect(readFileSync(join(target, 'base/1'), 'utf8')).toBe('one')
    expect(existsSync(join(target, markerName))).toBe(false)
    expect(existsSync(join(target, 'global/pg_control'))).toBe(true)
  })

  it('can go on with its tablespaces elsewhere; the first places are cleared', async () => {
    using work = scratch()
    const target = join(work.path, 'data')
    await interrupt(work.path, target)
    const restoreSpec = { basePrefix: '/', tablespaces: [{ name: '16400', location: join(work.path, 'other'), link: 'pg_tblspc/16400' }] }
    await restoreFrom(await whole(work.path), target, { restoreSpec })
    expect(readdirSync(join(work.path, 'ts'))).toEqual([])
    expect(readFileSync(join(work.path, 'other/PG_15/3'), 'utf8')).toBe('three')
  })

  it.each([
    ['the data directory', (work: string) => join(work, 'data/mine')],
    ['a tablespace', (work: string) => join(work, 'ts/PG_15/mine')],
  ])('with a foreign file in %s is left alone', async (_, place) => {
    using work = scratch()
    const target = join(work.path, 'data')
    await interrupt(work.path, target)
    writeFileSync(place(work.path), 'precious')
    const before = treeLines(target).filter((line) => !line.startsWith(markerName))
    await expect(restoreFrom(await whole(work.path), target)).rejects.toMatchObject({ kind: 'conflict', code: 'RESTORE_FOREIGN_FILE' })
    expect(treeLines(target).filter((line) => !line.startsWith(markerName))).toEqual(before)
    expect(readFileSync(place(work.path), 'utf8')).toBe('precious')
  })

  it('of another backup is refused with the way on', async () => {
    using work = scratch()
    const target = join(work.path, 'data')
    await interrupt(work.path, target)
    const other = await makeRepository({ parts: { 'part_001.tar': members }, name: 'base_000000010000000000000014' })
    await expect(restoreFrom(other, target)).rejects.toMatchObject({
      kind: 'conflict',
      code: 'RESTORE_INTERRUPTED_OTHER',
      hint: expect.stringContaining(`waltz backup-fetch ${target} ${madeName}`),
    })
  })

  it('that only left its marker is complete', async () => {
    using work = scratch()
    const target = join(work.path, 'data')
    await interrupt(work.path, target)
    mkdirSync(join(target, 'global'), { recursive: true })
    writeFileSync(join(target, 'global/pg_control'), '')
    await expect(restoreFrom(await whole(work.path), target)).rejects.toMatchObject({ code: 'RESTORE_ALREADY_COMPLETE' })
  })

  it('that is not one, because it still runs, is refused', async () => {
    using work = scratch()
    const target = join(work.path, 'data')
    const request = await requestFor(await whole(work.path), target)
    const owner = currentOwner() ?? ''
    let meanwhile: unknown
    await restoreBackup(request, {
      ...quick,
      observe: (event) => {
        if (event.type !== 'phase' || event.phase !== 'checking') return
        expect(readFileSync(join(target, ownerName), 'utf8')).toBe(owner)
        try {
          inspectDestination(target, { backup: madeName, backupId: '' })
        } catch (error) {
          meanwhile = error
        }
      },
    })
    expect(meanwhile).toMatchObject({ kind: 'conflict', code: 'RESTORE_IN_PROGRESS' })
    expect(treeLines(target).filter((line) => line.startsWith('.'))).toEqual([])
    expect(ownerIsAlive(owner)).toBe(true)
    expect(ownerIsAlive(owner.replace(/\d+$/, '1'))).toBe(false)
    mkdirSync(join(work.path, 'other'))
    writeFileSync(join(work.path, 'other', ownerName), owner)
    const other = await makeRepository({ parts: { 'part_001.tar': members } })
    await expect(restoreFrom(other, join(work.path, 'other'))).rejects.toMatchObject({ kind: 'conflict', code: 'RESTORE_IN_PROGRESS' })
    writeFileSync(join(work.path, 'other', ownerName), owner.replace(/\d+$/, '1'))
    expect((await restoreFrom(other, join(work.path, 'other'))).startedOver).toBe(false)
  })

  it('does not lose its folder to one that was planned at the same time', async () => {
    using work = scratch()
    const target = join(work.path, 'data')
    const store = await whole(work.path)
    const first = await requestFor(store, target)
    const late = restoreBackup(await requestFor(store, target), quick)
    const outcomes = await Promise.allSettled([restoreBackup(first, quick), late])
    expect(outcomes.map((one) => one.status).sort()).toEqual(['fulfilled', 'rejected'])
    // Planned while the folder is empty, begun when another one is whole.
    using prepared = await prepareRestore(await requestFor(store, join(work.path, 'data 2'), { restoreSpec: elsewhere(work.path, 'ts 2') }))
    await restoreFrom(store, join(work.path, 'data 2'), { restoreSpec: elsewhere(work.path, 'ts 2') })
    writeFileSync(join(work.path, 'data 2/base/1'), 'changed since')
    await expect(applyRestore(prepared, quick)).rejects.toMatchObject({ kind: 'conflict', code: 'RESTORE_IN_PROGRESS' })
    expect(readFileSync(join(work.path, 'data 2/base/1'), 'utf8')).toBe('changed since')
    expect(treeLines(join(work.path, 'data 2')).filter((line) => line.includes('.waltz-'))).toEqual([])
  })

  it('does not share the place of a tablespace with one into another folder', async () => {
    using work = scratch()
    const store = await whole(work.path)
    const outcomes = await Promise.allSettled([restoreFrom(store, join(work.path, 'data')), restoreFrom(store, join(work.path, 'other'))])
    expect(outcomes.map((one) => one.status).sort()).toEqual(['fulfilled', 'rejected'])
    const refused = outcomes.find((one) => one.status === 'rejected')
    expect(refused?.reason).toMatchObject({ code: expect.stringMatching(/^RESTORE_(IN_PROGRESS|TABLESPACE_NOT_EMPTY)$/) })
  })

  it('clears what a killed owner left in the place of a tablespace', async () => {
    using work = scratch()
    const target = join(work.path, 'data')
    await interrupt(work.path, target)
    const dead = (currentOwner() ?? '').replace(/\d+$/, '1')
    writeFileSync(join(work.path, 'ts', ownerName), dead)
    writeFileSync(join(target, ownerName), dead)
    await restoreFrom(await whole(work.path), target, { restoreSpec: elsewhere(work.path, 'other') })
    expect(readdirSync(join(work.path, 'ts'))).toEqual([])
  })

  it('with an unreadable marker is refused', async () => {
    using work = scratch()
    const target = join(work.path, 'data')
    mkdirSync(target)
    for (const text of ['', '{}', '[1]', '{"backup":"x","backupId":"y","tablespaces":[{"name":"1","location":"relative"}]}']) {
      writeFileSync(join(target, markerName), text)
      await expect(restoreFrom(await whole(work.path), target)).rejects.toMatchObject({ code: 'RESTORE_MARKER_UNREADABLE' })
    }
  })

  it('that died while it wrote its first marker left an empty folder', async () => {
    using work = scratch()
    const target = join(work.path, 'data')
    mkdirSync(target)
    writeFileSync(join(target, `${markerName}.tmp`), '{')
    expect((await restoreFrom(await whole(work.path), target)).startedOver).toBe(false)
    expect(readdirSync(target).filter((name) => name.startsWith('.'))).toEqual([])
  })
})

it('syncs file by file where there is no program for it', async () => {
  using work = scratch()
  mkdirSync(join(work.path, 'a/b'), { recursive: true })
  for (let index = 0; index < 40; index++) writeFileSync(join(work.path, 'a/b', String(index)), labelMember.content ?? '')
  expect(await syncTrees([work.path], '/bin/false')).toBe('files')
  expect(await syncTrees([work.path])).toBe('file systems')
})
