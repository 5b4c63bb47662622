import { existsSync, mkdirSync, readdirSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createFakeIo, type FakeIo } from './fake-io.ts'
import { type Ended, runIn, storeBackup, storeIn } from './run-in-folder.ts'

let io: FakeIo
let root: string

beforeEach(() => {
  io = createFakeIo({ now: () => new Date() })
  root = join(io.cwd, 'repository')
  mkdirSync(root)
  Object.assign(io.env, { WALG_FILE_PREFIX: root, TZ: 'UTC', TMPDIR: io.cwd })
})
afterEach(() => io[Symbol.dispose]())

const waltz = (...argv: readonly string[]): Promise<Ended> => runIn(io, argv)

const store = (key: string, text: string): void => storeIn(root, key, text)

const SEGMENT = (number: number): string => `0000000100000000${number.toString(16).toUpperCase().padStart(8, '0')}`

/** A full backup that began in a segment of 16 MiB. */
const backup = (number: number, minute: number, permanent = false): string =>
  storeBackup(root, { number, start: `2026-03-01T00:${String(minute).padStart(2, '0')}:00Z`, permanent }, SEGMENT)

function archive(first: number, last: number): void {
  for (let number = first; number <= last; number += 1) store(`wal_005/${SEGMENT(number)}.lz4`, 'segment')
}

