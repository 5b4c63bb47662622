import { sourceOf } from '@waltz/bytes'
import { Fault } from '@waltz/errors'
import type { ObjectStore } from '@waltz/storage'
import { faultStore } from '@waltz/testkit'
import { describe, expect, it } from 'vitest'
import { faultOf, fetched, keysOf, memoryStore, openTestArchive, push, putRaw, storedBytes, system } from './support/archive.ts'
import { flipped, makeWal, nameOf, SEGMENT, SYSTEM } from './support/segments.ts'

const [one] = makeWal({ first: 1 }) as [Uint8Array]
const ONE = nameOf(1)

describe('push', () => {
  it.each(['lz4', 'zstd', 'brotli', 'none'])('stores a segment with %s and gives the same bytes back', async (codec) => {
    const { archive, store, events } = await openTestArchive({ codec })
    const extension = { lz4: '.lz4', zstd: '.zst', brotli: '.br', none: '' }[codec]
    expect(await push(archive, ONE, one)).toBe('stored')
    expect(events).toContainEqual({ type: 'stored', name: ONE, storedName: `${ONE}${extension}`, storedBytes: expect.any(Number) })
    expect(await keysOf(store)).toEqual([`wal_005/${ONE}${extension}`, 'waltz/cluster.json'])
    expect(Buffer.from(await fetched(archive, ONE)).equals(one)).toBe(true)
  })

  it('takes the same bytes again, under another codec too, and stores nothing then', async () => {
    const { archive, store } = await openTestArchive({ codec: 'lz4' })
    await push(archive, ONE, one)
    expect(await push(archive, ONE, one)).toBe('already-stored')
    const other = await openTestArchive({ codec: 'zstd', store })
    expect(await push(other.archive, ONE, one)).toBe('already-stored')
    expect(other.events).toEqual([{ type: 'already-stored', name: ONE, storedName: `${ONE}.lz4` }])
    expect(await keysOf(store)).toEqual([`wal_005/${ONE}.lz4`, 'waltz/cluster.json'])
  })

  it.each(['lz4', 'zstd'])('refuses other bytes under a stored name and changes nothing (%s)', async (codec) => {
    const { archive, store } = await openTestArchive({ codec: 'lz4' })
    await push(archive, ONE, one)
    const before = await storedBytes(store, `wal_005/${ONE}.lz4`)
    const other = await openTestArchive({ codec, store })
    for (const bytes of [flipped(one, SEGMENT - 1), flipped(one, 5000)]) {
      expect(await faultOf(push(other.archive, ONE, bytes))).toMatchObject({ kind: 'conflict', code: 'WAL_CONFLICT' })
    }
    expect(await keysOf(store)).toEqual([`wal_005/${ONE}.lz4`, 'waltz/cluster.json'])
    expect(await storedBytes(store, `wal_005/${ONE}.lz4`)).toEqual(before)
  })

  it('sees that one of two files is a beginning of the other', async () => {
    const { archive } = await openTestArchive()
    await push(archive, 'note', 'some text')
    expect(await faultOf(push(archive, 'note', 'some'))).toMatchObject({ code: 'WAL_CONFLICT' })
    expect(await faultOf(push(archive, 'note', 'some text and more'))).toMatchObject({ code: 'WAL_CONFLICT' })
    expect(await faultOf(push(archive, 'note', ''))).toMatchObject({ code: 'WAL_CONFLICT' })
    expect(await push(archive, 'empty', '')).toBe('stored')
    expect(await push(archive, 'empty', '')).toBe('already-stored')
  })

  it('overwrites only when told to, under every extension, and never a history', async () => {
    const first = await openTestArchive({ codec: 'lz4' })
    await push(first.archive, ONE, one)
    await push(first.archive, '00000002.history', '1\t0/2000000\tno reason\n')
    const { archive, store, events } = await openTestArchive({ codec: 'zstd', store: first.store, whenStored: 'replace' })
    const other = flipped(one, SEGMENT - 1)
    expect(await push(archive, ONE, other)).toBe('stored')
    expect(await keysOf(store)).toEqual(['wal_005/00000002.history.lz4', `wal_005/${ONE}.zst`, 'waltz/cluster.json'].sort())
    expect(Buffer.from(await fetched(archive, ONE)).equals(other)).toBe(true)
    expect(events).toContainEqual({ type: 'replaced', name: ONE, storedName: `${ONE}.lz4` })
    expect(await faultOf(push(archive, '00000002.history', '1\t0/3000000\tno reason\n'))).toMatchObject({ code: 'WAL_CONFLICT' })
    expect(await push(archive, '00000002.history', '1\t0/2000000\tno reason\n')).toBe('already-stored')
  })

  it('refuses a second .partial with other bytes too, and says what to do with it', async () => {
    const { archive, store } = await openTestArchive()
    const name = `${ONE}.partial`
    await push(archive, name, one)
    const before = await keysOf(store)
    const fault = await faultOf(push(archive, name, flipped(one, SEGMENT - 5)))
    expect(fault).toMatchObject({ kind: 'conflict', code: 'WAL_CONFLICT', hint: expect.stringContaining('.ready') })
    expect(await keysOf(store)).toEqual(before)
    expect(Buffer.from(await fetched(archive, name)).equals(one)).toBe(true)
  })

  it('names the stored object when it cannot be read, and changes nothing', async () => {
    const { archive, store } = await openTestArchive()
    await push(archive, ONE, one)
    await putRaw(store, `wal_005/${ONE}.lz4`, (await storedBytes(store, `wal_005/${ONE}.lz4`)).subarray(0, 100))
    const fault = await faultOf(push(archive, ONE, one))
    expect(fault).toMatchObject({ kind: 'corrupt', code: 'WAL_STORED_DAMAGED', context: { storedName: `${ONE}.lz4` } })
    expect(await storedBytes(store, `wal_005/${ONE}.lz4`)).toHaveLength(100)
  })

  it.each(['a/b', '', '..', '.', 'nul\0'])('refuses the name %j', async (name) => {
    const { archive, store } = await openTestArchive()
    expect(await faultOf(push(archive, name, 'x'))).toMatchObject({ kind: 'invalid', code: 'WAL_NAME_INVALID' })
    expect(await keysOf(store)).toEqual([])
  })

  it('refuses names that would read as compressed only where nothing is compressed', async () => {
    const plain = await openTestArchive({ codec: 'none' })
    expect(await faultOf(push(plain.archive, `${ONE}.lz4`, 'x'))).toMatchObject({ code: 'WAL_NAME_INVALID' })
    const { archive, store } = await openTestArchive()
    await push(archive, 'anything.lz4', 'x')
    expect(await keysOf(store)).toEqual(['wal_005/anything.lz4.lz4'])
    expect(Buffer.from(await fetched(archive, 'anything.lz4')).toString()).toBe('x')
  })

  it('stores .partial, .backup, .history and unknown names beside the segment', async () => {
    const { archive, store } = await openTestArchive({ codec: 'none' })
    for (const [name, bytes] of [
      [ONE, one],
      [`${ONE}.partial`, one],
      [`${ONE}.00000028.backup`, 'START WAL LOCATION'],
      ['00000002.history', '1\t0/200000\tx\n'],
      ['odd name.txt', 'free text'],
    ] as const) {
      expect(await push(archive, name, bytes), name).toBe('stored')
      expect(Buffer.from(await fetched(archive, name)).equals(Buffer.from(bytes)), name).toBe(true)
    }
    expect(await keysOf(store)).toHaveLength(6)
  })
})

