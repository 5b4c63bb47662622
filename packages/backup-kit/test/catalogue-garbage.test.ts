import { Fault } from '@waltz/errors'
import { parseTimelineHistory, timelineId, type TimelineId } from '@waltz/pg-structures'
import { sentinelKey, walKey } from '@waltz/repository'
import { describe, expect, it } from 'vitest'
import { findGarbage, firstNeededSegments, type GarbageFinding, type GarbageReport } from '../src/catalogue/find-garbage.ts'
import { readCatalogue } from '../src/catalogue/read-catalogue.ts'
import { surveyWal } from '../src/catalogue/survey-wal.ts'
import { madeRepository, nameOf, objectsOf, SEGMENT_BYTES, segment, type MadeRepository } from './catalogue-repository.ts'

const NOW = new Date('2026-03-20T00:00:00Z')

async function garbageOf(repository: MadeRepository, histories: Readonly<Record<number, string | Fault>> = {}): Promise<GarbageReport> {
  const storages = [{ name: 'default', store: repository.store }]
  const catalogue = await readCatalogue(storages, { now: () => NOW })
  const cuts = firstNeededSegments(catalogue.entries, SEGMENT_BYTES)
  const survey = await surveyWal(storages, {
    segmentBytes: SEGMENT_BYTES,
    cutAt: (timeline) => cuts.get(timeline),
    readHistory: async (timeline: TimelineId) => {
      const text = histories[timeline]
      if (text instanceof Fault) throw text
      return text === undefined ? undefined : parseTimelineHistory(text, timeline)
    },
  })
  return findGarbage(catalogue, { survey, cuts })
}

const shown = ({ findings }: GarbageReport): readonly string[] =>
  findings.map(({ kind, removable, objects, where }) => `${kind}${removable ? '' : ' (stays)'} ${objects} ${where}`)
const range = (first: number, last: number, timeline = 1): string =>
  first === last ? `wal_005/${segment(first, timeline)}.lz4` : `wal_005/${segment(first, timeline)}.lz4 to ${segment(last, timeline)}.lz4`

