import { mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { createHash } from 'node:crypto'
import { readAll, sourceOf } from '@waltz/bytes'
import { Fault } from '@waltz/errors'
import { encodeManifest, manifestKey, partKey, type BackupManifest } from '@waltz/repository'
import { createObjectBody, type ObjectStore } from '@waltz/storage'
import { createMemoryStore } from '@waltz/storage/memory'
import { beforeAll, describe, expect, it } from 'vitest'
import { planRestore, restoreBackup } from '../src/restore/restore-backup.ts'
import { markerName } from '../src/restore/marker.ts'
import { parseRecoveryFlags } from '../src/restore/recovery-target.ts'
import type { RestorePlan, RestoreRequest } from '../src/restore/restore-options.ts'
import { expectedLines, now, openRepository, quick, requestFor, restoreFrom, scratch, sealedFormat, treeLines } from './restore-support.ts'

const backup = 'base_000000010000000000000013'
const fixture = new URL('fixtures/odd-files', import.meta.url).pathname
const expected = expectedLines(join(fixture, 'files.tsv'))
const objects = new Map<string, Uint8Array>()

beforeAll(async () => {
  for await (const { key } of openRepository(join(fixture, 'repo')).list('')) objects.set(key, readFileSync(join(fixture, 'repo', key)))
})

/** The fixture in memory, changed. */
async function repositoryWith(change: (objects: Map<string, Uint8Array>) => void = () => undefined): Promise<ObjectStore> {
  const store = createMemoryStore({ now })
  const changed = new Map(objects)
  change(changed)
  for (const [key, bytes] of changed) await store.put(key, sourceOf(bytes))
  return store
}

const part = (name: string): string => partKey(backup, name)
const dataPart = part('part_001.tar.zst')
const filesMetadata = `basebackups_005/${backup}/files_metadata.json`
const sentinel = `basebackups_005/${backup}_backup_stop_sentinel.json`
const edit = (key: string, change: (text: string) => string) => (all: Map<string, Uint8Array>) =>
  all.set(key, Buffer.from(change(Buffer.from(all.get(key) ?? '').toString('utf8'))))
const flip = (key: string, at: number) => (all: Map<string, Uint8Array>) => {
  const bytes = Buffer.from(all.get(key) ?? '')
  bytes[at] = (bytes[at] ?? 0) ^ 0x10
  all.set(key, bytes)
}
const manifestFor = (all: ReadonlyMap<string, Uint8Array>, change: Partial<BackupManifest> = {}): Uint8Array => {
  const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
  const parts = [...all]
    .filter(([key]) => key.includes('/tar_partitions/'))
    .map(([key, bytes]) => ({ name: key.slice(key.lastIndexOf('/') + 1), size: bytes.length, sha256: sha256(bytes), payloadBytes: 1 }))
  const list = all.get(filesMetadata) ?? new Uint8Array(0)
  return encodeManifest({
    backup,
    parts,
    filesMetadata: { size: list.length, sha256: sha256(list) },
    links: [{ path: 'postgresql.conf', target: '/etc/postgresql.conf' }],
    skipped: [],
    warnings: ['something the backup said'],
    walPending: [],
    tool: { name: 'waltz', version: 'test' },
    ...change,
  })
}

describe('a whole backup', () => {
  it('restores exactly, with the marker gone', async () => {
    using work = scratch()
    const target = join(work.path, 'data')
    const result = await restoreFrom(await repositoryWith(), target)
    expect(treeLines(target)).toEqual(expected)
    expect(result).toMatchObject({ startedOver: false, synced: 'skipped', retriedParts: 0, vanished: { count: 0 } })
    expect(result.plan.wal).toMatchObject({ firstSegment: '000000010000000000000013', segments: 1, missing: { count: 1 } })
    expect(result.warnings).toEqual([expect.stringContaining('1 of the 1 WAL segments')])
  })

  it('is the same when syncing, into an empty folder, with the names spooled', async () => {
    using work = scratch()
    const target = join(work.path, 'data')
    mkdirSync(target)
    const request = await requestFor(await repositoryWith(), target, { maxNamesInMemory: 64 })
    const result = await restoreBackup(request, { ...quick, sync: true })
    expect(treeLines(target)).toEqual(expected)
    expect(['file systems', 'files']).toContain(result.synced)
  })

  it('checks everything against the manifest when there is one', async () => {
    using work = scratch()
    const store = await repositoryWith((all) => all.set(manifestKey(backup), manifestFor(all)))
    const result = await restoreFrom(store, join(work.path, 'data'))
    expect(result.recordedLinks).toEqual([{ path: 'postgresql.conf', target: '/etc/postgresql.conf' }])
    expect(result.warnings).toContain('something the backup said')
  })

  it('leaves parts out that are not of this backup', async () => {
    using work = scratch()
    const target = join(work.path, 'data')
    const store = await repositoryWith((all) => all.set(part('part_002.tar.zst'), Buffer.from('left behind')))
    const result = await restoreFrom(store, target)
    expect(treeLines(target)).toEqual(expected)
    expect(result.warnings).toContain(`${part('part_002.tar.zst')} does not belong to this backup and was left out`)
  })

  it('reads numbers beyond 2^53 exactly', async () => {
    using work = scratch()
    const plan = await planRestore(await requestFor(await repositoryWith(), join(work.path, 'data')))
    expect(plan.backup.systemIdentifier).toBeGreaterThan(2n ** 53n)
    const wrong = (plan.backup.systemIdentifier + 1n).toString()
    const store = await repositoryWith(edit(sentinel, (text) => text.replace(/"SystemIdentifier":\d+/, `"SystemIdentifier":${wrong}`)))
    await expect(restoreFrom(store, join(work.path, 'data'))).rejects.toMatchObject({ code: 'BACKUP_CONTROL_MISMATCH' })
  })
})

describe('a damaged backup', () => {
  const damages: readonly (readonly [string, (all: Map<string, Uint8Array>) => void, string, string])[] = [
    ['a missing data part', (all) => all.delete(dataPart), 'corrupt', 'BACKUP_PART_MISSING'],
    ['a missing control part', (all) => all.delete(part('pg_control.tar.zst')), 'corrupt', 'BACKUP_PART_MISSING'],
    ['a missing label part', (all) => all.delete(part('backup_label.tar.zst')), 'corrupt', 'BACKUP_PART_MISSING'],
    ['no file list', (all) => all.delete(filesMetadata), 'corrupt', 'BACKUP_FILE_LIST_MISSING'],
    ['a cut file list', edit(filesMetadata, (text) => text.slice(0, -10)), 'corrupt', 'JSON_TRUNCATED'],
    [
      'a file list with increments',
      edit(filesMetadata, (text) => text.replace('"IsIncremented":false', '"IsIncremented":true')),
      'corrupt',
      'BACKUP_FILE_LIST_INVALID',
    ],
    ['a sentinel that is not JSON', edit(sentinel, () => 'not json'), 'corrupt', 'JSON_INVALID'],
    [
      'an increment',
      edit(sentinel, (text) => text.replace('{', '{"DeltaLSN":1,"DeltaFrom":"base_X","DeltaFullName":"base_X","DeltaCount":1,')),
      'unsupported',
      'BACKUP_INCREMENTAL',
    ],
    [
      'the label of another backup',
      edit(sentinel, (text) => text.replace(/"LSN":\d+/, '"LSN":19922945')),
      'corrupt',
      'BACKUP_LABEL_MISMATCH',
    ],
    [
      'a part of an unknown codec',
      (all) => all.set(part('part_009.tar.xyz'), new Uint8Array(9)),
      'unsupported',
      'OBJECT_EXTENSION_UNKNOWN',
    ],
    [
      'a manifest that knows another size',
      (all) => {
        const bytes = manifestFor(all)
        all.set(dataPart, (all.get(dataPart) ?? new Uint8Array(0)).slice(1))
        all.set(manifestKey(backup), bytes)
      },
      'corrupt',
      'BACKUP_PART_DAMAGED',
    ],
    [
      'a manifest that knows another part',
      (all) => {
        const bytes = manifestFor(new Map([...all, [part('part_007.tar.zst'), new Uint8Array(1)]]))
        all.set(manifestKey(backup), bytes)
      },
      'corrupt',
      'BACKUP_PART_MISSING',
    ],
    [
      'a file list that is not the stored one',
      (all) => {
        const bytes = manifestFor(all)
        edit(filesMetadata, (text) => `${text} `)(all)
        all.set(manifestKey(backup), bytes)
      },
      'corrupt',
      'BACKUP_FILE_LIST_INVALID',
    ],
  ]

  it.each(damages)('%s is told before anything can start', async (_, damage, kind, code) => {
    using work = scratch()
    const target = join(work.path, 'data')
    await expect(restoreFrom(await repositoryWith(damage), target)).rejects.toMatchObject({ kind, code })
    expect(existsSync(join(target, 'global/pg_control'))).toBe(false)
  })

  it.each([0.1, 0.5, 0.999])('a data part cut at %d of its length is told and leaves nothing startable', async (share) => {
    using work = scratch()
    const target = join(work.path, 'data')
    const store = await repositoryWith((all) => {
      const bytes = all.get(dataPart) ?? new Uint8Array(0)
      all.set(dataPart, bytes.slice(0, Math.floor(bytes.length * share)))
    })
    await expect(restoreFrom(store, target)).rejects.toMatchObject({
      kind: 'corrupt',
      message: expect.stringContaining('part_001.tar.zst'),
    })
    expect(existsSync(join(target, 'global/pg_control'))).toBe(false)
    expect(existsSync(join(target, markerName))).toBe(true)
  })

  it.each([100, 5000, 200_000, 460_000])('a byte flipped at %d of a data part is told', async (at) => {
    using work = scratch()
    const target = join(work.path, 'data')
    await expect(restoreFrom(await repositoryWith(flip(dataPart, at)), target)).rejects.toMatchObject({ kind: 'corrupt' })
    expect(existsSync(join(target, 'global/pg_control'))).toBe(false)
  })

  it('a byte flipped in a part without a checksum is told when the manifest knows better', async () => {
    using work = scratch()
    const store = await plainRepository()
    const key = part('part_001.tar')
    const bytes = await bytesOf(store, key)
    const all = new Map([...objects].filter(([name]) => !name.includes('/tar_partitions/')))
    for (const name of ['part_001.tar', 'pg_control.tar', 'backup_label.tar']) all.set(part(name), await bytesOf(store, part(name)))
    await store.put(manifestKey(backup), sourceOf(manifestFor(all)))
    const changed = Buffer.from(bytes)
    const at = bytes.length - 9000
    changed[at] = (changed[at] ?? 0) ^ 1
    await store.put(key, sourceOf(changed))
    await expect(restoreFrom(store, join(work.path, 'data'))).rejects.toMatchObject({ kind: 'corrupt', code: 'BACKUP_PART_DAMAGED' })
  })

  it('an uncompressed part cut between two members lacks files, and that is told', async () => {
    using work = scratch()
    const store = await plainRepository()
    const key = part('part_001.tar')
    const bytes = await bytesOf(store, key)
    const cut = Buffer.from(bytes.slice(0, lastMemberStart(bytes)))
    await store.put(key, sourceOf(cut))
    await expect(restoreFrom(store, join(work.path, 'data'))).rejects.toMatchObject({ kind: 'corrupt', code: 'BACKUP_PART_DAMAGED' })
    await store.put(key, sourceOf(Buffer.concat([cut, Buffer.alloc(1024)])))
    await expect(restoreFrom(store, join(work.path, 'data'))).rejects.toMatchObject({
      kind: 'corrupt',
      code: 'RESTORE_FILES_MISSING',
      context: { missing: 1 },
    })
  })
})

async function bytesOf(store: ObjectStore, key: string): Promise<Uint8Array> {
  return await readAll(await store.get(key), 1 << 26)
}

/** The fixture with its parts decompressed. */
async function plainRepository(): Promise<ObjectStore> {
  const sealed = await sealedFormat()
  const store = await repositoryWith((all) => {
    for (const key of all.keys()) if (key.endsWith('.zst')) all.delete(key)
  })
  for (const [key, bytes] of objects) if (key.endsWith('.zst')) await store.put(key.slice(0, -4), await sealed.open(key, sourceOf(bytes)))
  return store
}

/** Where the header of the last member of a tar begins. */
function lastMemberStart(tar: Uint8Array): number {
  const text = Buffer.from(tar)
  let at = 0
  for (let next = 0; text[next] !== 0;) {
    const size = Number.parseInt(text.toString('latin1', next + 124, next + 135), 8)
    if (text[next + 156] !== 0x78) at = next
    next += 512 + Math.ceil(size / 512) * 512
  }
  return at
}

describe('a failing store', () => {
  it('is asked again, and the part is written anew', async () => {
    using work = scratch()
    const target = join(work.path, 'data')
    let failures = 2
    const store = await repositoryWith()
    const flaky: ObjectStore = {
      ...store,
      get: async (key, options) => {
        const body = await store.get(key, options)
        if (key !== dataPart || failures-- <= 0) return body
        const broken = async function* (): AsyncGenerator<Uint8Array> {
          yield (objects.get(dataPart) ?? new Uint8Array(0)).slice(0, 300_000)
          throw new Fault('unavailable', 'STORAGE_GONE', 'the connection broke')
        }
        return createObjectBody({ info: body.info, read: broken, close: async () => await body[Symbol.asyncDispose]() })
      },
    }
    const pauses: number[] = []
    const retries: string[] = []
    const result = await restoreBackup(await requestFor(flaky, target), {
      ...quick,
      sleep: async (ms) => void pauses.push(ms),
      observe: (event) => void (event.type === 'retry' && retries.push(event.part)),
    })
    expect(treeLines(target)).toEqual(expected)
    expect(result.retriedParts).toBe(1)
    expect(retries).toEqual(['part_001.tar.zst', 'part_001.tar.zst'])
    expect(pauses).toEqual([250, 500])
  })

  it('that says "not there" is not asked again', async () => {
    using work = scratch()
    const store = await repositoryWith()
    let asked = 0
    const lost: ObjectStore = {
      ...store,
      get: (key, options) => {
        if (key === dataPart) asked++
        return store.get(key === dataPart ? 'gone' : key, options)
      },
    }
    await expect(restoreFrom(lost, join(work.path, 'data'))).rejects.toMatchObject({ kind: 'not-found' })
    expect(asked).toBe(1)
  })

  it('stops when the signal fires', async () => {
    using work = scratch()
    const target = join(work.path, 'data')
    const controller = new AbortController()
    const request = await requestFor(await repositoryWith(), target, { signal: controller.signal })
    const running = restoreBackup(request, {
      ...quick,
      observe: (event) => event.type === 'fetched' && event.bytes > 100_000 && controller.abort(),
    })
    await expect(running).rejects.toMatchObject({ kind: 'aborted' })
    expect(existsSync(join(target, 'global/pg_control'))).toBe(false)
  })
})

describe('the destination', () => {
  const refusedBy = async (
    prepare: (target: string, work: string) => void,
    extra: (work: string) => Partial<RestoreRequest> = () => ({}),
  ): Promise<unknown> => {
    using work = scratch()
    const target = join(work.path, 'data')
    prepare(target, work.path)
    const before = treeLines(work.path)
    const outcome = await restoreFrom(await repositoryWith(), target, extra(work.path)).then(
      () => 'restored',
      (error: unknown) => error,
    )
    expect(treeLines(work.path)).toEqual(before)
    return outcome
  }

  it('must be empty', async () => {
    expect(await refusedBy((target) => mkdirSync(join(target, 'lost+found'), { recursive: true }))).toMatchObject({
      kind: 'already-exists',
      code: 'RESTORE_DESTINATION_NOT_EMPTY',
    })
  })

  it('must not be that of a server', async () => {
    expect(
      await refusedBy((target) => {
        mkdirSync(target)
        writeFileSync(join(target, 'postmaster.pid'), '1\n')
      }),
    ).toMatchObject({ kind: 'conflict', code: 'RESTORE_DESTINATION_RUNNING' })
  })

  it('must be a folder, in a folder that exists', async () => {
    expect(await refusedBy((target) => writeFileSync(target, ''))).toMatchObject({ kind: 'invalid', code: 'RESTORE_DESTINATION_INVALID' })
    expect(
      await refusedBy(
        () => undefined,
        (work) => ({ destination: join(work, 'no/such/data') }),
      ),
    ).toMatchObject({ code: 'RESTORE_DESTINATION_INVALID' })
  })

  it('must not overlap with the repository, through links neither', async () => {
    expect(
      await refusedBy(
        (target, work) => {
          mkdirSync(join(work, 'repo/inner'), { recursive: true })
          symlinkSync(join(work, 'repo/inner'), target)
        },
        (work) => ({ protectedPaths: [join(work, 'repo')] }),
      ),
    ).toMatchObject({ code: 'RESTORE_DESTINATION_INVALID', message: expect.stringContaining('repository') })
  })

  it('is planned without a trace, refusals included', async () => {
    using work = scratch()
    const target = join(work.path, 'data')
    mkdirSync(target)
    writeFileSync(join(target, 'x'), '')
    const plan = await planRestore(await requestFor(await repositoryWith(), target))
    expect(plan.refusals.map((one) => one.code)).toEqual(['RESTORE_DESTINATION_NOT_EMPTY'])
    expect(plan.backup).toMatchObject({ name: backup, serverVersion: 150_020 })
    expect(plan.parts.map((one) => one.name).sort()).toEqual(['backup_label.tar.zst', 'part_001.tar.zst', 'pg_control.tar.zst'])
    expect(plan.space[0]?.freeBytes).toBeGreaterThan(0)
    expect(readdirSync(target)).toEqual(['x'])
  })

  it('needs a selector', async () => {
    using work = scratch()
    await expect(restoreFrom(await repositoryWith(), join(work.path, 'd'), { selector: undefined })).rejects.toMatchObject({
      code: 'RESTORE_SELECTOR_MISSING',
    })
    await expect(restoreFrom(await repositoryWith(), join(work.path, 'd'), { selector: { name: 'base_X' } })).rejects.toMatchObject({
      kind: 'not-found',
    })
  })
})

describe('recovery settings', () => {
  it('are written for the backup that the target chooses', async () => {
    using work = scratch()
    const target = join(work.path, 'data')
    const store = await repositoryWith()
    for (const name of ['000000010000000000000013', '000000010000000000000014']) await store.put(`wal_005/${name}.lz4`, sourceOf('x'))
    const request = parseRecoveryFlags({ time: '2026-11-20T23:30Z', action: 'promote' }, () => 0)
    if (request === undefined) throw new Error('no request')
    const result = await restoreFrom(store, target, {
      selector: undefined,
      recovery: { request, restoreCommand: '/w wal-fetch "%f" "%p"' },
    })
    expect(result.plan.backup.reason).toContain('the newest full backup that ended before time 2026-11-20 23:30:00+00:00')
    expect(result.plan.wal?.missing.count).toBe(0)
    expect(existsSync(join(target, 'recovery.signal'))).toBe(true)
    const conf = readFileSync(join(target, 'postgresql.auto.conf'), 'utf8')
    expect(conf).toContain(`restore_command = '/w wal-fetch "%f" "%p"'\n`)
    expect(conf).toContain("recovery_target_time = '2026-11-20 23:30:00.000000+00'\n")
    const others = treeLines(target).filter((line) => !/^(?:postgresql.auto.conf|recovery.signal)\t/.test(line))
    expect(others).toEqual(expected.filter((line) => !line.startsWith('postgresql.auto.conf\t')))
  })

  it('are refused for a target that cannot be reached, and nothing is written', async () => {
    using work = scratch()
    const target = join(work.path, 'data')
    const store = await repositoryWith()
    await store.put('wal_005/000000010000000000000013.lz4', sourceOf('x'))
    for (const time of ['2026-11-20T22:00Z', '2027-01-01Z']) {
      const request = parseRecoveryFlags({ time }, () => 0)
      if (request === undefined) throw new Error('no request')
      await expect(restoreFrom(store, target, { selector: undefined, recovery: { request, restoreCommand: 'x' } })).rejects.toMatchObject({
        code: 'RECOVERY_TARGET_UNREACHABLE',
        hint: expect.stringContaining(`the end of ${backup}, to 2026-11-21 00:00:00+00:00`),
      })
    }
    expect(existsSync(target)).toBe(false)
  })

  it('are refused for an LSN behind the archive, and a hole in the archive is told', async () => {
    using work = scratch()
    const store = await repositoryWith()
    for (const low of ['13', '14', '17', '18']) await store.put(`wal_005/0000000100000000000000${low}.zst`, sourceOf('x'))
    const planFor = async (lsn: string): Promise<RestorePlan> => {
      const request = parseRecoveryFlags({ lsn }, () => 0)
      if (request === undefined) throw new Error('no request')
      return await planRestore(
        await requestFor(store, join(work.path, 'data'), { selector: undefined, recovery: { request, restoreCommand: 'x' } }),
      )
    }
    await expect(planFor('0/1900001')).rejects.toMatchObject({
      code: 'RECOVERY_TARGET_UNREACHABLE',
      message: expect.stringContaining('ends before 0/1900000'),
    })
    const plan = await planFor('0/1900000')
    expect(plan.wal?.holes).toEqual({ count: 2, names: ['000000010000000000000015', '000000010000000000000016'] })
    expect(plan.warnings).toEqual([expect.stringContaining('the archive has a hole behind the backup')])
  })
})