describe('fences of a segment', () => {
  const cases: readonly [string, string, Uint8Array][] = [
    ['cut', ONE, one.subarray(0, SEGMENT / 2)],
    ['one byte longer', ONE, Buffer.concat([one, new Uint8Array(1)])],
    ['twice as long', ONE, Buffer.concat([one, one])],
    ['empty', ONE, new Uint8Array(0)],
    ['zeros', ONE, new Uint8Array(SEGMENT)],
    ['text', ONE, Buffer.alloc(SEGMENT, 'text')],
    ['under the next name', nameOf(2), one],
    ['under a name of an older timeline', ONE, makeWal({ first: 1, timeline: 2 })[0]],
    ['a partial of half a size', `${ONE}.partial`, one.subarray(0, SEGMENT / 2)],
    ['a partial under the wrong name', `${nameOf(7)}.partial`, one],
    ['a name that segments of this size do not have', `0000000100000000${(4096).toString(16).padStart(8, '0')}`, one],
  ]
  it.each(cases)('refuses a segment that is %s', async (_, name, bytes) => {
    const { archive, store } = await openTestArchive()
    expect(await faultOf(push(archive, name, bytes))).toMatchObject({ kind: 'invalid', code: 'WAL_FILE_INVALID' })
    expect(await keysOf(store)).toEqual([])
  })

  it('takes a segment whose first page is of an older timeline: the first of a new one', async () => {
    const { archive } = await openTestArchive()
    expect(await push(archive, nameOf(1, 2), one)).toBe('stored')
  })

  it('takes segments of other sizes, and only the stated size when one is stated', async () => {
    const segmentBytes = 4 * SEGMENT
    const [big] = makeWal({ segmentBytes, first: 3 }) as [Uint8Array]
    const name = '000000010000000000000003'
    expect(await push((await openTestArchive()).archive, name, big)).toBe('stored')
    const { archive } = await openTestArchive({ segmentBytes: SEGMENT })
    expect(await faultOf(push(archive, name, big))).toMatchObject({ code: 'WAL_FILE_INVALID' })
  })

  it('refuses a file that changes its size while it is read, and stores nothing', async () => {
    for (const actual of [one.subarray(0, SEGMENT - 8192), Buffer.concat([one, new Uint8Array(5)])]) {
      const { archive, store } = await openTestArchive()
      const fault = await faultOf(archive.push(ONE, () => sourceOf(actual), { size: SEGMENT }))
      expect(fault).toMatchObject({ code: 'WAL_FILE_CHANGED', retryable: false })
      expect(await keysOf(store)).toEqual(['waltz/cluster.json'])
    }
  })
})

