import { sourceOf } from '@waltz/bytes'
import type { SystemIdentifier } from '@waltz/pg-structures'
import {
  clusterIdentityKey,
  createBackupCatalog,
  decodeClusterIdentity,
  leaseKey,
  metadataKey,
  partKey,
  sentinelKey,
  walKey,
  type SealedFormat,
} from '@waltz/repository'
import { removalIntentKey } from '@waltz/repository/removal'
import type { ObjectStore } from '@waltz/storage'
import { createMemoryStore } from '@waltz/storage/memory'
import { faultStore } from '@waltz/testkit'
import { beforeAll, describe, expect, it } from 'vitest'
import { markBackup } from '../src/catalogue/mark-backup.ts'
import type { CopyEvent } from '../src/copy.ts'
import {
  collect,
  contentsOf,
  copy,
  DELTA,
  formatOf,
  hashesOf,
  FULL,
  madeRepository,
  mayFail,
  noise,
  now,
  put,
  SECOND,
  segmentName,
  storeBackup,
  SYSTEM,
} from './copy-support.ts'

let lz4: SealedFormat
let source: ObjectStore
let original: Map<string, Uint8Array>
let hashes: ReadonlyMap<string, string>

beforeAll(async () => {
  lz4 = await formatOf('lz4')
  source = await madeRepository(lz4)
  original = await contentsOf(source)
  hashes = await hashesOf(source)
})

const target = (): ObjectStore => createMemoryStore({ now })
const side = (store: ObjectStore): { readonly store: ObjectStore; readonly format: SealedFormat } => ({ store, format: lz4 })
const isUnfinished = (key: string): boolean => key.includes('base_00000001000000000000000A/')

/** What must be in the target: objects of the source, and the record of the cluster. */
async function expectCopied(store: ObjectStore, wanted: (key: string) => boolean): Promise<void> {
  const identity = await collect(await store.get(clusterIdentityKey))
  expect(decodeClusterIdentity(identity, { origin: 'cluster' }).systemIdentifier).toBe(SYSTEM)
  const all = [...(await hashesOf(store))].filter(([key]) => key !== clusterIdentityKey)
  expect(all).toEqual([...hashes].filter(([key]) => wanted(key)))
}

const latestOf = async (store: ObjectStore): Promise<string> => (await createBackupCatalog(store).find({ latest: true })).name

