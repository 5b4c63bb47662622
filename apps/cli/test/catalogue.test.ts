import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { run } from '../src/run.ts'
import { compileFilePattern } from '../src/commands/catalogue/file-pattern.ts'
import { folderRepository, segment } from './catalogue-repository.ts'
import { createFakeIo } from './fake-io.ts'

// Times of files are shown in the zone of the process.
process.env['TZ'] = 'UTC'

interface Outcome {
  readonly code: number
  readonly out: string
  readonly err: string
}

interface Scene {
  readonly full: string
  readonly first: string
  readonly second: string
  readonly other: string
  readonly orphan: string
  readonly unfinished: string
  /** Runs a command line on the repository. */
  waltz(...words: readonly string[]): Promise<Outcome>
}

/**
 * Chains of a full backup with two increments and of one without, an increment whose parent is gone, an attempt, and WAL with a hole. All of it
 * looked at on the twentieth of March.
 */
async function withScene(test: (scene: Scene) => Promise<void>): Promise<void> {
  using io = createFakeIo({ now: () => new Date('2026-03-20T00:00:00Z') })
  const root = join(io.cwd, 'repository')
  const repository = folderRepository(root, '2026-03-01T00:00:00Z')
  repository.wal(1, 9)
  const full = repository.add({
    segment: 4,
    permanent: true,
    partBytes: 2000,
    files: ['/base/1/1259', '/base/1/1261', '/base/2/1259', '/global/1'],
  })
  const first = repository.add({ segment: 6, parent: full, started: '2026-03-02T10:00:00Z', userData: '{"n":12345678901234567890}' })
  const second = repository.add({ segment: 8, parent: first, depth: 2, started: '2026-03-03T10:00:00Z' })
  const other = repository.add({ segment: 11, started: '2026-02-01T10:00:00Z' })
  const orphan = repository.add({ segment: 12, parent: `base_${segment(3)}` })
  const unfinished = repository.add({ segment: 13, sentinel: false })
  repository.wal(12, 14)
  await test({
    full,
    first,
    second,
    other,
    orphan,
    unfinished,
    async waltz(...words) {
      let [out, err] = ['', '']
      const streams = { stdout: (text: string) => void (out += text), stderr: (text: string) => void (err += text) }
      const code = await run(words, { ...io, ...streams, env: { WALG_FILE_PREFIX: root } })
      return { code, out, err }
    },
  })
}

const namesIn = (text: string): readonly string[] => [...text.matchAll(/base_[0-9A-F_D]+/g)].map(([name]) => name)
const firstColumn = ({ out }: Outcome): readonly string[] =>
  out
    .split('\n')
    .slice(1, -1)
    .map((line) => line.split(' ')[0] ?? '')