describe('findGarbage', () => {
  it('finds nothing in a repository that is in order', async () => {
    const repository = madeRepository()
    const full = await repository.add({ segment: 4 })
    await repository.add({ segment: 6, parent: full })
    await repository.wal(3, 9)
    expect(await garbageOf(repository)).toMatchObject({ findings: [{ kind: 'wal-before-first-backup', objects: 1 }], warnings: [] })
    await repository.store.delete([walKey(`${segment(3)}.lz4`)])
    expect(await garbageOf(repository)).toEqual({ findings: [], warnings: [] })
  })

  it('finds WAL from before the first backup, with its sum', async () => {
    const repository = madeRepository()
    await repository.wal(1, 5)
    await repository.add({ segment: 4, permanent: true })
    const { findings } = await garbageOf(repository)
    expect(findings).toEqual([
      {
        kind: 'wal-before-first-backup',
        storage: 'default',
        removable: true,
        where: range(1, 3),
        backup: undefined,
        timeline: timelineId(1),
        objects: 3,
        bytes: 3,
        oldestAt: new Date('2026-03-01T00:00:01Z'),
        newestAt: new Date('2026-03-01T00:00:03Z'),
        reason: 'it is older than the first backup of timeline 1',
      } satisfies GarbageFinding,
    ])
  })

  it('keeps what a backup may need that cannot be read, or is being written', async () => {
    for (const more of [{ sentinel: 'x' }, { sentinel: false }] as const) {
      const repository = madeRepository(more.sentinel === false ? '2026-03-19T12:00:00Z' : undefined)
      await repository.wal(1, 9)
      await repository.add({ segment: 3, metadata: false, ...more })
      await repository.add({ segment: 6 })
      expect(shown(await garbageOf(repository)).at(-1)).toBe(`wal-before-first-backup 2 ${range(1, 2)}`)
    }
  })

  it('finds attempts that were never finished, and keeps those that may go on', async () => {
    const repository = madeRepository()
    const old = await repository.add({ segment: 2, sentinel: false, parts: 3 })
    repository.at = new Date('2026-03-19T20:00:00Z')
    const young = await repository.add({ segment: 3, sentinel: false })
    const { findings } = await garbageOf(repository)
    expect(findings.map(({ kind, removable, backup, objects }) => [kind, removable, backup, objects])).toEqual([
      ['unfinished-backup', true, old, 4],
      ['backup-being-written', false, young, 2],
    ])
    expect(findings[0]?.reason).toBe('it was never finished, and its newest object is 18 days old')
    expect(findings[1]?.reason).toContain('3 h old')
  })

  it('finds sentinels without a backup and increments without a parent', async () => {
    const repository = madeRepository()
    const alone = nameOf({ segment: 4 })
    await repository.put(sentinelKey(alone), objectsOf({ segment: 4 }).get(sentinelKey(alone)))
    const orphan = await repository.add({ segment: 6, parent: 'base_000000010000000000000001' })
    const kept = await repository.add({ segment: 7, parent: 'base_000000010000000000000001', permanent: true })
    const { findings } = await garbageOf(repository)
    expect(findings.map(({ kind, removable, backup }) => [kind, removable, backup])).toEqual([
      ['sentinel-without-backup', true, alone],
      ['increment-without-parent', true, orphan],
      ['increment-without-parent', false, kept],
    ])
  })

  it('finds WAL of timelines that nothing leads to', async () => {
    const repository = madeRepository()
    await repository.add({ segment: 4 })
    await repository.wal(4, 9)
    await repository.wal(6, 8, 2)
    await repository.wal(2, 3, 3)
    await repository.wal(9, 9, 4)
    for (const timeline of [2, 3]) await repository.put(walKey(`0000000${timeline}.history.lz4`))
    // 2 left 1 behind the backup, 3 before it, and of 4 nothing is known.
    const report = await garbageOf(repository, { 2: '1\t0/6000100\tx\n', 3: '1\t0/2000100\tx\n' })
    expect(shown(report)).toEqual([`wal-before-first-backup 2 ${range(2, 3, 3)}`, `wal-of-unknown-timeline (stays) 1 ${range(9, 9, 4)}`])
  })

  it('takes WAL of a timeline for needed when its history cannot be read, and says so', async () => {
    const repository = madeRepository()
    await repository.add({ segment: 4 })
    await repository.wal(1, 3, 2)
    await repository.put(walKey('00000002.history.lz4'))
    const report = await garbageOf(repository, { 2: new Fault('corrupt', 'WAL_CONTENT_WRONG', 'it is damaged') })
    expect(report.findings).toEqual([])
    expect(report.warnings).toEqual(['the history of timeline 2 cannot be read, so its WAL counts as needed: it is damaged'])
  })

  it('counts the descendants of a backup on an older timeline as needed from their first segment on', async () => {
    const repository = madeRepository()
    await repository.add({ segment: 4 })
    await repository.add({ segment: 9, timeline: 2 })
    await repository.wal(6, 12, 2)
    await repository.put(walKey('00000002.history.lz4'))
    expect(shown(await garbageOf(repository, { 2: '1\t0/6000100\tx\n' }))).toEqual([])
    expect(shown(await garbageOf(repository, { 2: '1\t0/3000100\tx\n' }))).toEqual([`wal-before-first-backup 3 ${range(6, 8, 2)}`])
  })

  it('says that WAL without any backup is of no use, and leaves it', async () => {
    const repository = madeRepository()
    await repository.wal(1, 3)
    await repository.put(walKey('notes.txt'))
    expect(shown(await garbageOf(repository))).toEqual([
      `wal-without-backup (stays) 3 ${range(1, 3)}`,
      'foreign (stays) 1 wal_005/notes.txt',
    ])
  })
})