describe('all backups', () => {
  it('arrive byte for byte, with the WAL that makes them consistent and no more, and what is unfinished is told', async () => {
    const to = target()
    const result = await copy({ from: side(source), to: side(to) })
    const walOf = (numbers: readonly number[]): readonly string[] => numbers.map((number) => walKey(`${segmentName(number)}.lz4`))
    const wal = new Set([
      ...walOf([2, 3, 5, 6, 8, 9]),
      walKey(`${segmentName(2)}.00000028.backup.lz4`),
      walKey('00000002.history.lz4'),
      walKey(`${segmentName(2)}.json`),
      walKey(`${segmentName(2).slice(0, 23)}.json`),
    ])
    await expectCopied(to, (key) => (key.startsWith('wal_005/') ? wal.has(key) : !isUnfinished(key)))
    expect(result.left).toEqual([{ name: 'base_00000001000000000000000A', reason: 'being-written' }])
    expect(result.backups.map(({ name, outcome }) => [name, outcome])).toEqual([
      [FULL, 'copied'],
      [DELTA, 'copied'],
      [SECOND, 'copied'],
    ])
    expect(result).toMatchObject({ failures: [], warnings: [], missingWal: [], wal: { sent: { objects: 10 }, present: { objects: 0 } } })
    expect(await latestOf(to)).toBe(await latestOf(source))
  })

  it('come with all later WAL of every timeline when history is wished', async () => {
    const to = target()
    const result = await copy({ from: side(source), to: side(to), withHistory: true })
    await expectCopied(to, (key) => !isUnfinished(key) && key !== walKey(`${segmentName(1)}.lz4`))
    expect(result.missingWal).toEqual([])
  })

  it('are announced oldest first, each when it is whole, and no increment before its parent', async () => {
    const to = target()
    const fault = faultStore(to)
    await copy({ from: side(source), to: side(fault) })
    const keys = fault.mutations.map(({ key }) => key)
    const places = [FULL, DELTA, SECOND].map((name) => keys.indexOf(sentinelKey(name)))
    expect(places).toEqual(places.toSorted((a, b) => a - b))
    for (const name of [FULL, DELTA, SECOND]) {
      const last = Math.max(...keys.flatMap((key, at) => (key.startsWith(`basebackups_005/${name}/`) ? [at] : [])))
      expect(keys[last]).toBe(metadataKey(name))
      expect(keys.indexOf(sentinelKey(name))).toBeGreaterThan(last)
      expect(keys.findLastIndex((key) => key.startsWith('wal_005/'))).toBeLessThan(keys.indexOf(sentinelKey(name)))
    }
  })

  it('that cannot be restored are left and told, and do not keep the others', async () => {
    const from = await madeRepository(lz4, (key) => key !== sentinelKey(FULL))
    await put(from, sentinelKey('base_00000001000000000000000B'), '{"LSN":')
    const to = target()
    const { left, backups } = await copy({ from: side(from), to: side(to) })
    expect(left.map(({ name, reason }) => [name, reason])).toEqual([
      ['base_000000010000000000000002', 'being-written'],
      ['base_00000001000000000000000A', 'being-written'],
      ['base_00000001000000000000000B', 'sentinel-unreadable'],
      [DELTA, 'lost-parent'],
    ])
    expect(backups.map(({ name }) => name)).toEqual([SECOND])
    expect([...(await contentsOf(to)).keys()].some((key) => key.includes(FULL))).toBe(false)
  })

  it('of an old unfinished attempt are called unfinished', async () => {
    const result = await copy({ from: side(source), to: side(target()), now: () => new Date(now().getTime() + 25 * 3_600_000) })
    expect(result.left).toEqual([{ name: 'base_00000001000000000000000A', reason: 'unfinished' }])
  })

  it('need a repository that has some', async () => {
    await expect(copy({ from: side(target()), to: side(target()) })).rejects.toMatchObject({ code: 'COPY_NO_BACKUPS', kind: 'not-found' })
  })
})

describe('one backup', () => {
  it('comes with its ancestors', async () => {
    const to = target()
    const events: CopyEvent[] = []
    const { backups } = await copy({ from: side(source), to: side(to), backup: { name: DELTA }, observe: (event) => events.push(event) })
    expect(backups.map(({ name }) => name)).toEqual([FULL, DELTA])
    expect((await contentsOf(to)).has(sentinelKey(SECOND))).toBe(false)
    expect(events.find(({ type }) => type === 'planned')).toMatchObject({ backups: [FULL, DELTA] })
    expect(events.filter(({ type }) => type === 'backup')).toHaveLength(2)
  })

  it('may be the latest', async () => {
    const to = target()
    await copy({ from: side(source), to: side(to), backup: { latest: true } })
    expect(await latestOf(to)).toBe(SECOND)
  })

  it('is refused when it is unfinished, unknown, without its parent or its own ancestor', async () => {
    const copyOf = (from: ObjectStore, name: string): Promise<unknown> => copy({ from: side(from), to: side(target()), backup: { name } })
    await expect(copyOf(source, 'base_00000001000000000000000A')).rejects.toMatchObject({ code: 'COPY_BACKUP_UNFINISHED' })
    await expect(copyOf(source, 'base_nothing')).rejects.toMatchObject({ code: 'BACKUP_NOT_FOUND' })
    const orphaned = await madeRepository(lz4, (key) => key !== sentinelKey(FULL))
    await expect(copyOf(orphaned, DELTA)).rejects.toMatchObject({ code: 'COPY_CHAIN_BROKEN' })
    const circle = await madeRepository(lz4)
    await storeBackup(circle, lz4, { name: DELTA, segment: 5n, parent: DELTA })
    await expect(copyOf(circle, DELTA)).rejects.toMatchObject({ code: 'COPY_CHAIN_BROKEN' })
    expect((await copy({ from: side(circle), to: side(target()) })).left).toContainEqual(expect.objectContaining({ name: DELTA }))
  })
})

