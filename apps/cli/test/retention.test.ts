import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
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

/** A full backup of a day in March that began in a segment of 16 MiB, with the WAL around it. */
function backup(number: number, day: number, system = 7): string {
  for (let wal = number - 1; wal <= number + 1; wal += 1) store(`wal_005/${SEGMENT(wal)}.lz4`, 'segment')
  return storeBackup(root, { number, start: `2026-03-${String(day).padStart(2, '0')}T00:00:00Z`, system }, SEGMENT)
}

const names = (): readonly string[] =>
  readdirSync(join(root, 'basebackups_005')).flatMap((name) =>
    name.endsWith('.json') ? name.replace('_backup_stop_sentinel.json', '') : [],
  )
const wal = (): readonly string[] => readdirSync(join(root, 'wal_005')).map((name) => name.replace('.lz4', ''))

describe('retention', () => {
  it('plans by the policy of the flag, and deletes nothing', async () => {
    const [first, second, third] = [backup(2, 1), backup(5, 2), backup(8, 3)]
    const { code, out, err } = await waltz('retention', 'plan', '--policy', 'last=2')
    expect(code).toBe(0)
    const lines = out.split('\n').slice(1, 4)
    expect(lines[0]).toMatch(new RegExp(`^${third} .* keep .*the newest backup that can be restored; kept by last=2$`))
    expect(lines[1]).toMatch(new RegExp(`^${second} .* keep .*kept by last=2$`))
    expect(lines[2]).toMatch(new RegExp(`^${first} .* delete .*kept by no rule$`))
    expect(err).toMatch(/waltz retention apply deletes, with --plan \d{8}T\d{9}Z-[0-9a-f]{16} exactly this/)
    expect(names()).toHaveLength(3)
  })

  it('applies the policy of the setting: archived backups keep the WAL that they need, and no more', async () => {
    const [first, second, third] = [backup(2, 1), backup(5, 2), backup(8, 3)]
    Object.assign(io.env, { WALTZ_RETENTION: 'last=1, archive(since=2026-03-02)' })
    const { code, err } = await waltz('retention', 'apply')
    expect({ code, err }).toMatchObject({ code: 0 })
    expect(names()).toEqual([second, third])
    expect(names()).not.toContain(first)
    expect(wal()).toEqual([5, 8, 9].map(SEGMENT))
    const again = await waltz('retention', 'apply')
    expect(again.code).toBe(0)
    expect(again.out).toContain('nothing to delete')
  })

  it('applies exactly the plan that was looked at, as JSON says', async () => {
    backup(2, 1)
    const kept = backup(5, 2)
    writeFileSync(join(io.cwd, 'policy.txt'), '# for the shop\nlast=1 # the newest\n')
    const planned = await waltz('retention', 'plan', '--policy-file', 'policy.txt', '--json')
    const { plan } = JSON.parse(planned.out) as { readonly plan: string }
    expect(names()).toHaveLength(2)
    const applied = await waltz('retention', 'apply', '--policy-file', 'policy.txt', '--json', '--plan', plan)
    expect(applied.code).toBe(0)
    expect(names()).toEqual([kept])
    const other = await waltz('retention', 'apply', '--policy', 'all', '--plan', plan)
    expect(other.code).not.toBe(0)
    expect(other.err).toContain('PLAN_CHANGED')
  })

  it('judges one cluster; the backups of another stay and are named', async () => {
    const foreign = backup(2, 1, 6)
    const [old, kept] = [backup(5, 2), backup(8, 3)]
    const { out } = await waltz('retention', 'plan', '--policy', 'last=1')
    expect(out).toMatch(new RegExp(`^${foreign} .* keep .*of another cluster \\(system identifier 6\\), see --series$`, 'm'))
    expect(out).toMatch(new RegExp(`^${old} .* delete `, 'm'))
    const other = await waltz('retention', 'plan', '--policy', 'last=1', '--series', '6')
    expect(other.out).toMatch(new RegExp(`^${kept} .* keep .*of another cluster \\(system identifier 7\\), see --series$`, 'm'))
  })

  it.each([
    [[], 'there is no retention policy'],
    [['--policy', 'last=1', '--policy-file', 'x'], 'exclude each other'],
    [['--policy-file', 'missing'], 'cannot be read'],
    [['--policy', 'last=1', '--series', 'seven'], 'system identifier'],
    [['--policy', 'lasts=1'], 'RETENTION_RULE_INVALID'],
  ])('%j is refused', async (flags, text) => {
    const { code, err } = await waltz('retention', 'apply', ...flags)
    expect(code).not.toBe(0)
    expect(err).toContain(text)
  })
})