describe('fences of the archive', () => {
  const [foreign] = makeWal({ first: 2, system: 99n }) as [Uint8Array]

  it('belongs to the cluster that pushed first', async () => {
    const { archive, store, events } = await openTestArchive()
    await push(archive, ONE, one)
    expect(events).toContainEqual({ type: 'identity-created', systemIdentifier: SYSTEM, evidence: 'empty' })
    expect(JSON.parse(Buffer.from(await storedBytes(store, 'waltz/cluster.json')).toString())).toMatchObject({
      systemIdentifier: String(SYSTEM),
    })
    const fault = await faultOf(push(archive, nameOf(2), foreign))
    expect(fault).toMatchObject({ kind: 'conflict', code: 'WAL_ARCHIVE_FOREIGN', context: { own: '99', found: String(SYSTEM) } })
    expect(await keysOf(store)).toEqual([`wal_005/${ONE}.lz4`, 'waltz/cluster.json'])
  })

  it('checks files without a header by the cluster that the caller knows', async () => {
    const first = await openTestArchive()
    await push(first.archive, ONE, one)
    const { archive } = await openTestArchive({ store: first.store, expectedSystemIdentifier: system(99n) })
    expect(await faultOf(push(archive, '00000002.history', '1\t0/200000\tx\n'))).toMatchObject({ code: 'WAL_ARCHIVE_FOREIGN' })
    expect(await faultOf(push(archive, nameOf(3), makeWal({ first: 3 })[0]))).toMatchObject({ code: 'WAL_FILE_INVALID' })
  })

  it("compares with a segment of WAL-G's archive before taking it over", async () => {
    const old = await openTestArchive({ codec: 'zstd' })
    await push(old.archive, ONE, one)
    await old.store.delete(['waltz/cluster.json'])
    const { archive, store, events } = await openTestArchive({ store: old.store })
    expect(await faultOf(push(archive, nameOf(2), foreign))).toMatchObject({ code: 'WAL_ARCHIVE_FOREIGN' })
    expect(await keysOf(store)).toEqual([`wal_005/${ONE}.zst`])
    await push(archive, nameOf(2), makeWal({ first: 2 })[0])
    expect(events).toContainEqual({ type: 'identity-created', systemIdentifier: SYSTEM, evidence: 'segment' })
  })

  it('asks the newest backup when no segment can be read', async () => {
    const { archive, store, events } = await openTestArchive()
    await putRaw(store, `wal_005/${ONE}.xz`, 'unreadable here')
    const sentinel = { LSN: 1, FinishLSN: 2, PgVersion: 150000, SystemIdentifier: '@', Version: 2 }
    const text = JSON.stringify(sentinel).replace('"@"', String(SYSTEM))
    await putRaw(store, `basebackups_005/base_${ONE}_backup_stop_sentinel.json`, text)
    expect(await faultOf(push(archive, nameOf(2), foreign))).toMatchObject({ code: 'WAL_ARCHIVE_FOREIGN' })
    await push(archive, nameOf(2), makeWal({ first: 2 })[0])
    expect(events).toContainEqual({ type: 'identity-created', systemIdentifier: SYSTEM, evidence: 'sentinel' })
  })

  it('says so when older content could not be compared', async () => {
    const { archive, store, events } = await openTestArchive()
    await putRaw(store, `wal_005/${ONE}.br`, 'unreadable here')
    await push(archive, nameOf(2), makeWal({ first: 2 })[0])
    expect(events).toContainEqual({ type: 'identity-created', systemIdentifier: SYSTEM, evidence: 'unreadable' })
  })

  it('does not trust a damaged identity', async () => {
    const { archive, store } = await openTestArchive()
    await putRaw(store, 'waltz/cluster.json', '{"version":1,')
    expect(await faultOf(push(archive, ONE, one))).toMatchObject({ kind: 'corrupt' })
    expect(await keysOf(store)).toEqual(['waltz/cluster.json'])
  })
})