describe('WAL', () => {
  it.each([
    ['the first segment of a backup', 2, false],
    ['the last one of a backup', 9, false],
    ['one that only history needs', 11, true],
  ])('is missing: %s', async (_, number, withHistory) => {
    const from = await madeRepository(lz4, (key) => key !== walKey(`${segmentName(number)}.lz4`))
    const to = target()
    const missing = { first: segmentName(number), last: segmentName(number), segments: 1 }
    await expect(copy({ from: side(from), to: side(to), withHistory })).rejects.toMatchObject({
      code: 'COPY_WAL_MISSING',
      context: missing,
    })
    expect(await hashesOf(to)).toEqual(new Map())
    const result = await copy({ from: side(from), to: side(to), withHistory, missingWal: 'report' })
    expect(result.missingWal).toEqual([missing])
    expect(result.backups).toHaveLength(3)
  })

  it('of a backup that reaches beyond the end of the archive is missing with history, too', async () => {
    const from = await madeRepository(lz4, (key) => !/^wal_005\/00000001.*(9|A|B|C|D)\.lz4$/.test(key))
    await expect(copy({ from: side(from), to: side(target()), withHistory: true })).rejects.toMatchObject({
      context: { first: segmentName(9), last: segmentName(9) },
    })
  })

  it('is found with segments of another size, by the name of the backup alone', async () => {
    const from = createMemoryStore({ now })
    const name = 'base_000000010000000000000020'
    await storeBackup(from, lz4, { name, segment: 2n })
    const wanted = Array.from({ length: 17 }, (_, at) => segmentName(0x20 + at))
    for (const wal of [segmentName(0x1f), ...wanted, segmentName(0x31)]) await put(from, walKey(`${wal}.lz4`), noise(wal))
    const to = target()
    await copy({ from: side(from), to: side(to), segmentBytes: 16 << 20 })
    const stored = [...(await contentsOf(to)).keys()].filter((key) => key.startsWith('wal_005/'))
    expect(stored).toEqual(wanted.map((wal) => walKey(`${wal}.lz4`)))
  })
})

