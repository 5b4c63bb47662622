import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { run } from '../../src/index.ts'
import { createFakeIo } from '../fake-io.ts'

interface Recorded {
  readonly settings: Readonly<Record<string, string>>
  readonly objects: readonly (readonly [key: string, modifiedAt: string, text?: string])[]
  readonly commands: readonly RecordedCommand[]
}

interface RecordedCommand {
  readonly id: number
  readonly args: readonly string[]
  readonly dryRun: number
  readonly confirm: number
  readonly removed: string
  readonly walSize?: string
}

const recorded = JSON.parse(readFileSync(new URL('../fixtures/retention/delete-commands.json', import.meta.url), 'utf8')) as Recorded
const keys = recorded.objects.map(([key]) => key)
/** After everything was stored, and before this machine's clock, by which notes and leases are stored. */
const NOW = new Date('2026-11-21T04:00:00Z')
/** Nothing of it can still be under way. */
const ENDED = { WALTZ_UNFINISHED_BACKUP_AGE: '1h' }

/** Where Waltz does otherwise, and which fault of WAL-G's that avoids. */
interface Difference {
  readonly fault: string
  readonly applies: (command: RecordedCommand) => boolean
  /** Objects that Waltz removes and WAL-G left. */
  readonly more?: readonly RegExp[]
  /** Only where WAL-G removed this one. */
  readonly with?: string
  /** Objects that WAL-G removed and Waltz leaves; `all` when Waltz refuses the command. */
  readonly fewer?: readonly RegExp[] | 'all'
}

const of =
  (...words: readonly string[]) =>
  ({ args }: RecordedCommand): boolean =>
    words.every((word, index) => args[index] === word)
const hasWord =
  (word: string) =>
  ({ args }: RecordedCommand): boolean =>
    args.includes(word)

const BULK = /^wal_005\/00000001000000000000000\.json$/
const ATTEMPT_IN_FRONT = /^basebackups_005\/base_000000010000000000000001\//
const ATTEMPT_BEHIND = /^basebackups_005\/base_0000000100000000000000F0\//
const CATCHUP = /^catchup_005\//
const PERMANENT = ['14', '16', '18', '1A'].map((digits) => `0000000100000000000000${digits}`)

const differences: readonly Difference[] = [
  {
    fault: 'metadata of sixteen segments has no 24 digits in its name, so it is never removed, however old (CMD 5.3)',
    applies: ({ args }) => ['retain', 'before'].includes(args[0] ?? ''),
    more: [BULK],
    with: 'wal_005/00000001000000000000000F.zst',
  },
  {
    fault: 'remains of failed attempts behind the oldest backup are never collected (ENG 7.6)',
    applies: (command) => of('garbage')(command) && !hasWord('ARCHIVES')(command),
    more: [ATTEMPT_BEHIND],
  },
  {
    fault: 'ordered by time, only finished backups have a place: what failed attempts left and old backups for standbys stay (CMD 5.2)',
    applies: (command) => hasWord('--use-sentinel-time')(command) && /^(retain|before)$/.test(command.args[0] ?? ''),
    more: [ATTEMPT_IN_FRONT, CATCHUP],
  },
  {
    fault: 'any unknown word means FIND_FULL: a typing mistake deletes backups (CMD 13, 8)',
    applies: of('retain', 'BOGUS'),
    fewer: 'all',
  },
  {
    fault: 'delete target removes permanent backups, because it looks for them under another path (CMD 13, 1)',
    applies: ({ args }) => args[0] === 'target' && PERMANENT.some((segment) => args.at(-1)?.startsWith(`base_${segment}`)),
    fewer: 'all',
  },
  {
    fault: 'everything removes objects that belong to no repository (CMD 13, 4)',
    applies: of('everything', 'FORCE'),
    fewer: [/^wal_005\/notes\.txt$/],
  },
  {
    fault: 'a wrong size of WAL segments names wrong WAL of permanent backups: theirs is removed, other is kept (CMD 5.1)',
    applies: ({ walSize }) => walSize !== undefined,
    fewer: PERMANENT.map((segment) => new RegExp(`^wal_005/${segment}\\.`)),
    more: [/^wal_005\/000000010000000000000001\./],
  },
]