describe('backup-list --extended', () => {
  it('shows states, sizes and chains of everything', () =>
    withScene(async ({ waltz, full, first, second, other, orphan, unfinished }) => {
      const { code, out } = await waltz('backup-list', '--extended')
      expect(code).toBe(0)
      const [header, ...rows] = out
        .split('\n')
        .slice(0, -1)
        .map((line) => line.split(/ +/))
      const column = (name: string): readonly (string | undefined)[] => rows.map((row) => row[header?.indexOf(name) ?? -1])
      expect(column('backup_name')).toEqual([full, first, second, other, orphan, unfinished])
      expect(column('status')).toEqual(['complete', 'complete', 'complete', 'complete', 'lost-parent', 'unfinished'])
      expect(column('type')).toEqual(['full', 'increment', 'increment', 'full', 'increment', '-'])
      expect(column('depth')).toEqual(['0', '1', '2', '0', '1', '0'])
      expect(column('parent')).toEqual(['-', full, first, '-', `base_${segment(3)}`, '-'])
      expect(column('restored')).toEqual(['1004', '1006', '1008', '1011', '1012', '-'])
      expect(column('permanent')).toEqual(['true', 'false', 'false', 'false', 'false', 'false'])
      expect(column('start_time')[1]).toBe('2026-03-02T10:00:00Z')
      expect(Number(column('stored')[0])).toBeGreaterThan(2000)
      expect(header).not.toContain('window_lsn')
    }))

  it('looks through the archive when it is told to', () =>
    withScene(async ({ waltz, other }) => {
      const { out } = await waltz('backup-list', '--wal')
      const [header, ...rows] = out
        .split('\n')
        .slice(0, -1)
        .map((line) => line.split(/ +/))
      const column = (name: string): readonly (string | undefined)[] => rows.map((row) => row[header?.indexOf(name) ?? -1])
      expect(column('status')).toEqual(['complete', 'complete', 'complete', 'wal-missing', 'lost-parent', 'unfinished'])
      expect(column('window_lsn')).toEqual(['0/A000000', '0/A000000', '0/A000000', '-', '0/F000000', '-'])
      expect(namesIn((await waltz('backup-list', '--wal', '--status', 'wal-missing')).out)).toEqual([other])
    }))

  it('draws chains as trees', () =>
    withScene(async ({ waltz, full, first, second, other, orphan, unfinished }) => {
      const { out } = await waltz('backup-list', '--tree')
      const names = out
        .split('\n')
        .slice(1, -1)
        .map((line) => line.slice(0, line.search(/ +(20|-)/)))
      expect(names).toEqual([full, `└─ ${first}`, `   └─ ${second}`, other, orphan, unfinished])
      // What is chosen keeps what it hangs on.
      expect(namesIn((await waltz('backup-list', '--tree', '--name', second)).out)).toEqual([full, first, second])
      const tree = JSON.parse((await waltz('backup-list', '--tree', '--json')).out) as { backup_name: string; increments: unknown[] }[]
      expect(tree[0]).toMatchObject({
        backup_name: full,
        increments: [{ backup_name: first, increments: [{ backup_name: second, increments: [] }] }],
      })
    }))

  it('says the same to programs', () =>
    withScene(async ({ waltz, full, first }) => {
      const { out } = await waltz('backup-list', '--extended', '--wal', '--json')
      const list = JSON.parse(out) as Record<string, unknown>[]
      expect(list).toHaveLength(6)
      expect(list[1]).toMatchObject({
        backup_name: first,
        storage_name: 'default',
        status: 'complete',
        statuses: ['complete'],
        findings: [],
        wal_file_name: segment(6),
        start_time: '2026-03-02T10:00:00Z',
        start_lsn: 0x6000028,
        system_identifier: 77,
        is_permanent: false,
        type: 'increment',
        increment_depth: 1,
        parent: full,
        full,
        stored_objects: 2,
        uncompressed_size: 1006,
        needed_wal: { first: segment(6), last: segment(6) },
        missing_wal: [],
        windows: [{ timeline: 1, from_lsn: 0x60000f0, until_lsn: 0xa000000, ends_in_gap: true }],
      })
      expect(out).toContain('"user_data":{"n":12345678901234567890}')
      expect(list[4]).toMatchObject({ status: 'lost-parent', findings: [{ kind: 'lost-parent' }] })
    }))
})