describe('what is there already', () => {
  it('is not sent again', async () => {
    const to = target()
    await copy({ from: side(source), to: side(to) })
    const before = await hashesOf(to)
    for (const compare of ['content', 'size'] as const)
      for (const recheck of [false, true]) {
        const fault = faultStore(to)
        const result = await copy({ from: side(source), to: side(fault), compare, recheck })
        expect(fault.mutations).toEqual([])
        expect(result.backups.map(({ outcome, sent }) => [outcome, sent.objects])).toEqual(result.backups.map(() => ['present', 0]))
        expect(result.wal).toMatchObject({ sent: { objects: 0 }, present: { objects: 10 } })
      }
    expect(await hashesOf(to)).toEqual(before)
  })

  it('is not read again where the backup is announced, unless that is wished', async () => {
    const to = target()
    await copy({ from: side(source), to: side(to) })
    const count = async (recheck: boolean): Promise<number> => {
      const fault = faultStore(to)
      await copy({ from: side(source), to: side(fault), recheck })
      return fault.calls.get
    }
    expect(await count(true)).toBeGreaterThan((await count(false)) + 8)
  })

  const part = partKey(FULL, 'part_001.tar.lz4')
  const same = (bytes: Uint8Array): Uint8Array => Uint8Array.from(bytes, (byte, at) => (at === 9 ? byte ^ 1 : byte))
  it.each([
    ['a part of another size', part, (bytes: Uint8Array) => bytes.subarray(1), {}],
    ['a part with one other bit', part, same, {}],
    ['a part of an announced backup', part, same, { recheck: true }],
    ['metadata', metadataKey(FULL), same, {}],
    ['a file list', `basebackups_005/${FULL}/files_metadata.json`, same, {}],
    ['the sentinel', sentinelKey(FULL), same, {}],
  ])('with other content is a conflict, and stays: %s', async (_, key, change, extra) => {
    const to = target()
    const isAnnounced = 'recheck' in extra
    if (isAnnounced) await copy({ from: side(source), to: side(to) })
    const planted = change(original.get(key) ?? new Uint8Array(0))
    await put(to, key, planted)
    const { failures, left, backups } = await copy({ from: side(source), to: side(to), ...extra })
    expect(failures).toEqual([{ name: FULL, key, fault: expect.objectContaining({ kind: 'conflict', code: 'COPY_CONFLICT' }) }])
    expect(left).toContainEqual(expect.objectContaining({ name: DELTA, reason: 'parent-failed' }))
    expect(backups.map(({ name, outcome }) => [name, outcome === 'failed'])).toEqual([
      [FULL, true],
      [SECOND, false],
    ])
    const after = await contentsOf(to)
    expect(after.get(key)).toEqual(new Uint8Array(planted))
    if (!isAnnounced && key !== sentinelKey(FULL)) expect(after.has(sentinelKey(FULL))).toBe(false)
    // Another backup of the same name is not mixed with this one.
    if (key === sentinelKey(FULL)) expect([...after.keys()].filter((one) => one.startsWith(`basebackups_005/${FULL}/`))).toEqual([])
  })

  it.each([
    ['the target', true, {}],
    ['the target', true, { recompress: true }],
    ['the source', false, { compare: 'size' }],
  ] as const)('keeps its permanent mark when it was given in %s only, and the copy goes on', async (_, inTarget, extra) => {
    const from = createMemoryStore({ now })
    for (const [key, bytes] of original) await put(from, key, bytes)
    const to = target()
    await copy({ from: side(from), to: side(to), ...extra })
    const mark = { name: DELTA, permanent: true, now }
    await markBackup([{ name: 'default', store: inTarget ? to : from }], mark)
    const before = await hashesOf(to)
    const { failures, backups, warnings } = await copy({ from: side(from), to: side(to), ...extra })
    expect(failures).toEqual([])
    const marks = { source: !inTarget, target: inTarget }
    expect(backups.map((backup) => [backup.name, backup.outcome, backup.marks])).toEqual([
      [FULL, 'present', marks],
      [DELTA, 'present', marks],
      [SECOND, 'present', undefined],
    ])
    expect(warnings.filter((text) => text.includes("the target's mark stays"))).toHaveLength(2)
    expect(await hashesOf(to)).toEqual(before)
  })

  it('is a conflict when metadata differs in more than the mark', async () => {
    const to = target()
    await copy({ from: side(source), to: side(to) })
    await markBackup([{ name: 'default', store: to }], { name: FULL, permanent: true, now })
    const key = metadataKey(FULL)
    const text = new TextDecoder().decode(await collect(await to.get(key)))
    await put(to, key, text.replace('"hostname":"', '"hostname":"x'))
    const { failures } = await copy({ from: side(source), to: side(to) })
    expect(failures).toEqual([{ name: FULL, key, fault: expect.objectContaining({ code: 'COPY_CONFLICT' }) }])
  })

  it('is a conflict in the archive: then no backup is announced', async () => {
    const to = target()
    const key = walKey(`${segmentName(3)}.lz4`)
    await put(to, key, same(original.get(key) ?? new Uint8Array(0)))
    const result = await copy({ from: side(source), to: side(to) })
    expect(result.failures).toEqual([{ name: 'WAL', key, fault: expect.objectContaining({ code: 'COPY_CONFLICT' }) }])
    expect([...(await contentsOf(to)).keys()].filter((name) => name.startsWith('basebackups_005/'))).toEqual([])
    expect((await copy({ from: side(source), to: side(to), compare: 'size' })).failures).toEqual([])
  })

  it('is left alone, and LATEST stays LATEST, when the newest was copied before the others', async () => {
    const to = target()
    await copy({ from: side(source), to: side(to), backup: { latest: true } })
    const before = await hashesOf(to)
    await copy({ from: side(source), to: side(to) })
    expect(await latestOf(to)).toBe(SECOND)
    expect([...(await hashesOf(to))].filter(([key]) => before.has(key))).toEqual([...before])
  })

  it('of its own keeps the target, which is told that LATEST changes', async () => {
    const to = target()
    await storeBackup(to, lz4, { name: 'base_000000010000000000000030', segment: 0x30n })
    const { warnings } = await copy({ from: side(source), to: side(to) })
    expect(warnings.join()).toContain('base_000000010000000000000030')
    expect((await contentsOf(to)).has(sentinelKey('base_000000010000000000000030'))).toBe(true)
  })
})