describe('races', () => {
  it('lets exactly one of many parallel pushers store, and all succeed', async () => {
    const store = memoryStore()
    const archives = await Promise.all(
      Array.from({ length: 24 }, (_, index) => openTestArchive({ store, codec: index % 2 === 0 ? 'lz4' : 'zstd' })),
    )
    const outcomes = await Promise.all(archives.map(({ archive }) => push(archive, ONE, one)))
    const lz4 = outcomes.filter((_, index) => index % 2 === 0)
    expect(outcomes).toContain('stored')
    expect(lz4.filter((outcome) => outcome === 'stored').length).toBeLessThanOrEqual(1)
    expect(Buffer.from(await fetched(archives[0].archive, ONE)).equals(one)).toBe(true)
  })

  it('lets exactly one content win when pushers disagree', async () => {
    const store = memoryStore()
    const contents = Array.from({ length: 12 }, (_, index) => flipped(one, 100_000 + index))
    const archives = await Promise.all(contents.map(() => openTestArchive({ store })))
    const results = await Promise.allSettled(archives.map(({ archive }, index) => push(archive, ONE, contents[index])))
    const won = results.flatMap((result, index) => (result.status === 'fulfilled' ? [index] : []))
    expect(won).toHaveLength(1)
    for (const result of results) if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'WAL_CONFLICT' })
    expect(Buffer.from(await fetched(archives[0].archive, ONE)).equals(contents[won[0]])).toBe(true)
  })

  it('lets one of two clusters have the archive', async () => {
    const store = memoryStore()
    const other = makeWal({ first: 2, system: 99n })[0]
    const [a, b] = await Promise.all([openTestArchive({ store }), openTestArchive({ store })])
    const results = await Promise.allSettled([push(a.archive, ONE, one), push(b.archive, nameOf(2), other)])
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    expect(results.find((result) => result.status === 'rejected')?.reason).toMatchObject({ code: 'WAL_ARCHIVE_FOREIGN' })
    expect((await keysOf(store)).filter((key) => key.startsWith('wal_005/'))).toHaveLength(1)
  })
})

