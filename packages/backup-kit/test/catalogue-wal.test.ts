import { Fault } from '@waltz/errors'
import { parseTimelineHistory, type Lsn, type TimelineHistory, type TimelineId } from '@waltz/pg-structures'
import { walKey } from '@waltz/repository'
import { array, assert, nat, property, tuple } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readCatalogue } from '../src/catalogue/read-catalogue.ts'
import { segmentSizeOf } from '../src/catalogue/segment-size.ts'
import { surveyWal, type SurveyWalOptions, type WalSurvey } from '../src/catalogue/survey-wal.ts'
import { walOfBackups, type BackupWal } from '../src/catalogue/wal-findings.ts'
import { mergeRuns, missingIn, runAt, type WalRun } from '../src/catalogue/wal-runs.ts'
import { madeRepository, SEGMENT_BYTES, segment, type MadeRepository } from './catalogue-repository.ts'

const NOW = new Date('2026-03-20T00:00:00Z')
/** The position of a byte in a segment. */
const lsn = (number: number, offset = 0): Lsn => (BigInt(number * SEGMENT_BYTES) + BigInt(offset)) as Lsn
const lsnText = (position: Lsn): string => `${(position >> 32n).toString(16)}/${(position & 0xffff_ffffn).toString(16)}`
type Histories = Readonly<Record<number, readonly (readonly [timeline: number, switchLsn: Lsn])[]>>

async function survey(
  repositories: readonly MadeRepository[],
  histories: Histories = {},
  options: Partial<SurveyWalOptions> = {},
): Promise<WalSurvey> {
  const readHistory = async (timeline: TimelineId): Promise<TimelineHistory | undefined> => {
    const lines = histories[timeline]?.map(([left, position]) => `${left}\t${lsnText(position)}\tno reason\n`)
    return lines === undefined ? undefined : parseTimelineHistory(lines.join(''), timeline)
  }
  const storages = repositories.map(({ store }, index) => ({ name: String(index), store }))
  return await surveyWal(storages, { segmentBytes: SEGMENT_BYTES, readHistory, ...options })
}

/** What the archive means for each backup, by name and, with several storages, the storage's number. */
async function walOf(repositories: readonly MadeRepository[], histories: Histories = {}): Promise<ReadonlyMap<string, BackupWal>> {
  const storages = repositories.map(({ store }, index) => ({ name: String(index), store }))
  const { entries } = await readCatalogue(storages, { now: () => NOW })
  const found = walOfBackups(entries, await survey(repositories, histories))
  return new Map([...found].map(([entry, wal]) => [entry.name, wal]))
}

const history = async (repository: MadeRepository, timeline: number): Promise<void> =>
  repository.put(walKey(`${timeline.toString(16).toUpperCase().padStart(8, '0')}.history.lz4`))
const shown = (wal: BackupWal | undefined): readonly string[] =>
  wal?.windows.map(
    ({ timeline, fromLsn, untilLsn, endsInGap }) => `${timeline} ${lsnText(fromLsn)} ${lsnText(untilLsn)}${endsInGap ? ' gap' : ''}`,
  ) ?? []

