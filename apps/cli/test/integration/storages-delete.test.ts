import { mkdirSync, readFileSync } from 'node:fs'
import { sourceOf } from '@waltz/bytes'
import { kitSettings, openBackupKit } from '@waltz/backup-kit'
import { s3Environment, sharedServer, signedS3Request, temporaryFolder, type StorageEnvironment } from '@waltz/testkit'
import { describe, expect, it } from 'vitest'
import type { Ended } from '../run-in-folder.ts'
import { keysOn, runOn } from './run-on-storage.ts'

interface Recorded {
  readonly objects: readonly (readonly [key: string, modifiedAt: string, text?: string])[]
  readonly commands: readonly { readonly args: readonly string[]; readonly removed: string }[]
}

const recorded = JSON.parse(readFileSync(new URL('../fixtures/retention/delete-commands.json', import.meta.url), 'utf8')) as Recorded
const allKeys = recorded.objects.map(([key]) => key)
/** What failed attempts left would count as being written here, where everything is new. */
const isAttempt = (key: string): boolean => /base_0000000100000000000000(01|F0)\//.test(key)
const stored = recorded.objects.filter(([key]) => !isAttempt(key))

const radosgw = await sharedServer('radosgw')
const work = temporaryFolder()
const kinds = [
  { name: 'file', missing: undefined, environment: async () => ({ WALG_FILE_PREFIX: folder() }) },
  { name: 's3', missing: radosgw.missing, environment: () => s3Environment(radosgw.server) },
]

let folders = 0
function folder(): string {
  const path = work.join(`repository-${(folders += 1)}`)
  mkdirSync(path)
  return path
}

async function filled(environment: StorageEnvironment): Promise<void> {
  await using kit = await openBackupKit(kitSettings(environment), {
    now: () => new Date(),
    hostname: 'db1',
    user: 'postgres',
    processId: 1,
    cores: 2,
    temporaryFolder: work.path,
  })
  // In the order in which they were stored: the newest sentinel is the latest backup.
  const inOrder = stored.toSorted(([, left], [, right]) => (left < right ? -1 : 1))
  const sentinels = inOrder.filter(([key]) => key.includes('_backup_stop_sentinel'))
  const put = async ([key, , text = '']: (typeof stored)[number]): Promise<void> => void (await kit.store.put(key, sourceOf(text)))
  const others = inOrder.filter((one) => !sentinels.includes(one)).values()
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (const one of others) await put(one)
    }),
  )
  for (const one of sentinels) await put(one)
}

function waltz(environment: StorageEnvironment, ...argv: readonly string[]): Promise<Ended> {
  return runOn({ ...environment, TMPDIR: work.path }, argv)
}

function removedByWalG(args: readonly string[]): ReadonlySet<string> {
  const ranges = recorded.commands.find((command) => command.args.join(' ') === args.join(' '))?.removed ?? ''
  return new Set(
    ranges.split(',').flatMap((range) => {
      const [from = 0, to = from] = range.split('-').map(Number)
      return allKeys.slice(from, to + 1)
    }),
  )
}

const BULK = 'wal_005/00000001000000000000000.json'
const modes: readonly { readonly args: readonly string[]; readonly also?: string; readonly stays?: string }[] = [
  { args: ['retain', 'FULL', '2'], also: BULK },
  { args: ['before', 'base_00000001000000000000001C'], also: BULK },
  { args: ['target', 'FIND_FULL', 'base_000000010000000000000020_D_00000001000000000000001E'] },
  { args: ['garbage'] },
  { args: ['everything', 'FORCE'], stays: 'wal_005/notes.txt' },
]

describe.each(kinds)('delete in $name', ({ missing, environment }) => {
  it.skipIf(missing !== undefined).each(modes)('$args removes what WAL-G removed', async ({ args, also, stays }) => {
    const settings = await environment()
    await filled(settings)
    const before = await keysOn(settings)
    const dry = await waltz(settings, 'delete', ...args, '--json')
    expect([dry.err, dry.code]).toEqual([dry.err, 0])
    const { plan, deletes } = JSON.parse(dry.out) as {
      readonly plan: string
      readonly deletes: { readonly total: { readonly objects: number } }
    }
    expect(await keysOn(settings)).toEqual(before)
    const done = await waltz(settings, 'delete', ...args, '--plan', plan)
    expect([done.err, done.code]).toEqual([done.err, 0])
    const gone = removedByWalG(args)
    const left = before.filter((key) => key === stays || (!gone.has(key) && key !== also))
    expect(await keysOn(settings)).toEqual(left)
    expect(deletes.total.objects).toBe(before.length - left.length)
  })
})

it.skipIf(radosgw.missing !== undefined)('leaves no versions behind in a bucket that keeps them', async () => {
  const settings = await s3Environment(radosgw.server)
  const bucket = /^s3:\/\/([^/]+)/.exec(settings['WALG_S3_PREFIX'] ?? '')?.[1] ?? ''
  const body = '<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Enabled</Status></VersioningConfiguration>'
  await signedS3Request(radosgw.server, { method: 'PUT', path: `/${bucket}`, query: { versioning: '' }, body })
  await filled(settings)
  await filled(settings)
  // Another program deletes without naming versions, and leaves markers in front of them.
  const segment = 'wal_005/00000001000000000000001F.zst'
  expect((await waltz({ ...settings, WALTZ_S3_KEEP_VERSIONS: 'true' }, 'st', 'rm', segment)).code).toBe(0)
  const { out } = await waltz(settings, 'garbage', '--versions', '--json')
  const { findings } = JSON.parse(out) as { readonly findings: readonly { readonly kind: string }[] }
  expect(findings.filter(({ kind }) => kind.endsWith('-versions'))).toMatchObject([
    { kind: 'replaced-versions', removable: false },
    { kind: 'replaced-versions', removable: false },
    { kind: 'deleted-versions', objects: 3, removable: false, where: `${segment} and others` },
    { kind: 'replaced-versions', removable: false },
  ])
  expect((await waltz(settings, 'garbage', '--json')).out).not.toContain('-versions')
  expect((await waltz(settings, 'delete', 'everything', 'FORCE', '--confirm')).code).toBe(0)
  const versions = async (): Promise<readonly string[]> => {
    const listed = await waltz(settings, 'st', 'ls', '-r', '--all-versions', '--json')
    return (JSON.parse(listed.out) as readonly { readonly name: string }[]).map(({ name }) => name)
  }
  // A deletion removes what it sees in a listing, and that whole; what others hid is for whoever asks for it.
  const notes = ['wal_005/notes.txt', 'wal_005/notes.txt']
  expect(await versions()).toEqual([segment, segment, segment, ...notes])
  expect((await waltz(settings, 'st', 'rm', '--all-versions', segment)).code).toBe(0)
  expect(await versions()).toEqual(notes)
})