describe('storage that fails', () => {
  const refusing = (inner: ObjectStore, times: number) =>
    faultStore(inner, { rules: [{ operation: 'put', key: /wal_005/, times, action: { kind: 'fail' } }] })

  it('tries again with the body made anew', async () => {
    const { archive, events, sleeps } = await openTestArchive({ store: refusing(memoryStore(), 2) })
    expect(await push(archive, ONE, one)).toBe('stored')
    expect(sleeps).toEqual([500, 1000])
    expect(events.filter(({ type }) => type === 'push-retried')).toHaveLength(2)
    expect(Buffer.from(await fetched(archive, ONE)).equals(one)).toBe(true)
  })

  it('gives up after its attempts, and at once when trying again is no use', async () => {
    const { archive, store } = await openTestArchive({ store: refusing(memoryStore(), 3) })
    expect(await faultOf(push(archive, ONE, one))).toMatchObject({ kind: 'unavailable' })
    expect(await keysOf(store)).toEqual(['waltz/cluster.json'])
    const fault = () => new Fault('denied', 'TEST_DENIED', 'no')
    const denied = faultStore(memoryStore(), { rules: [{ operation: 'put', action: { kind: 'fail', fault } }] })
    const second = await openTestArchive({ store: denied })
    expect(await faultOf(push(second.archive, ONE, one))).toMatchObject({ code: 'TEST_DENIED' })
    expect(second.sleeps).toEqual([])
  })

  it('finds its own bytes when a put failed after it had stored them', async () => {
    for (const mutation of [1, 2]) {
      for (const crashMoment of ['before', 'after'] as const) {
        const inner = memoryStore()
        const dying = await openTestArchive({ store: faultStore(inner, { crashAtMutation: mutation, crashMoment }), pushAttempts: 1 })
        await expect(push(dying.archive, ONE, one)).rejects.toThrow()
        const { archive } = await openTestArchive({ store: inner })
        expect(await push(archive, ONE, one)).toBe(mutation === 2 && crashMoment === 'after' ? 'already-stored' : 'stored')
        expect(Buffer.from(await fetched(archive, ONE)).equals(one)).toBe(true)
      }
    }
  })

  it('asks for known names only when the name is new and the archive is known: nothing is listed, however large it is', async () => {
    const store = faultStore(memoryStore())
    const { archive } = await openTestArchive({ store })
    await push(archive, ONE, one)
    const before = { ...store.calls }
    await push(archive, nameOf(2), makeWal({ first: 2 })[0])
    const used = Object.fromEntries(Object.entries(store.calls).map(([name, count]) => [name, count - before[name as keyof typeof before]]))
    expect(used).toEqual({ head: 8, get: 1, put: 1, delete: 0, list: 0, listGroups: 0, copy: 0 })
  })

  it('stops when it is told to', async () => {
    const { archive, store } = await openTestArchive()
    const signal = AbortSignal.abort()
    expect(await faultOf(archive.push(ONE, () => sourceOf(one), { size: SEGMENT, signal }))).toMatchObject({ kind: 'aborted' })
    expect(await keysOf(store)).toEqual([])
  })
})