describe('an interrupted copy', () => {
  it('goes on, wherever it was interrupted, and never announces what is not whole', { timeout: 30_000 }, async () => {
    const counting = faultStore(target())
    await copy({ from: side(source), to: side(counting) })
    const whole = await hashesOf(counting)
    const steps = counting.mutations.length
    expect(steps).toBeGreaterThan(30)
    for (let step = 1; step <= steps; step += 1)
      for (const crashMoment of ['before', 'after'] as const) {
        const to = target()
        await mayFail(copy({ from: side(source), to: side(faultStore(to, { crashAtMutation: step, crashMoment })) }))
        await expectNothingHalf(to)
        const result = await copy({ from: side(source), to: side(to) })
        expect([step, crashMoment, result.failures]).toEqual([step, crashMoment, []])
        expect(await hashesOf(to)).toEqual(whole)
        expect(await latestOf(to)).toBe(SECOND)
      }
  })

  /** A backup that is announced has everything that the source's has. */
  async function expectNothingHalf(to: ObjectStore): Promise<void> {
    const all = await hashesOf(to)
    for (const name of [FULL, DELTA, SECOND]) {
      if (!all.has(sentinelKey(name))) continue
      for (const [key, hash] of hashes) if (key.startsWith(`basebackups_005/${name}/`)) expect([key, all.get(key)]).toEqual([key, hash])
    }
    if (all.has(sentinelKey(DELTA))) expect(all.has(sentinelKey(FULL))).toBe(true)
  }

  const failing = (['get', 'put', 'head', 'list'] as const).flatMap((operation) => [
    ['from', operation] as const,
    ['to', operation] as const,
  ])
  it.each(failing)('goes on after any failed call: %s, %s', { timeout: 30_000 }, async (which, operation) => {
    const counts = { from: faultStore(source), to: faultStore(target()) }
    await copy({ from: side(counts.from), to: side(counts.to) })
    const whole = await hashesOf(counts.to)
    const calls = counts[which].calls[operation]
    for (let nth = 1; nth <= calls; nth += Math.max(1, Math.floor(calls / 8))) {
      const to = target()
      const rules = [{ operation, nth, action: { kind: 'fail' } }] as const
      const stores = { from: source, to, [which]: faultStore(which === 'from' ? source : to, { rules }) }
      await mayFail(copy({ from: side(stores.from), to: side(stores.to) }))
      await expectNothingHalf(to)
      expect((await copy({ from: side(source), to: side(to) })).failures).toEqual([])
      expect(await hashesOf(to)).toEqual(whole)
    }
  })

  it('stops when it is told to', async () => {
    const stop = new AbortController()
    const to = target()
    const observe = ({ type }: CopyEvent): void => void (type === 'backup' && stop.abort())
    await expect(copy({ from: side(source), to: side(to), signal: stop.signal, observe })).rejects.toMatchObject({ kind: 'aborted' })
    const all = await contentsOf(to)
    expect([FULL, DELTA].map((name) => all.has(sentinelKey(name)))).toEqual([true, false])
  })
})