describe('filters and orders of backup-list', () => {
  it('work in the plain form', () =>
    withScene(async ({ waltz, full, first, second, other, orphan, unfinished }) => {
      const list = async (...flags: readonly string[]): Promise<readonly string[]> => firstColumn(await waltz('backup-list', ...flags))
      expect(await list('--sort', 'start')).toEqual([other, full, orphan, first, second])
      expect(await list('--sort', 'name', '--reverse')).toEqual([full, first, second, other, orphan].toSorted().toReversed())
      expect(await list('--sort', 'restored', '--reverse')).toEqual([orphan, other, second, first, full])
      expect((await list('--sort', 'stored')).at(-1)).toBe(full)
      expect(await list('--reverse')).toEqual([orphan, other, second, first, full])
      expect(await list('--since', '2026-03-02')).toEqual([first, second])
      expect(await list('--since', '2026-03-02', '--until', '2026-03-03T10:00:00Z')).toEqual([first])
      expect(await list('--type', 'full')).toEqual([full, other])
      expect(await list('--permanent')).toEqual([full])
      expect(await list('--permanent=false', '--type=full')).toEqual([other])
      expect(await list('--name', '*_D_*4')).toEqual([first])
      expect(await list('--timeline', '1')).toHaveLength(5)
      expect(await list('--timeline', '2')).toEqual([])
      expect(await list('--status', 'unfinished,lost-parent')).toEqual([orphan])
      expect(await list('--extended', '--status', 'unfinished,lost-parent')).toEqual([orphan, unfinished])
    }))

  it('work in all forms of WAL-G, which stay what they are', () =>
    withScene(async ({ waltz, full, first }) => {
      for (const form of [[], ['--pretty'], ['--json'], ['--detail'], ['--detail', '--pretty'], ['--detail', '--json']]) {
        const plain = await waltz('backup-list', ...form)
        const filtered = await waltz('backup-list', ...form, '--name', '*')
        expect(filtered.out).toBe(plain.out)
        expect(
          namesIn(
            (await waltz('backup-list', ...form, '--until', '2026-03-02T10:00:01Z', '--since', '2026-03-01', '--name', `${full}*`)).out,
          ),
        ).toEqual([full])
      }
      const detail = JSON.parse((await waltz('backup-list', '--detail', '--json', '--name', first)).out) as unknown[]
      expect(detail).toMatchObject([{ backup_name: first, pg_version: 150020 }])
      expect((await waltz('backup-list', '--json', '--name', 'x')).out).toBe('[]\n')
      expect(await waltz('backup-list', '--extended', '--name', 'x')).toMatchObject({
        code: 0,
        out: '',
        err: expect.stringContaining('No backups found'),
      })
    }))

  it('refuse words that they do not know', () =>
    withScene(async ({ waltz }) => {
      for (const flags of [
        ['--sort', 'size'],
        ['--status', 'complete,old'],
        ['--type', 'delta'],
        ['--since', 'yesterday'],
        ['--timeline', '0'],
      ]) {
        const { code, out, err } = await waltz('backup-list', ...flags)
        expect([flags, code, out]).toEqual([flags, 2, ''])
        expect(err).toContain(`${flags[0]} does not take`)
      }
    }))
})

describe('backup-show', () => {
  it('shows all of one backup', () =>
    withScene(async ({ waltz, full, first, second }) => {
      const { code, out } = await waltz('backup-show', first)
      expect(code).toBe(0)
      for (const line of [
        `name: +${first}`,
        'status: +complete',
        'started: +2026-03-02T10:00:00Z',
        'start LSN: +0/6000028',
        'user data: +{"n":12345678901234567890}',
        `made from: +${full}`,
        `its increments: +${second}`,
        `WAL it needs: +${segment(6)}`,
        'of that missing: +none',
      ])
        expect(out).toMatch(new RegExp(`^${line.replaceAll('{', '\\{')}$`, 'm'))
      expect(out).not.toContain('rolls forward')
      expect((await waltz('backup-show', first, '--wal')).out).toMatch(
        /^rolls forward: +from 0\/60000F0 to 0\/A000000 on timeline 1, stored .*; then WAL is missing$/m,
      )
    }))

  it('shows what is wrong with one', () =>
    withScene(async ({ waltz, other, orphan, unfinished }) => {
      expect((await waltz('backup-show', other)).out).toMatch(new RegExp(`^of that missing: +${segment(11)}$`, 'm'))
      expect((await waltz('backup-show', orphan)).out).toContain('which is not there')
      const { out } = await waltz('backup-show', unfinished, '--json')
      expect(JSON.parse(out)).toMatchObject({ backup_name: unfinished, status: 'unfinished', start_time: null, stored_objects: 2 })
      expect(await waltz('backup-show', 'base_000000010000000000000099')).toMatchObject({ code: 74, out: '' })
    }))

  it('knows LATEST, and says the same to programs', () =>
    withScene(async ({ waltz, orphan, full, first, second }) => {
      expect(JSON.parse((await waltz('backup-show', 'LATEST', '--json')).out)).toMatchObject({ backup_name: orphan, ancestors: [] })
      expect(JSON.parse((await waltz('backup-show', second, '--json', '--wal', '--pretty')).out)).toMatchObject({
        ancestors: [first, full],
        increments: [],
        parts: { objects: 1, bytes: 50 },
        files_metadata: null,
        windows: [{ until_lsn: 0xa000000 }],
      })
    }))

  it('lists files that match, as they are stored', () =>
    withScene(async ({ waltz, full, first }) => {
      const { code, out } = await waltz('backup-show', full, '--files', '/base/*/1259')
      expect([code, out]).toEqual([0, '2026-03-01T09:00:00Z whole     0 /base/1/1259\n2026-03-01T09:00:00Z whole     0 /base/2/1259\n'])
      expect((await waltz('backup-show', full, '--files', '1261')).out).toContain('increment 0 /base/1/1261\n')
      const json = await waltz('backup-show', full, '--files', '**', '--json')
      expect((JSON.parse(json.out) as { name: string }[]).map(({ name }) => name)).toEqual([
        '/base/1/1259',
        '/base/1/1261',
        '/base/2/1259',
        '/global/1',
      ])
      expect((await waltz('backup-show', full, '--files', 'nothing', '--json')).out).toBe('[]\n')
      expect(await waltz('backup-show', first, '--files', '*')).toMatchObject({
        out: '',
        err: expect.stringContaining('has no list of files'),
      })
      expect((await waltz('backup-show', full, '--files', '[')).code).toBe(2)
    }))
})

