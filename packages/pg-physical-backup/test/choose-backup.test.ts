import { parseLsn } from '@waltz/pg-structures'
import { describe, expect, it } from 'vitest'
import {
  chooseBackup,
  resolveTimeline,
  type ArchivedTimeline,
  type ArchiveSurvey,
  type BackupCandidate,
} from '../src/restore/choose-backup.ts'
import type { RecoveryTarget } from '../src/restore/recovery-target.ts'
import { parseTargetTime } from '../src/restore/target-time.ts'

const day = (number: number): number => Date.UTC(2026, 0, number)
const backup = (name: string, on: number, finish: string, extra: Partial<BackupCandidate> = {}): BackupCandidate => ({
  name,
  timeline: 1,
  startLsn: parseLsn(finish),
  finishLsn: parseLsn(finish),
  finishedAtMs: day(on),
  increment: false,
  ...extra,
})
const timeline = (
  number: number,
  history: readonly (readonly [number, string])[],
  last: number | undefined,
  extra: Partial<ArchivedTimeline> = {},
): ArchivedTimeline => ({
  timeline: number,
  history: history.map(([of, at]) => ({ timeline: of, switchLsn: parseLsn(at) })),
  hasHistory: history.length > 0,
  lastSegment: last === undefined ? undefined : `0000000${number}00000000000000FF`,
  lastStoredAtMs: last === undefined ? undefined : day(last),
  ...extra,
})
const time = (text: string): RecoveryTarget => ({ kind: 'time', time: parseTargetTime(text, () => 0) })
const lsn = (text: string): RecoveryTarget => ({ kind: 'lsn', lsn: parseLsn(text) })

const one: ArchiveSurvey = { timelines: [timeline(1, [], 20)] }
const backups = [backup('a', 5, '0/5'), backup('b', 10, '0/A'), backup('c', 15, '0/F')]