describe('damage on the way', () => {
  const damaged = (
    key: RegExp,
    atByte: number,
  ): {
    readonly rules: readonly [
      {
        readonly operation: 'put'
        readonly key: RegExp
        readonly nth: 1
        readonly action: { readonly kind: 'corrupt'; readonly atByte: number }
      },
    ]
  } => ({
    rules: [{ operation: 'put', key, nth: 1, action: { kind: 'corrupt', atByte } }],
  })

  it.each([
    ['a part', /part_001/, FULL],
    ['a part without manifest', new RegExp(`${SECOND}/.*part_003`), SECOND],
    ['a file list', /files_metadata/, FULL],
    ['metadata', /\/metadata\.json/, FULL],
    ['a sentinel', /sentinel/, FULL],
  ])('is noticed and removed: %s', async (_, key, name) => {
    const to = target()
    const result = await copy({ from: side(source), to: side(faultStore(to, damaged(key, 20))) })
    expect(result.failures).toEqual([
      { name, key: expect.stringMatching(key), fault: expect.objectContaining({ code: 'COPY_NOT_STORED' }) },
    ])
    const all = await contentsOf(to)
    expect([all.has(result.failures[0]?.key ?? ''), all.has(sentinelKey(name))]).toEqual([false, false])
    expect((await copy({ from: side(source), to: side(to) })).failures).toEqual([])
  })

  it('is said to be still there, where the target does not let it be removed', async () => {
    const to = target()
    const refusing = { operation: 'delete', action: { kind: 'fail' } } as const
    const rules = [...damaged(/part_001/, 20).rules, refusing]
    const { failures } = await copy({ from: side(source), to: side(faultStore(to, { rules })) })
    expect(failures[0]?.fault).toMatchObject({ code: 'COPY_NOT_STORED', message: expect.stringContaining('it is still there') })
    expect(failures[0]?.fault.hint).toMatch(/Remove it there/)
    expect((await contentsOf(to)).has(failures[0]?.key ?? '')).toBe(true)
  })

  it('is noticed in WAL', async () => {
    const to = target()
    const { failures } = await copy({ from: side(source), to: side(faultStore(to, damaged(/^wal_005\/0{7}1/, 3))) })
    expect(failures).toMatchObject([{ name: 'WAL', fault: { code: 'COPY_NOT_STORED' } }])
  })

  it('of the source is noticed by the manifest, and nothing of it is stored', async () => {
    const key = partKey(DELTA, 'part_003.tar.lz4')
    const to = faultStore(target())
    const rules = [{ operation: 'get', key: /D_.*part_003/, nth: 1, action: { kind: 'corrupt', atByte: 30 } }] as const
    const { failures } = await copy({ from: side(faultStore(source, { rules })), to: side(to) })
    expect(failures).toEqual([{ name: DELTA, key, fault: expect.objectContaining({ code: 'COPY_SOURCE_DAMAGED' }) }])
    expect(to.mutations.filter((mutation) => mutation.key === key && mutation.done)).toEqual([])
  })

  it('is a part that the manifest names and nobody has', async () => {
    const from = await madeRepository(lz4, (key) => key !== partKey(FULL, 'part_003.tar.lz4'))
    const to = target()
    const { failures } = await copy({ from: side(from), to: side(to), backup: { name: FULL } })
    expect(failures).toMatchObject([{ name: FULL, fault: { code: 'COPY_SOURCE_INCOMPLETE' } }])
    expect((await contentsOf(to)).has(sentinelKey(FULL))).toBe(false)
  })
})