describe('surveyWal', () => {
  it('makes runs of segments, and leaves everything else out of them', async () => {
    const repository = madeRepository()
    await repository.wal(3, 5)
    await repository.wal(250, 260)
    await repository.put(walKey(`${segment(4)}.zst`))
    for (const name of [
      `${segment(6)}.partial.lz4`,
      `${segment(7)}.json`,
      `${segment(8)}_delta.lz4`,
      `${segment(9)}.00000028.backup.lz4`,
      `${segment(16).slice(0, 23)}.json`,
    ])
      await repository.put(walKey(name))
    await repository.wal(1, 2, 3)
    const { timelines, foreign } = await survey([repository])
    expect(timelines.map(({ timeline, runs }) => [timeline, runs.map(({ first, last }) => [first, last])])).toEqual([
      [
        1,
        [
          [3, 5],
          [250, 260],
        ],
      ],
      [3, [[1, 2]]],
    ])
    expect(timelines[0]?.sums).toMatchObject([{ storage: '0', before: { objects: 0 }, after: { objects: 20, bytes: 20 } }])
    expect(foreign).toEqual([])
  })

  it('counts what is no WAL, or no WAL of this size, apart', async () => {
    const repository = madeRepository()
    await repository.put(walKey('notes.txt'), '1234')
    await repository.put(walKey(`${segment(1)}.lz4.tmp.20260301T000000Z-0123456789abcdef`))
    await repository.put(walKey('000000010000000000000100.lz4'))
    const { timelines, foreign } = await survey([repository])
    expect(timelines).toEqual([])
    expect(foreign).toMatchObject([{ sum: { objects: 3, bytes: 6 } }])
  })

  it('parts the sums where it is told, groups of sixteen as a whole', async () => {
    const repository = madeRepository()
    await repository.wal(10, 20)
    await repository.put(walKey(`${segment(0)}_delta.lz4`))
    await repository.put(walKey(`${segment(16)}_delta.lz4`))
    const { timelines } = await survey([repository], {}, { cutAt: () => 16 })
    expect(timelines[0]?.sums[0]?.before.objects).toBe(7)
    expect(timelines[0]?.sums[0]?.after.objects).toBe(6)
    expect((await survey([repository], {}, { cutAt: () => 15 })).timelines[0]?.sums[0]?.before.objects).toBe(5)
  })

  it('asks for one listing, and for one history of each timeline that has one', async () => {
    const repository = madeRepository()
    await repository.wal(1, 50)
    await repository.wal(40, 60, 2)
    await history(repository, 2)
    const asked: number[] = []
    const readHistory = async (timeline: TimelineId): Promise<undefined> => void asked.push(timeline)
    await survey([repository], {}, { readHistory })
    expect(repository.requests).toEqual(['list wal_005/'])
    expect(asked).toEqual([2])
  })

  it('looks only at a range, and one segment behind it', async () => {
    const repository = madeRepository()
    await repository.wal(1, 300)
    const range = { timeline: 1 as TimelineId, first: 20, last: 21 }
    const { timelines } = await survey([repository], {}, { range })
    // A listing can begin where the last digit of a name does.
    expect(timelines.map(({ runs }) => runs)).toMatchObject([[{ first: 16, last: 22 }]])
  })

  it('keeps a history that cannot be read as a problem', async () => {
    const repository = madeRepository()
    await history(repository, 2)
    const problem = new Fault('corrupt', 'WAL_CONTENT_WRONG', 'no history')
    const { timelines } = await survey([repository], {}, { readHistory: async () => Promise.reject(problem) })
    expect(timelines).toMatchObject([{ hasHistory: true, history: undefined, problem }])
  })
})

describe('runs', () => {
  const at = new Date(0)
  const runs = (...pairs: readonly (readonly [number, number])[]): readonly WalRun[] =>
    pairs.map(([first, last]) => ({ first, last, lastStoredAt: at }))

  it('are united, found and missed as a set of segments says', () => {
    const pairs = array(tuple(nat(40), nat(8)), { maxLength: 8 })
    assert(
      property(pairs, nat(45), nat(10), (given, first, length) => {
        const made = given.map(([start, more]) => [start, start + more] as const)
        const all = new Set(made.flatMap(([start, end]) => Array.from({ length: end - start + 1 }, (_, index) => start + index)))
        const merged = mergeRuns(runs(...made))
        for (const [index, run] of merged.entries()) if (index > 0) expect(run.first).toBeGreaterThan((merged[index - 1]?.last ?? 0) + 1)
        for (let number = 0; number < 60; number += 1) expect(runAt(merged, number) !== undefined).toBe(all.has(number))
        const missed = missingIn(merged, first, first + length).flatMap((gap) =>
          Array.from({ length: gap.last - gap.first + 1 }, (_, index) => gap.first + index),
        )
        expect(missed).toEqual(Array.from({ length: length + 1 }, (_, index) => first + index).filter((number) => !all.has(number)))
      }),
    )
  })
})

