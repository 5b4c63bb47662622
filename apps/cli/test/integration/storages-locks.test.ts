import { createHash } from 'node:crypto'
import { sourceOf } from '@waltz/bytes'
import { kitSettings, openBackupKit } from '@waltz/backup-kit'
import { s3Environment, sharedServer, signedS3Request, temporaryFolder, type StorageEnvironment } from '@waltz/testkit'
import { describe, expect, it } from 'vitest'
import type { Ended } from '../run-in-folder.ts'
import { keysOn, runOn } from './run-on-storage.ts'

const radosgw = await sharedServer('radosgw')
const work = temporaryFolder()
const [OLD, NEW] = ['base_000000010000000000000002', 'base_000000010000000000000004']
const LOCKS = { S3_RETENTION_PERIOD: '86400', S3_RETENTION_MODE: 'GOVERNANCE' }

/** A repository in a bucket whose objects can be locked. */
async function lockable(): Promise<StorageEnvironment> {
  const plain = await s3Environment(radosgw.server)
  return { ...plain, WALG_S3_PREFIX: `s3://${await radosgw.server.createBucket({ objectLock: true })}/repository` }
}

async function put(environment: StorageEnvironment, objects: Readonly<Record<string, string>>): Promise<void> {
  const around = { now: () => new Date(), hostname: 'db1', user: 'postgres', processId: 1, cores: 2, temporaryFolder: work.path }
  await using kit = await openBackupKit(kitSettings(environment), around)
  for (const [key, text] of Object.entries(objects)) await kit.store.put(key, sourceOf(text))
}

const sentinelOf = (name: string): Record<string, string> => ({ [`basebackups_005/${name}_backup_stop_sentinel.json`]: sentinelText(name) })

function sentinelText(name: string): string {
  const lsn = Number.parseInt(name.slice(-8), 16) * 16 * 1_048_576 + 40
  return JSON.stringify({ LSN: lsn, FinishLSN: lsn + 300, PgVersion: 150_020, Version: 2 })
}

function restOf(name: string, minute: number): Record<string, string> {
  const lsn = Number.parseInt(name.slice(-8), 16) * 16 * 1_048_576 + 40
  const time = `2026-03-01T00:0${minute}:00Z`
  const metadata = { start_time: time, finish_time: time, start_lsn: lsn, finish_lsn: lsn + 300, is_permanent: false, system_identifier: 7 }
  return {
    [`basebackups_005/${name}/tar_partitions/part_001.tar.lz4`]: 'data',
    [`basebackups_005/${name}/metadata.json`]: JSON.stringify(metadata),
    [`wal_005/${name.slice(5)}.lz4`]: 'segment',
  }
}

function waltz(environment: StorageEnvironment, ...argv: readonly string[]): Promise<Ended> {
  return runOn({ ...environment, TMPDIR: work.path }, argv)
}

describe.skipIf(radosgw.missing !== undefined)(`delete where objects are locked, on ${radosgw.title}`, () => {
  it('says until when, and leaves the backup whole whose sentinel stays', async () => {
    const settings = await lockable()
    await put({ ...settings, ...LOCKS }, sentinelOf(OLD))
    await put(settings, { ...restOf(OLD, 1), ...restOf(NEW, 2), ...sentinelOf(NEW) })
    const before = await keysOn(settings)
    const tomorrow = new Date(Date.now() + 86_400_000).toISOString().slice(0, 13)

    const shown = await waltz(settings, 'delete', 'retain', '1', '--confirm')
    expect([shown.code, shown.err]).toEqual([22, expect.stringContaining('REMOVAL_INCOMPLETE')])
    expect(shown.err).toMatch(
      new RegExp(`1 object could not be deleted, and 3 were not tried[^]*hint: the last of the locks ends at ${tomorrow}`),
    )
    expect(shown.out).toMatch(/^stays +storage +locked until +why$/m)
    expect(shown.out).toMatch(new RegExp(`^basebackups_005/${OLD}_backup_stop_sentinel.json +default +${tomorrow}`, 'm'))
    expect(shown.out).toContain(`1 object is locked; the last of the locks ends at ${tomorrow}`)
    expect((await keysOn(settings)).filter((key) => !key.startsWith('waltz/'))).toEqual(before)

    const told = await waltz(settings, 'delete', 'retain', '1', '--confirm', '--json')
    expect(JSON.parse(told.out)).toMatchObject({
      result: {
        failed: 1,
        locked: { objects: 1, until: expect.stringContaining(tomorrow) },
        failures: [{ code: 'STORAGE_RETENTION_LOCKED', locked_until: expect.stringContaining(tomorrow), held: false }],
      },
    })
  })

  it('does not lock its own notes', async () => {
    const settings = await lockable()
    await put(settings, { ...restOf(OLD, 1), ...sentinelOf(OLD), ...restOf(NEW, 2), ...sentinelOf(NEW) })
    const done = await waltz({ ...settings, ...LOCKS }, 'delete', 'retain', '1', '--confirm')
    expect([done.err, done.code]).toEqual([done.err, 0])
    expect((await keysOn(settings)).filter((key) => !key.includes(NEW.slice(5)))).toEqual([])
  })

  it('ends well where the bucket locks them: the next deletion takes none of them for work to do', async () => {
    const settings = await lockable()
    await put(settings, { ...restOf(OLD, 1), ...sentinelOf(OLD), ...restOf(NEW, 2), ...sentinelOf(NEW) })
    const bucket = /^s3:\/\/([^/]+)/.exec(settings['WALG_S3_PREFIX'] ?? '')?.[1] ?? ''
    const rule = '<Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule>'
    const body = `<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>${rule}</ObjectLockConfiguration>`
    const headers = { 'content-md5': createHash('md5').update(body).digest('base64') }
    await signedS3Request(radosgw.server, { method: 'PUT', path: `/${bucket}`, query: { 'object-lock': '' }, headers, body })
    const first = await waltz(settings, 'delete', 'retain', '1', '--confirm')
    expect([first.err, first.code]).toEqual([first.err, 0])
    const left = await keysOn(settings)
    expect(left.filter((key) => key.includes(OLD.slice(5)))).toEqual([])
    expect(left.filter((key) => key.startsWith('waltz/deletions/'))).toHaveLength(2)
    const second = await waltz(settings, 'delete', 'retain', '1', '--confirm')
    expect([second.err, second.code]).toEqual([second.err, 0])
    expect(second.out).toMatch(/^nothing to delete/m)
  })
})
