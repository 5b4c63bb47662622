import { readFileSync } from 'node:fs'
import { sourceOf } from '@waltz/bytes'
import { formatLsn, parseTimelineHistory, segmentName } from '@waltz/pg-structures'
import { walKey } from '@waltz/repository'
import { createMemoryStore } from '@waltz/storage/memory'
import { describe, expect, it } from 'vitest'
import { readCatalogue, type CatalogueStorage } from '../../src/catalogue/read-catalogue.ts'
import { segmentSizeOf } from '../../src/catalogue/segment-size.ts'
import { surveyWal, type WalSurvey } from '../../src/catalogue/survey-wal.ts'
import { walOfBackups } from '../../src/catalogue/wal-findings.ts'
import { missingIn } from '../../src/catalogue/wal-runs.ts'

/** What `wal-show --detailed-json` of WAL-G says of one timeline. */
interface Shown {
  readonly id: number
  readonly start_segment: string
  readonly end_segment: string
  readonly segments_count: number
  readonly missing_segments: readonly string[]
}

/** Backups and WAL of a cluster with three timelines, made and archived by WAL-G 3.0.9, and copies of it with objects removed. */
const fixture = JSON.parse(readFileSync(new URL('../fixtures/timelines.json', import.meta.url), 'utf8')) as {
  readonly documents: Readonly<Record<string, string>>
  readonly wal: readonly string[]
  readonly histories: Readonly<Record<string, string>>
  readonly variants: Readonly<Record<string, { readonly removed: readonly string[]; readonly walShow: readonly Shown[] }>>
}

interface Looked {
  readonly survey: WalSurvey
  /** Of each backup its finding and its windows. */
  readonly backups: Readonly<Record<string, readonly string[]>>
}

async function look(variant: string): Promise<Looked> {
  const store = createMemoryStore({ now: () => new Date('2026-11-20T22:39:30Z') })
  for (const [key, text] of Object.entries(fixture.documents)) await store.put(key, sourceOf(text))
  const removed = fixture.variants[variant]?.removed ?? []
  const names = fixture.wal.filter((name) => !removed.includes(name))
  for (const name of names) await store.put(walKey(name), sourceOf('x'))
  const storages: readonly CatalogueStorage[] = [{ name: 'default', store }]
  const { entries } = await readCatalogue(storages, { now: () => new Date('2026-11-21T00:00:00Z') })
  const { bytes: segmentBytes, from } = segmentSizeOf(entries, undefined)
  expect([segmentBytes, from]).toEqual([1_048_576, 'backups'])
  const survey = await surveyWal(storages, {
    segmentBytes,
    readHistory: async (timeline) => {
      const name = Object.keys(fixture.histories).find((digits) => Number.parseInt(digits, 16) === timeline)
      return name === undefined ? undefined : parseTimelineHistory(fixture.histories[name] ?? '', timeline)
    },
  })
  const backups = [...walOfBackups(entries, survey)].map(([{ name }, { finding, windows }]) => {
    const texts = windows.map(({ timeline, untilLsn, endsInGap }) => `${timeline} to ${formatLsn(untilLsn)}${endsInGap ? ', gap' : ''}`)
    return [name, finding === undefined ? texts : [finding.kind]] as const
  })
  return { survey, backups: Object.fromEntries(backups) }
}

const [FIRST, SECOND, THIRD] = ['base_000000010000000000000013', 'base_000000020000000000000019', 'base_00000003000000000000001F']

describe('the archive of a cluster with three timelines', () => {
  it.each(Object.entries(fixture.variants))('is seen as WAL-G sees it: %s', async (variant, { walShow }) => {
    const { survey } = await look(variant)
    const seen = survey.timelines.map(({ timeline, runs }) => {
      const [first, last] = [runs[0]?.first ?? 0, runs.at(-1)?.last ?? 0]
      const name = (number: number): string => segmentName(timeline, number, survey.segmentBytes)
      const gaps = missingIn(runs, first, last).flatMap((gap) =>
        Array.from({ length: gap.last - gap.first + 1 }, (_, index) => gap.first + index),
      )
      return {
        id: timeline,
        start_segment: name(first),
        end_segment: name(last),
        segments_count: runs.reduce((sum, run) => sum + run.last - run.first + 1, 0),
        missing_segments: gaps.toReversed().map(name),
      }
    })
    expect(seen).toEqual(
      walShow.map(({ id, start_segment, end_segment, segments_count, missing_segments }) => ({
        id,
        start_segment,
        end_segment,
        segments_count,
        missing_segments,
      })),
    )
  })

  it('leads every backup as far as PostgreSQL came with it', async () => {
    expect((await look('main')).backups).toEqual({
      [FIRST]: ['1 to 0/1900000', '2 to 0/1D00000', '3 to 0/2100000'],
      [SECOND]: ['2 to 0/1D00000', '3 to 0/2100000'],
      [THIRD]: ['3 to 0/2100000'],
    })
  })

  it.each([
    ['gap-timeline1', { [FIRST]: ['1 to 0/1600000, gap'], [SECOND]: ['2 to 0/1D00000', '3 to 0/2100000'], [THIRD]: ['3 to 0/2100000'] }],
    ['gap-several', { [FIRST]: ['wal-missing'], [SECOND]: ['2 to 0/1D00000', '3 to 0/1F00000, gap'], [THIRD]: ['wal-missing'] }],
    ['no-history', { [FIRST]: ['1 to 0/1900000'], [SECOND]: ['2 to 0/1D00000'], [THIRD]: ['3 to 0/2100000'] }],
    [
      'missing-last',
      {
        [FIRST]: ['1 to 0/1900000', '2 to 0/1D00000', '3 to 0/2000000'],
        [SECOND]: ['2 to 0/1D00000', '3 to 0/2000000'],
        [THIRD]: ['3 to 0/2000000'],
      },
    ],
    [
      'missing-first-of-backup',
      {
        [FIRST]: ['1 to 0/1900000', '2 to 0/1D00000', '3 to 0/1F00000, gap'],
        [SECOND]: ['2 to 0/1D00000', '3 to 0/1F00000, gap'],
        [THIRD]: ['wal-missing'],
      },
    ],
  ])('shows what is lost: %s', async (variant, expected) => {
    expect((await look(variant)).backups).toEqual(expected)
  })
})