describe('walOfBackups', () => {
  it('says which WAL a backup needs, and how far it leads', async () => {
    const repository = madeRepository()
    const name = await repository.add({ segment: 4 })
    await repository.wal(4, 9)
    const wal = (await walOf([repository])).get(name)
    expect(wal).toMatchObject({ first: segment(4), last: segment(4), missing: [], finding: undefined })
    expect(wal?.windows).toEqual([
      {
        timeline: 1,
        fromLsn: lsn(4, 240),
        fromTime: new Date('2026-03-01T10:00:00Z'),
        untilLsn: lsn(10),
        untilTime: new Date('2026-03-01T00:00:09Z'),
        endsInGap: false,
      },
    ])
  })

  it('tells what is lost from what may still come', async () => {
    const repository = madeRepository()
    const [lost, pending] = [await repository.add({ segment: 4 }), await repository.add({ segment: 9 })]
    await repository.wal(5, 8)
    const wal = await walOf([repository])
    expect(wal.get(lost)).toMatchObject({
      missing: [{ first: segment(4), last: segment(4), segments: 1 }],
      windows: [],
      finding: { kind: 'wal-missing' },
    })
    expect(wal.get(pending)).toMatchObject({ windows: [], finding: { kind: 'wal-not-yet-archived' } })
  })

  it('ends at a gap', async () => {
    const repository = madeRepository()
    const name = await repository.add({ segment: 4 })
    await repository.wal(4, 6)
    await repository.wal(8, 9)
    expect(shown((await walOf([repository])).get(name))).toEqual([`1 0/40000f0 ${lsnText(lsn(7))} gap`])
  })

  it('finds WAL in whichever storage has it', async () => {
    const [first, second] = [madeRepository(), madeRepository()]
    const name = await first.add({ segment: 4 })
    await first.wal(4, 5)
    await second.wal(6, 8)
    expect(shown((await walOf([first, second])).get(name))).toEqual([`1 0/40000f0 ${lsnText(lsn(9))}`])
  })

  it('follows every timeline that left after the end of the backup', async () => {
    const repository = madeRepository()
    const [early, late] = [await repository.add({ segment: 4 }), await repository.add({ segment: 8 })]
    await repository.wal(4, 10)
    await repository.wal(7, 12, 2)
    await repository.wal(11, 13, 3)
    for (const timeline of [2, 3]) await history(repository, timeline)
    // 2 left 1 in segment 7, 3 left 2 in segment 11.
    const histories: Histories = {
      2: [[1, lsn(7, 500)]],
      3: [
        [1, lsn(7, 500)],
        [2, lsn(11, 8)],
      ],
    }
    const wal = await walOf([repository], histories)
    expect(shown(wal.get(early))).toEqual([
      `1 0/40000f0 ${lsnText(lsn(11))}`,
      `2 0/40000f0 ${lsnText(lsn(13))}`,
      `3 0/40000f0 ${lsnText(lsn(14))}`,
    ])
    expect(shown(wal.get(late))).toEqual([`1 0/80000f0 ${lsnText(lsn(11))}`])
  })

  it('needs the segments before a switch from the older timeline, and the one of the switch from the newer', async () => {
    const histories: Histories = { 2: [[1, lsn(7, 500)]] }
    const windowsWith = async (older: readonly [number, number], newer: readonly [number, number]): Promise<readonly string[]> => {
      const repository = madeRepository()
      const name = await repository.add({ segment: 4 })
      await repository.wal(...older)
      await repository.wal(...newer, 2)
      await history(repository, 2)
      return shown((await walOf([repository], histories)).get(name))
    }
    expect(await windowsWith([4, 6], [7, 8])).toEqual([`1 0/40000f0 ${lsnText(lsn(7))}`, `2 0/40000f0 ${lsnText(lsn(9))}`])
    expect(await windowsWith([4, 5], [7, 8])).toEqual([`1 0/40000f0 ${lsnText(lsn(6))} gap`])
    // Without the newer one's copy of the segment the older one leads up to the switch.
    expect(await windowsWith([4, 7], [8, 9])).toEqual([`1 0/40000f0 ${lsnText(lsn(7, 500))} gap`, `1 0/40000f0 ${lsnText(lsn(8))}`])
  })

  it('does not go on in the WAL of a cluster that was upgraded to', async () => {
    const repository = madeRepository()
    const old = await repository.add({ segment: 4, systemIdentifier: '1' })
    const upgraded = await repository.add({ segment: 9, systemIdentifier: '2' })
    await repository.wal(4, 12)
    const wal = await walOf([repository])
    expect(shown(wal.get(old))).toEqual([`1 0/40000f0 ${lsnText(lsn(9))}`])
    expect(shown(wal.get(upgraded))).toEqual([`1 0/90000f0 ${lsnText(lsn(13))}`])
  })

  it('says nothing of backups without positions', async () => {
    const repository = madeRepository()
    await repository.add({ segment: 4, sentinel: '{}', metadata: false })
    await repository.add({ segment: 5, sentinel: 'x' })
    await repository.wal(4, 5)
    expect((await walOf([repository])).size).toBe(0)
  })
})

describe('segmentSizeOf', () => {
  const sizeOf = async (stated: number | undefined, ...segments: readonly number[]): Promise<ReturnType<typeof segmentSizeOf>> => {
    const repository = madeRepository()
    for (const one of segments) await repository.add({ segment: one })
    const { entries } = await readCatalogue([{ name: 'default', store: repository.store }], { now: () => NOW })
    return segmentSizeOf(entries, stated)
  }

  it('believes names and positions before the setting', async () => {
    expect(await sizeOf(undefined, 4)).toEqual({ bytes: SEGMENT_BYTES, from: 'backups', contradicted: undefined })
    expect(await sizeOf(SEGMENT_BYTES, 4, 9)).toEqual({ bytes: SEGMENT_BYTES, from: 'backups', contradicted: undefined })
    expect(await sizeOf(1_048_576, 4)).toEqual({ bytes: SEGMENT_BYTES, from: 'backups', contradicted: 1_048_576 })
  })

  it('takes the setting, or the usual size, where the names leave it open', async () => {
    expect(await sizeOf(1_048_576)).toEqual({ bytes: 1_048_576, from: 'setting', contradicted: undefined })
    expect(await sizeOf(undefined)).toEqual({ bytes: SEGMENT_BYTES, from: 'default', contradicted: undefined })
    expect(await sizeOf(1_048_576, 256)).toEqual({ bytes: 1_048_576, from: 'setting', contradicted: undefined })
  })
})