describe('the cluster', () => {
  const other = 99n as SystemIdentifier

  it('of the target must be the same', async () => {
    const to = target()
    await storeBackup(to, lz4, { name: 'base_000000010000000000000030', segment: 0x30n, system: other })
    const before = await hashesOf(to)
    await expect(copy({ from: side(source), to: side(to) })).rejects.toMatchObject({ code: 'COPY_CLUSTER_FOREIGN' })
    await expect(copy({ from: side(source), to: side(to), dryRun: true })).rejects.toMatchObject({ code: 'COPY_CLUSTER_FOREIGN' })
    expect(await hashesOf(to)).toEqual(before)
    const result = await copy({ from: side(source), to: side(to), otherCluster: 'allow' })
    expect([result.failures, result.warnings.length > 0]).toEqual([[], true])
    expect((await contentsOf(to)).has(sentinelKey(SECOND))).toBe(true)
  })

  it('is the one that the record of the target names', async () => {
    const to = target()
    const identity = { version: 1, systemIdentifier: '99', createdAt: '2026-01-01T00:00:00Z', tool: { name: 'waltz', version: '1' } }
    await put(to, clusterIdentityKey, JSON.stringify(identity))
    await expect(copy({ from: side(source), to: side(to) })).rejects.toMatchObject({ code: 'COPY_CLUSTER_FOREIGN' })
    expect((await copy({ from: side(source), to: side(to), otherCluster: 'allow' })).failures).toEqual([])
  })

  it('is one within the source, unless it is insisted', async () => {
    const from = await madeRepository(lz4)
    await storeBackup(from, lz4, { name: SECOND, segment: 8n, system: other })
    await expect(copy({ from: side(from), to: side(target()) })).rejects.toMatchObject({ code: 'COPY_CLUSTER_FOREIGN' })
    expect((await copy({ from: side(from), to: side(target()), otherCluster: 'allow' })).backups).toHaveLength(3)
  })

  it('keeps what is not encrypted out of a target that says its objects are', async () => {
    const to = target()
    const identity = { version: 1, systemIdentifier: String(SYSTEM), createdAt: '2026-01-01T00:00:00Z', encrypted: true, tool: {} }
    await put(to, clusterIdentityKey, JSON.stringify(identity))
    await expect(copy({ from: side(source), to: side(to) })).rejects.toMatchObject({ code: 'WAL_ARCHIVE_ENCRYPTED' })
    expect((await copy({ from: side(source), to: side(to), plaintext: 'allow' })).failures).toEqual([])
  })
})