describe('chooseBackup', () => {
  it('takes the newest that ended before the time, and says why', () => {
    const choice = chooseBackup({ target: time('2026-01-12Z'), timeline: 'latest' }, backups, one)
    expect(choice.backup.name).toBe('b')
    expect(choice.timeline).toBe(1)
    expect(choice.reason).toBe(
      'the newest full backup that ended before time 2026-01-12 00:00:00+00:00; ended 2026-01-10 00:00:00+00:00, on timeline 1',
    )
    expect(choice.passedOver).toEqual([{ name: 'c', why: 'ended 2026-01-15 00:00:00+00:00, after the target' }])
  })

  it('does not take a backup that ended at the very moment, nor after the LSN', () => {
    expect(chooseBackup({ target: time('2026-01-10Z'), timeline: 'latest' }, backups, one).backup.name).toBe('a')
    expect(chooseBackup({ target: lsn('0/E'), timeline: 'latest' }, backups, one).backup.name).toBe('b')
    expect(chooseBackup({ target: lsn('0/F'), timeline: 'latest' }, backups, one).backup.name).toBe('c')
  })

  it('refuses a time before the first backup and behind the last segment, with the window', () => {
    for (const text of ['2026-01-05Z', '2026-01-20 00:00:01Z'])
      expect(() => chooseBackup({ target: time(text), timeline: 'latest' }, backups, one)).toThrow(
        expect.objectContaining({
          kind: 'invalid',
          code: 'RECOVERY_TARGET_UNREACHABLE',
          hint: expect.stringContaining(
            'from 2026-01-05 00:00:00+00:00 (LSN 0/5), the end of a, to 2026-01-20 00:00:00+00:00, when segment 0000000100000000000000FF was archived',
          ),
        }),
      )
  })

  it('takes a time of storing in whole seconds for any moment of its second, because storages cut it off', () => {
    const take = (target: string, lastStoredAtMs: number): string =>
      chooseBackup({ target: time(target), timeline: 'latest' }, backups, { timelines: [timeline(1, [], 20, { lastStoredAtMs })] }).backup
        .name
    expect(take('2026-01-20 00:00:00.999Z', day(20))).toBe('c')
    expect(() => take('2026-01-20 00:00:01Z', day(20))).toThrow(expect.objectContaining({ code: 'RECOVERY_TARGET_UNREACHABLE' }))
    expect(() => take('2026-01-20 00:00:00.126Z', day(20) + 125)).toThrow(expect.objectContaining({ code: 'RECOVERY_TARGET_UNREACHABLE' }))
  })

  it('passes increments over', () => {
    const choice = chooseBackup(
      { target: { kind: 'end' }, timeline: 'latest' },
      [...backups, backup('d', 16, '1/0', { increment: true })],
      one,
    )
    expect(choice.backup.name).toBe('c')
    expect(choice.passedOver).toEqual([{ name: 'd', why: 'is incremental, which is not available yet' }])
  })

  it('judges a named backup instead of choosing', () => {
    expect(chooseBackup({ target: time('2026-01-18Z'), timeline: 'latest', named: 'a' }, backups, one).backup.name).toBe('a')
    expect(() => chooseBackup({ target: time('2026-01-07Z'), timeline: 'latest', named: 'b' }, backups, one)).toThrow(
      'backup b cannot reach time',
    )
  })

  it('says that nothing tells where a name or a transaction lies', () => {
    expect(chooseBackup({ target: { kind: 'name', name: 'rp' }, timeline: 'latest' }, backups, one).reason).toContain(
      "nothing tells where restore point 'rp' lies",
    )
    expect(chooseBackup({ target: { kind: 'xid', xid: '7' }, timeline: 'latest' }, backups, one).backup.name).toBe('c')
  })

  it('takes only backups of the target timeline and of what led to it', () => {
    const survey: ArchiveSurvey = { timelines: [timeline(1, [], 18), timeline(2, [[1, '0/B']], 20)] }
    const all = [...backups, backup('t2', 17, '0/D', { timeline: 2 })]
    expect(chooseBackup({ target: time('2026-01-16Z'), timeline: 'latest' }, all, survey).backup.name).toBe('b')
    expect(chooseBackup({ target: time('2026-01-16Z'), timeline: 'latest' }, all, survey).passedOver.map((each) => each.why)).toEqual([
      'ended 2026-01-17 00:00:00+00:00, after the target',
      'ended at 0/F, after its timeline was left at 0/B',
    ])
    expect(chooseBackup({ target: time('2026-01-16Z'), timeline: 'current' }, all, survey).backup.name).toBe('c')
    expect(chooseBackup({ target: time('2026-01-16Z'), timeline: 1 }, all, survey)).toMatchObject({ backup: { name: 'c' }, timeline: 1 })
    expect(chooseBackup({ target: { kind: 'end' }, timeline: 2 }, all, survey).backup.name).toBe('t2')
    expect(() => chooseBackup({ target: { kind: 'end' }, timeline: 9 }, all, survey)).toThrow('not in the history of timeline 9')
  })

  it('minds histories that step back', () => {
    const survey: ArchiveSurvey = {
      timelines: [
        timeline(
          3,
          [
            [1, '0/10'],
            [2, '0/8'],
          ],
          20,
        ),
      ],
    }
    expect(chooseBackup({ target: { kind: 'end' }, timeline: 3 }, backups, survey).backup.name).toBe('a')
  })

  it('says so when there is nothing at all', () => {
    expect(() => chooseBackup({ target: { kind: 'end' }, timeline: 'latest' }, [], { timelines: [] })).toThrow('there is no such backup')
    expect(() => chooseBackup({ target: time('2026-01-16Z'), timeline: 'latest' }, backups, { timelines: [] })).toThrow(
      'has no archived WAL to follow',
    )
  })
})

describe('resolveTimeline', () => {
  it('probes history files one by one, as the server does', () => {
    const survey: ArchiveSurvey = { timelines: [2, 3, 5].map((number) => timeline(number, [[1, '0/1']], 1)) }
    expect(resolveTimeline('latest', 1, survey)).toBe(3)
    expect(resolveTimeline('latest', 4, survey)).toBe(5)
    expect(resolveTimeline('latest', 5, survey)).toBe(5)
  })
})