describe('delete', () => {
  it('shows the plan and deletes nothing without --confirm', async () => {
    const [old, kept] = [backup(2, 1), backup(4, 2)]
    archive(1, 5)
    const { code, out, err } = await waltz('delete', 'retain', '1')
    expect(code).toBe(0)
    const lines = out.split('\n')
    expect(lines[0]).toMatch(/^backup +storage +started +what +size +restores +why$/)
    expect(lines[1]).toMatch(new RegExp(`^${kept} default 2026-03-01T00:02:00.000Z keep +\\d+ B +any time after it`))
    expect(lines[2]).toMatch(new RegExp(`^${old} default 2026-03-01T00:01:00.000Z delete +\\d+ B +- +older than ${kept}$`))
    expect(out).toContain('can be restored now: 2026-03-01T00:01:00.000Z to ')
    expect(out).toContain('can be restored after: 2026-03-01T00:02:00.000Z to ')
    expect(out).toMatch(/\ndeletes 6 objects \(\d+ B\)\nplan \d{8}T\d{9}Z-[0-9a-f]{16}\n$/)
    expect(err).toContain('Objects marked for deletion in wal_005/: 3 objects')
    expect(err).toContain('this was a dry run')
    expect(readdirSync(join(root, 'wal_005'))).toHaveLength(5)
    expect(readdirSync(root).toSorted()).toEqual(['basebackups_005', 'wal_005'])
  })

  it('is JSON for programs, with what was done', async () => {
    const [old, kept] = [backup(2, 1), backup(4, 2)]
    archive(1, 5)
    const plan = JSON.parse((await waltz('delete', 'before', kept, '--json')).out) as { readonly plan: string }
    expect(plan).toMatchObject({
      dry_run: true,
      command: `delete before ${kept}`,
      wal_segment_bytes: 16 * 1_048_576,
      backups: [
        { backup_name: kept, keep: true },
        { backup_name: old, keep: false, reasons: [{ kind: 'chosen' }] },
      ],
      wal: [{ timeline: 1, removed: { objects: 3 }, kept: { objects: 2 }, removed_from: SEGMENT(1), removed_to: SEGMENT(3) }],
      deletes: { total: { objects: 6 } },
    })
    const done = await waltz('delete', 'before', kept, '--json', '--plan', plan.plan)
    expect(JSON.parse(done.out)).toMatchObject({ plan: plan.plan, dry_run: false, result: { deleted: { objects: 6 }, failed: 0 } })
    expect(existsSync(join(root, `basebackups_005/${old}`))).toBe(false)
    const again = await waltz('delete', 'before', kept, '--plan', plan.plan)
    expect([again.code, again.err]).toEqual([21, expect.stringContaining('no longer fits the repository')])
  })

  it.each([
    [['retain'], 2],
    [['retain', 'FULL'], 2],
    [['retain', 'BOGUS', '2'], 2],
    [['retain', '0'], 2],
    [['retain', '-1'], 2],
    [['retain', '1.5'], 2],
    [['retain', 'FULL', '1', 'more'], 2],
    [['before'], 2],
    [['before', 'FULL', 'x'], 2],
    [['before', '2099-01-01T00:00:00Z'], 2],
    [['before', 'base_unknown'], 74],
    [['everything', 'force'], 2],
    [['target'], 2],
    [['target', 'a', '--target-user-data', '{}'], 2],
    [['target', '--target-user-data', '{"a":'], 2],
    [['target', 'FULL', 'a'], 2],
    [['target', 'base_unknown'], 74],
    [['garbage', 'ALL'], 2],
    [['retain', '1', '--plan', 'abc'], 2],
  ])('%j is refused with exit code %i', async (args, code) => {
    backup(2, 1)
    const found = await waltz('delete', ...args, '--confirm')
    expect([found.err, found.code]).toEqual([found.err, code])
    expect(readdirSync(join(root, 'basebackups_005'))).toHaveLength(2)
  })

  it('works on an empty repository', async () => {
    for (const args of [['everything', 'FORCE'], ['everything'], ['retain', '1'], ['garbage'], ['before', '2020-01-01T00:00:00Z']]) {
      const { code, err } = await waltz('delete', ...args, '--confirm')
      expect([args, code]).toEqual([args, 0])
      expect(err).not.toMatch(/[0-9A-F]{24}/)
    }
    expect(readdirSync(root)).toEqual([])
  })

  it('garbage names on standard error the folder it is about, and no other', async () => {
    backup(4, 1)
    archive(1, 5)
    const archives = await waltz('delete', 'garbage', 'ARCHIVES')
    expect(archives.err).toContain('wal_005')
    expect(archives.err).not.toContain('basebackups_005')
    const backups = await waltz('delete', 'garbage', 'BACKUPS')
    expect(backups.err).not.toContain('wal_005')
  })

  it.each([
    [undefined, 'being-written', true],
    ['1h', 'unfinished', false],
  ])('what has no sentinel is being written for as long as WALTZ_UNFINISHED_BACKUP_AGE says: %s', async (age, status, stays) => {
    const kept = backup(4, 1)
    const attempt = `base_${SEGMENT(2)}`
    for (const folder of ['basebackups_005', 'catchup_005']) {
      const key = `${folder}/${attempt}/tar_partitions/part_001.tar.lz4`
      store(key, 'data')
      const twoHoursAgo = Date.now() / 1000 - 7200
      utimesSync(join(root, key), twoHoursAgo, twoHoursAgo)
    }
    if (age !== undefined) Object.assign(io.env, { WALTZ_UNFINISHED_BACKUP_AGE: age })
    const json = async <Value>(...argv: readonly string[]): Promise<Value> => JSON.parse((await waltz(...argv, '--json')).out) as Value
    const listed = await json<readonly { readonly backup_name: string; readonly status: string }[]>('backup-list', '--extended')
    const shown = await json<{ readonly status: string }>('backup-show', attempt)
    const { findings } = await json<{ readonly findings: readonly { readonly removable: boolean }[] }>('garbage', '--without-wal')
    interface Plan {
      readonly backups: readonly { readonly backup_name: string; readonly keep: boolean }[]
      readonly catchups: readonly { readonly keep: boolean }[]
    }
    const plans = [
      await json<Plan>('delete', 'garbage'),
      await json<Plan>('delete', 'before', kept),
      await json<Plan>('delete', 'everything'),
    ]
    expect([listed, shown, findings, plans]).toMatchObject([
      expect.arrayContaining([expect.objectContaining({ backup_name: attempt, status })]),
      { status },
      [{ removable: !stays }],
      plans.map(() => ({
        backups: expect.arrayContaining([expect.objectContaining({ backup_name: attempt, status, keep: stays })]),
        catchups: [{ keep: stays }],
      })),
    ])
    // Policies never remove what nobody finished, however old it is, and say what they take it for.
    expect(await json('retention', 'plan', '--policy', 'last=1')).toMatchObject({
      backups: expect.arrayContaining([expect.objectContaining({ backup_name: attempt, status, keep: true })]),
    })
  })

  it('refuses to delete permanent backups, and says which', async () => {
    const name = backup(2, 1, true)
    for (const args of [['everything'], ['target', name]]) {
      const { code, err } = await waltz('delete', ...args, '--confirm')
      expect([code, err]).toEqual([21, expect.stringContaining(name)])
    }
    expect((await waltz('delete', 'everything', 'FORCE', '--confirm')).code).toBe(0)
    expect(readdirSync(root)).toEqual([])
  })

  it('has help for the group and for each of its commands', async () => {
    expect((await waltz('delete')).out).toContain('delete retain')
    expect((await waltz('delete', 'retain', '--help')).out).toContain('--after')
    expect((await waltz('delete', 'garbage', '--help')).out).toContain('--without-backup-check')
  })
})