const base = realpathSync(mkdtempSync(join(tmpdir(), 'waltz-delete-replay-')))
afterAll(() => rmSync(base, { recursive: true, force: true }))

function freshCopy(name: string): string {
  const root = join(base, name)
  for (const [key, modifiedAt, text = ''] of recorded.objects) {
    const path = join(root, key)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
    const seconds = Date.parse(modifiedAt.slice(0, 19) + 'Z') / 1000 + Number(`0${modifiedAt.slice(19, -1)}`)
    utimesSync(path, seconds, seconds)
  }
  return root
}

const untouched = freshCopy('untouched')

async function waltz(
  root: string,
  args: readonly string[],
  command: RecordedCommand,
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  using io = createFakeIo({ now: () => NOW })
  const size = command.walSize === undefined ? recorded.settings : { ...recorded.settings, WALG_PG_WAL_SIZE: '16' }
  Object.assign(io.env, { ...size, ...ENDED, WALG_FILE_PREFIX: root, TZ: 'UTC', TMPDIR: base })
  const code = await run(['delete', ...args], io)
  return { code, out: io.out(), err: io.err() }
}

function missing(root: string): readonly string[] {
  return keys.filter((key) => !existsSync(join(root, key)))
}

function listed(ranges: string): readonly string[] {
  if (ranges === '') return []
  return ranges.split(',').flatMap((range) => {
    const [from = 0, to = from] = range.split('-').map(Number)
    return keys.slice(from, to + 1)
  })
}

/** What is expected of Waltz: what WAL-G did, with the differences that are listed. */
function expected(
  command: RecordedCommand,
  among: readonly Difference[] = differences,
): { readonly removed: readonly string[]; readonly refuses: boolean } {
  const removed = new Set(listed(command.removed))
  let refuses = command.confirm !== 0
  for (const { fewer, more, applies, with: companion } of among) {
    if (!applies(command) || command.confirm !== 0) continue
    if (fewer === 'all') refuses = true
    else for (const key of keys) if (fewer?.some((pattern) => pattern.test(key)) === true) removed.delete(key)
    // Where WAL-G removes nothing because there are not more backups than asked for, nothing is old.
    if (removed.size > 0 && (companion === undefined || removed.has(companion)))
      for (const key of keys) if (more?.some((pattern) => pattern.test(key)) === true) removed.add(key)
  }
  return { removed: refuses ? [] : keys.filter((key) => removed.has(key)), refuses }
}

describe(`${recorded.commands.length} commands as WAL-G carried them out`, () => {
  it.each(recorded.commands.map((command) => [command.id, command.args.join(' '), command] as const))(
    '%i: delete %s',
    async (id, _, command) => {
      const want = expected(command)
      const dry = await waltz(untouched, command.args, command)
      expect([dry.err, missing(untouched)]).toEqual([dry.err, []])
      expect([dry.err, dry.code !== 0]).toEqual([dry.err, want.refuses])
      const root = want.removed.length > 0 ? freshCopy(String(id)) : untouched
      const done = await waltz(root, [...command.args, '--confirm'], command)
      expect({ err: done.err, removed: missing(root) }).toEqual({ err: done.err, removed: want.removed })
      expect([done.err, done.code !== 0]).toEqual([done.err, want.refuses])
      expect(existsSync(join(root, 'waltz')) ? readdirSync(join(root, 'waltz')) : []).toEqual([])
      if (root !== untouched) rmSync(root, { recursive: true, force: true })
    },
  )

  it('every difference that is listed is one', () => {
    for (const difference of differences) {
      const others = differences.filter((one) => one !== difference)
      const changed = recorded.commands.filter((command) => JSON.stringify(expected(command)) !== JSON.stringify(expected(command, others)))
      expect(changed.length, difference.fault).toBeGreaterThan(0)
    }
  })
})
