import { sourceOf } from '@waltz/bytes'
import { timelineId } from '@waltz/pg-structures'
import { describe, expect, it } from 'vitest'
import type { LocalWal } from '../src/index.ts'
import { faultOf, keysOf, openTestArchive, push, putRaw, type TestArchive } from './support/archive.ts'
import { flipped, makeWal, nameOf, SEGMENT } from './support/segments.ts'

const wal = makeWal({ first: 1, count: 9 })
const segment = (number: number): Uint8Array => wal[number - 1]
const local = (bytes: Uint8Array | string): LocalWal => ({ size: bytes.length, open: () => sourceOf(bytes) })

async function filled(numbers: readonly number[]): Promise<TestArchive> {
  const test = await openTestArchive()
  for (const number of numbers) await push(test.archive, nameOf(number), segment(number))
  return test
}

describe('list and timelines', () => {
  it('names what PostgreSQL can ask for, and leaves sidecars and foreign objects out', async () => {
    const { archive, store } = await filled([1, 2])
    await push(archive, `${nameOf(2)}.00000028.backup`, 'START')
    await push(archive, '00000002.history', '1\t0/280000\tx\n')
    await push(archive, nameOf(2, 2), segment(2))
    for (const name of [`${nameOf(1)}.json`, `${nameOf(0)}_delta.lz4`, 'foreign']) await putRaw(store, `wal_005/${name}`, 'x')
    await putRaw(store, `wal_005/${nameOf(2)}.zst`, 'also stored')
    const names = await Array.fromAsync(archive.list(), ({ name, kind }) => `${name} ${kind}`)
    expect(names).toEqual([
      `${nameOf(1)} segment`,
      `${nameOf(2)}.00000028.backup backup-history`,
      `${nameOf(2)} segment`,
      `${nameOf(2)} segment`,
      '00000002.history timeline-history',
      `${nameOf(2, 2)} segment`,
    ])
    expect(await Array.fromAsync(archive.list({ timeline: timelineId(2) }), ({ storedName }) => storedName)).toEqual([
      '00000002.history.lz4',
      `${nameOf(2, 2)}.lz4`,
    ])
    expect(await archive.timelines()).toMatchObject([
      { timeline: 1, first: nameOf(1), last: nameOf(2), segments: 2, hasHistory: false, lastStoredAt: new Date('2026-03-01T00:00:00Z') },
      { timeline: 2, first: nameOf(2, 2), last: nameOf(2, 2), segments: 1, hasHistory: true },
    ])
    expect(await archive.has(nameOf(1))).toBe(true)
    expect(await archive.has(nameOf(3))).toBe(false)
    expect((await archive.history(timelineId(2)))?.switches).toMatchObject([{ timeline: 1, switchLsn: 0x280000n }])
    expect(await archive.history(timelineId(3))).toBeUndefined()
  })

  it('reads the times of a segment', async () => {
    const { archive } = await filled([1, 2])
    const { latest, earliest, check } = await archive.segmentTimes(nameOf(2))
    expect(check.complete).toBe(true)
    expect(latest!.unixMicroseconds).toBeGreaterThan(earliest!.unixMicroseconds)
    expect(await faultOf(archive.segmentTimes(nameOf(7)))).toMatchObject({ code: 'WAL_NOT_FOUND' })
    expect(await faultOf(archive.segmentTimes('00000002.history'))).toMatchObject({ code: 'WAL_NAME_INVALID' })
  })
})