describe('other ways', () => {
  it('a dry run stores nothing, and says what would be sent', async () => {
    const to = target()
    await copy({ from: side(source), to: side(to), backup: { name: FULL } })
    const before = await hashesOf(to)
    const real = target()
    await copy({ from: side(source), to: side(real), backup: { name: FULL } })
    const dry = await copy({ from: side(source), to: side(to), dryRun: true })
    expect(await hashesOf(to)).toEqual(before)
    const done = await copy({ from: side(source), to: side(real) })
    expect({ ...dry, dryRun: false }).toEqual(done)
  })

  it('the storage copies by itself where both are one', async () => {
    const shared = createMemoryStore({ now })
    const within = (prefix: string): ObjectStore => ({
      ...shared,
      head: async (key, options) => ({ ...(await shared.head(prefix + key, options)), key }),
      get: async (key, options) => await shared.get(prefix + key, options),
      put: async (key, body, options) => ({ ...(await shared.put(prefix + key, body, options)), key }),
      delete: async (keys, options) =>
        await shared.delete(
          [...keys].map((key) => prefix + key),
          options,
        ),
      async *list(below, options) {
        const { after, ...rest } = options ?? {}
        for await (const info of shared.list(prefix + below, { ...rest, ...(after !== undefined && { after: prefix + after }) }))
          yield { ...info, key: info.key.slice(prefix.length) }
      },
      async *listGroups(below, options) {
        for await (const group of shared.listGroups(prefix + below, options)) yield group.slice(prefix.length)
      },
    })
    for (const [key, bytes] of original) await put(within('a/'), key, bytes)
    const to = within('b/')
    const outcomes = new Set<string>()
    const inside = async (key: string): Promise<void> => await shared.copy(`a/${key}`, `b/${key}`)
    const observe = (event: CopyEvent): void => void (event.type === 'object' && outcomes.add(event.outcome))
    const gets = faultStore(within('a/'))
    const result = await copy({ from: side(gets), to: side(to), copyInside: inside, observe, withHistory: true })
    expect([result.failures, [...outcomes]]).toEqual([[], ['inside']])
    await expectCopied(to, (key) => !isUnfinished(key) && key !== walKey(`${segmentName(1)}.lz4`))
    // Sentinels, manifests and the record of the cluster are read; parts and WAL are not.
    expect(gets.calls.get).toBeLessThan(12)
  })

  it('a lease is nothing to copy', async () => {
    const from = await madeRepository(lz4)
    await put(from, leaseKey(FULL), '{}')
    const to = target()
    await copy({ from: side(from), to: side(to) })
    expect((await contentsOf(to)).has(leaseKey(FULL))).toBe(false)
  })

  it('a target without conditions is served, too', async () => {
    const to = target()
    const plain: ObjectStore = { ...to, capabilities: { ...to.capabilities, conditionalPut: false, ifMatch: false } }
    expect((await copy({ from: side(source), to: side(plain) })).failures).toEqual([])
    await expectCopied(to, (key) => (key.startsWith('wal_005/') ? /0{7}1.*0[235689]\.|0{15}\.json|history/.test(key) : !isUnfinished(key)))
  })

  it('a target with an unfinished deletion is left alone', async () => {
    const to = target()
    await put(to, removalIntentKey('0'), '{}')
    for (const dryRun of [false, true])
      await expect(copy({ from: side(source), to: side(to), dryRun })).rejects.toMatchObject({ code: 'COPY_DELETION_PENDING' })
    expect([...(await hashesOf(to)).keys()]).toEqual([removalIntentKey('0')])
  })

  it.each<[string, string, (to: ObjectStore) => Promise<void>, string]>([
    ['WAL that it needs goes from the target', FULL, (to) => to.delete([walKey(`${segmentName(2)}.lz4`)]), 'COPY_TARGET_GONE'],
    ['its parent goes from the target', DELTA, (to) => to.delete([sentinelKey(FULL)]), 'COPY_TARGET_GONE'],
    ['a deletion begins in the target', FULL, (to) => put(to, removalIntentKey('0'), '{}'), 'COPY_DELETION_PENDING'],
  ])('a backup is not announced when meanwhile %s', async (_, name, change, code) => {
    const to = target()
    const during: ObjectStore = {
      ...to,
      async put(key, bytes, options) {
        if (key.startsWith(`basebackups_005/${name}/`)) await change(to)
        return await to.put(key, bytes, options)
      },
    }
    const result = await copy({ from: side(source), to: side(during) })
    expect(result.failures.find((failure) => failure.name === name)?.fault.code).toBe(code)
    expect(result.backups.find((backup) => backup.name === name)?.outcome).toBe('failed')
    expect((await contentsOf(to)).has(sentinelKey(name))).toBe(false)
  })

  it.each(['tar_partitions', 'metadata.json'])(
    'a backup is neither announced nor called copied that the source gives up: at %s',
    async (at) => {
      const from = await madeRepository(lz4)
      const during: ObjectStore = {
        ...from,
        async get(key, options) {
          if (key.startsWith(`basebackups_005/${SECOND}/${at}`)) await from.delete([sentinelKey(SECOND)])
          return await from.get(key, options)
        },
      }
      const to = target()
      const result = await copy({ from: side(during), to: side(to) })
      expect(result.failures).toMatchObject([{ name: SECOND, fault: { code: 'COPY_SOURCE_GONE' } }])
      expect((await contentsOf(to)).has(sentinelKey(SECOND))).toBe(false)
    },
  )

  it('two copies at once end in one', async () => {
    const to = target()
    const results = await Promise.all([1, 2].map(() => copy({ from: side(source), to: side(to) })))
    expect(results.flatMap(({ failures }) => failures)).toEqual([])
    const once = target()
    await copy({ from: side(source), to: side(once) })
    expect(await hashesOf(to)).toEqual(await hashesOf(once))
  })

  it('holds no list of the archive in memory', async () => {
    const from = await madeRepository(lz4)
    const lists = faultStore(from)
    for (let number = 13; number < 3000; number += 1) await put(from, walKey(`${segmentName(number)}.lz4`), noise(String(number), 1))
    const to = target()
    await copy({ from: side(lists), to: side(to), withHistory: true })
    // Twice the archive, twice each folder, a look per timeline.
    expect(lists.calls.list).toBeLessThan(30)
    const one = await collect(await to.get(walKey(`${segmentName(2999)}.lz4`)))
    expect(one).toEqual(await collect(sourceOf(noise('2999', 1))))
  })
})