describe('a pattern for files', () => {
  it.each([
    ['/base/*', '/base/1', true],
    ['/base/*', '/base/1/2', false],
    ['base/**', '/base/1/2', true],
    ['/base/**', 'base', true],
    ['**/12*', './base/1/1259', true],
    ['12??', '/base/1/1259', true],
    ['12??', '/1259/x', false],
    ['/12??', '/base/1259', false],
    ['/a/**/z', '/a/z', true],
    ['/a/**/z', '/a/b/c/z', true],
  ])('%s and %s: %s', (pattern, name, expected) => {
    expect(compileFilePattern(pattern)(name)).toBe(expected)
  })
})

describe('garbage', () => {
  it('lists what is of no use with reasons, and changes nothing', () =>
    withScene(async ({ waltz, orphan, unfinished }) => {
      const { code, out, err } = await waltz('garbage')
      expect(code).toBe(0)
      const kinds = out
        .split('\n')
        .slice(1, -1)
        .map((line) => line.split(/ +/).slice(0, 3).join(' '))
      expect(kinds).toEqual(['increment-without-parent yes 3', 'unfinished-backup yes 2', 'wal-before-first-backup yes 3'])
      expect(out).toContain(`basebackups_005/${unfinished}/`)
      expect(err).toContain('8 objects')
      const report = JSON.parse((await waltz('garbage', '--json')).out) as { findings: Record<string, unknown>[]; warnings: string[] }
      expect(report.warnings).toEqual([])
      expect(report.findings[0]).toMatchObject({
        kind: 'increment-without-parent',
        backup_name: orphan,
        objects: 3,
        removable: true,
        storage_name: 'default',
      })
      expect(report.findings[2]).toMatchObject({ timeline: 1, where: `wal_005/${segment(1)}.lz4 to ${segment(3)}.lz4`, bytes: 3 })
      expect((await waltz('garbage', '--without-wal')).out).not.toContain('wal-before')
      expect((await waltz('garbage')).out).toBe(out)
    }))
})

describe('backup-mark', () => {
  it('tells programs what was marked', () =>
    withScene(async ({ waltz, full, first }) => {
      const { code, out } = await waltz('backup-mark', first, '--json')
      expect([code, JSON.parse(out)]).toEqual([
        0,
        {
          permanent: true,
          backups: [
            { backup_name: full, storage: 'default', changed: false },
            { backup_name: first, storage: 'default', changed: true },
          ],
          silent: [],
        },
      ])
      const again = await waltz('backup-mark', first)
      expect(again).toMatchObject({ code: 0, out: '', err: expect.stringContaining('already marked as permanent') })
      const refused = await waltz('backup-mark', '-i', full)
      expect(refused).toMatchObject({ code: 21, out: '', err: expect.stringContaining(first) })
    }))
})