describe('verify', () => {
  it('tells lost segments from those that may still come', async () => {
    const { archive } = await filled([1, 2, 5, 7])
    expect(await archive.verify(nameOf(1), nameOf(2))).toEqual({ complete: true, gaps: [] })
    expect(await archive.verify(nameOf(1), nameOf(9))).toEqual({
      complete: false,
      gaps: [
        { timeline: 1, first: nameOf(3), last: nameOf(4), segments: 2, reason: 'lost' },
        { timeline: 1, first: nameOf(6), last: nameOf(6), segments: 1, reason: 'lost' },
        { timeline: 1, first: nameOf(8), last: nameOf(9), segments: 2, reason: 'not-yet-archived' },
      ],
    })
    expect((await archive.verify(nameOf(3), nameOf(4))).gaps).toEqual([
      { timeline: 1, first: nameOf(3), last: nameOf(4), segments: 2, reason: 'lost' },
    ])
    expect((await archive.verify(nameOf(0), nameOf(1))).gaps).toMatchObject([{ first: nameOf(0), last: nameOf(0), reason: 'lost' }])
  })

  it('follows the history: the segment of a switch must be there under the newer timeline', async () => {
    const { archive } = await filled([1, 2, 3])
    await push(archive, '00000002.history', '1\t0/380000\tx\n')
    await push(archive, nameOf(4, 2), segment(4))
    expect((await archive.verify(nameOf(1), nameOf(5, 2))).gaps).toEqual([
      { timeline: 2, first: nameOf(3, 2), last: nameOf(3, 2), segments: 1, reason: 'lost' },
      { timeline: 2, first: nameOf(5, 2), last: nameOf(5, 2), segments: 1, reason: 'not-yet-archived' },
    ])
    await push(archive, nameOf(3, 2), segment(3))
    expect(await archive.verify(nameOf(1), nameOf(4, 2))).toMatchObject({ complete: true })
  })

  it('refuses names that make no range', async () => {
    const { archive } = await filled([1])
    expect(await faultOf(archive.verify(nameOf(2), nameOf(1)))).toMatchObject({ code: 'WAL_NAME_INVALID' })
    expect(await faultOf(archive.verify('x', nameOf(1)))).toMatchObject({ code: 'WAL_NAME_INVALID' })
    expect(await faultOf(archive.verify(nameOf(1), nameOf(1, 2)))).toMatchObject({ code: 'WAL_NAME_INVALID' })
  })
})

describe('ensureRange', () => {
  const request = (first: number, last: number, files: Record<string, LocalWal>, timeline = 1) => ({
    first: nameOf(first, timeline),
    last: nameOf(last, timeline),
    segmentBytes: SEGMENT,
    source: (name: string) => files[name],
  })
  const files = Object.fromEntries(wal.map((bytes, index) => [nameOf(index + 1), local(bytes)]))

  it('pushes what is missing, no more', async () => {
    const { archive, store } = await filled([2, 4])
    const told: string[] = []
    expect(await archive.ensureRange({ ...request(2, 5, files), onPushed: (name) => told.push(name) })).toEqual({
      complete: true,
      pushed: [nameOf(3), nameOf(5)],
      alreadyStored: 2,
      missing: [],
    })
    expect(told).toEqual([nameOf(3), nameOf(5)])
    expect(await keysOf(store)).toHaveLength(5)
    expect(await archive.ensureRange(request(2, 5, {}))).toEqual({ complete: true, pushed: [], alreadyStored: 4, missing: [] })
  })

  it('says what it could not get', async () => {
    const { archive } = await filled([2])
    const outcome = await archive.ensureRange(request(1, 4, { [nameOf(3)]: files[nameOf(3)] }))
    expect(outcome).toEqual({ complete: false, pushed: [nameOf(3)], alreadyStored: 1, missing: [nameOf(1), nameOf(4)] })
  })

  it('counts a file as there when the archiver stored and removed it meanwhile', async () => {
    const { archive } = await filled([1])
    const source = async (name: string): Promise<undefined> => void (await push(archive, name, segment(2)))
    expect(await archive.ensureRange({ ...request(1, 2, {}), source })).toMatchObject({ complete: true, alreadyStored: 2, pushed: [] })
  })

  it('needs the history of a later timeline, and pushes it before its segments', async () => {
    const { archive } = await openTestArchive()
    const own = { [nameOf(2, 2)]: local(segment(2)) }
    expect(await archive.ensureRange(request(2, 2, own, 2))).toMatchObject({ complete: false, missing: ['00000002.history'] })
    const second = await openTestArchive()
    const pushed = await second.archive.ensureRange(request(2, 2, { ...own, '00000002.history': local('1\t0/280000\tx\n') }, 2))
    expect(pushed).toMatchObject({ complete: true, pushed: ['00000002.history', nameOf(2, 2)] })
  })

  it('keeps every fence of a push', async () => {
    const { archive } = await filled([1])
    const wrong = { [nameOf(2)]: local(segment(3)) }
    expect(await faultOf(archive.ensureRange(request(1, 2, wrong)))).toMatchObject({ code: 'WAL_FILE_INVALID' })
    const foreign = { [nameOf(2)]: local(makeWal({ first: 2, system: 5n })[0]) }
    expect(await faultOf(archive.ensureRange(request(1, 2, foreign)))).toMatchObject({ code: 'WAL_ARCHIVE_FOREIGN' })
    expect(await faultOf(archive.ensureRange({ ...request(1, 2, files), last: nameOf(2, 2) }))).toMatchObject({ code: 'WAL_NAME_INVALID' })
    await push(archive, nameOf(2), flipped(segment(2), 5000))
    expect(await archive.ensureRange(request(1, 2, files))).toMatchObject({ complete: true, alreadyStored: 2 })
  })
})
