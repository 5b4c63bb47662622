import { describe, expect, it } from 'vitest'
import {
  firstBlockOf,
  initForkPath,
  isRelationFork,
  parseBackupLabel,
  parseLsn,
  parseRelationPath,
  parseTimelineHistory,
  timelineAt,
  timelineId,
} from '../src/index.ts'

const corruptHistory: unknown = expect.objectContaining({ kind: 'corrupt', code: 'TIMELINE_HISTORY_INVALID' })
const corruptLabel: unknown = expect.objectContaining({ kind: 'corrupt', code: 'BACKUP_LABEL_INVALID' })

describe('parseTimelineHistory', () => {
  const text = '1\t0/3000060\tbefore 2023-01-01 00:00:00+00\n\n# a comment\n  2\t1/a0\tno recovery target specified\r\n5\t1/A0'

  it('reads lines, comments and blanks', () => {
    expect(parseTimelineHistory(text, timelineId(6))).toEqual({
      timeline: 6,
      switches: [
        { timeline: 1, switchLsn: parseLsn('0/3000060'), reason: 'before 2023-01-01 00:00:00+00' },
        { timeline: 2, switchLsn: parseLsn('1/A0'), reason: 'no recovery target specified' },
        { timeline: 5, switchLsn: parseLsn('1/A0'), reason: '' },
      ],
    })
  })

  it('says which timeline wrote a position', () => {
    const history = parseTimelineHistory(text, timelineId(6))
    const at = (position: string): number | undefined => timelineAt(history, parseLsn(position))
    expect([at('0/0'), at('0/300005F'), at('0/3000060'), at('1/9F'), at('1/A0'), at('FF/0')]).toEqual([1, 1, 2, 2, 6, 6])
  })

  it('does not guess the timeline after the last switch', () => {
    expect(timelineAt(parseTimelineHistory(text), parseLsn('1/A0'))).toBeUndefined()
    expect(timelineAt(parseTimelineHistory(''), parseLsn('1/A0'))).toBeUndefined()
    expect(timelineAt(parseTimelineHistory('', timelineId(1)), parseLsn('1/A0'))).toBe(1)
  })

  it('takes the newest line where a recovery stopped before its target timeline began', () => {
    const history = parseTimelineHistory('1\t0/5000000\tx\n2\t0/4000000\ty\n', timelineId(3))
    const at = (position: string): number | undefined => timelineAt(history, parseLsn(position))
    expect([at('0/3FFFFFF'), at('0/4000000'), at('0/4800000'), at('0/6000000')]).toEqual([1, 3, 3, 3])
  })

  it.each([
    'x',
    '1',
    '1\tx',
    '0\t0/1',
    '4294967296\t0/1',
    '1 0/1 a\n1 0/2 b',
    '2 0/1 a\n1 0/2 b',
    '9\t0/1\tnot below its own timeline',
    '-1\t0/1',
  ])('refuses %j', (text) => {
    expect(() => parseTimelineHistory(text, timelineId(9))).toThrow(corruptHistory)
  })
})

describe('parseBackupLabel', () => {
  const label = `START WAL LOCATION: 0/2000028 (file 000000010000000000000002)
CHECKPOINT LOCATION: 0/2000060
BACKUP METHOD: streamed
BACKUP FROM: primary
START TIME: 2023-05-06 07:08:09 UTC
LABEL: nightly: base
START TIMELINE: 1
`

  it('reads a label', () => {
    expect(parseBackupLabel(label)).toEqual({
      startLsn: parseLsn('0/2000028'),
      startWalFile: '000000010000000000000002',
      checkpointLsn: parseLsn('0/2000060'),
      backupMethod: 'streamed',
      backupFrom: 'primary',
      startTime: '2023-05-06 07:08:09 UTC',
      label: 'nightly: base',
      startTimeline: 1,
      stopLsn: undefined,
      stopWalFile: undefined,
      stopTime: undefined,
      stopTimeline: undefined,
      incrementalFromLsn: undefined,
      incrementalFromTimeline: undefined,
    })
  })

  it('reads a backup history file', () => {
    const stop = 'STOP WAL LOCATION: 0/3000100 (file 000000010000000000000003)\nSTOP TIME: 2023-05-06 07:09:00 UTC\nSTOP TIMELINE: 1\n'
    expect(parseBackupLabel(label + stop)).toMatchObject({
      stopLsn: parseLsn('0/3000100'),
      stopWalFile: '000000010000000000000003',
      stopTime: '2023-05-06 07:09:00 UTC',
      stopTimeline: 1,
    })
  })

  it('reads the lines of an incremental backup', () => {
    const lines = 'INCREMENTAL FROM LSN: 0/1000028\nINCREMENTAL FROM TLI: 1\n'
    expect(parseBackupLabel(label + lines)).toMatchObject({ incrementalFromLsn: parseLsn('0/1000028'), incrementalFromTimeline: 1 })
  })

  it('counts the first of two equal lines', () => {
    expect(parseBackupLabel(`${label}START WAL LOCATION: 0/9 (file 000000010000000000000009)\nno colon here`).startLsn).toBe(0x200_0028n)
  })

  it.each([
    '',
    'LABEL: x',
    label.replace(/^START WAL.*$/m, ''),
    label.replace(/^CHECKPOINT.*$/m, ''),
    label.replace('(file', '(segment'),
    label.replace('0/2000028', 'zero'),
    label.replace('0/2000060', 'zero'),
    label.replace('000000010000000000000002', '2'),
    label.replace('START TIMELINE: 1', 'START TIMELINE: one'),
  ])('refuses a label that lacks something (%#)', (text) => {
    expect(() => parseBackupLabel(text)).toThrow(corruptLabel)
  })
})

describe('parseRelationPath', () => {
  it.each([
    ['base/5/16384', { tablespaceOid: 1663, databaseOid: 5, fileNode: 16_384, fork: 'main', segment: 0, temporary: false }],
    ['/base/5/16384_fsm.1', { tablespaceOid: 1663, databaseOid: 5, fileNode: 16_384, fork: 'fsm', segment: 1 }],
    ['./base/5/16384_vm', { path: 'base/5/16384_vm', fork: 'vm' }],
    ['base/5/16384_init', { fork: 'init' }],
    ['base/5/16384.10', { segment: 10 }],
    ['global/1262', { tablespaceOid: 1664, databaseOid: 0, fileNode: 1262 }],
    ['pg_tblspc/16400/PG_15_202209061/5/16384.2', { tablespaceOid: 16_400, databaseOid: 5, fileNode: 16_384, segment: 2 }],
    ['base/5/t3_16384', { fileNode: 16_384, temporary: true }],
    ['base/5/t3_16384_fsm.1', { fork: 'fsm', segment: 1, temporary: true }],
  ])('knows %s', (path, expected) => {
    expect(parseRelationPath(path)).toMatchObject(expected)
  })

  it.each([
    'base/5/PG_VERSION',
    'base/5/pg_filenode.map',
    'base/5/pg_internal.init',
    'base/pgsql_tmp/pgsql_tmp1.0',
    'base/5/16384.0',
    'base/5/16384.',
    'base/5/16384_bad',
    'base/5/016384',
    'base/5/12345678901',
    'base/5/deep/16384',
    'base/16384',
    'global/pg_control',
    'global/5/16384',
    'pg_tblspc/16400',
    'pg_tblspc/16400/16384',
    'pg_wal/000000010000000000000001',
    'elsewhere/base/5/16384',
    'base/5/16384\n',
    '',
  ])('passes %j over', (path) => {
    expect(parseRelationPath(path)).toBeUndefined()
    expect(isRelationFork(path, 'main')).toBe(false)
  })

  it('tells forks apart and leaves temporary relations out', () => {
    expect(isRelationFork('base/5/16384.1', 'main')).toBe(true)
    expect(isRelationFork('base/5/16384_init', 'init')).toBe(true)
    expect(isRelationFork('base/5/16384_init', 'main')).toBe(false)
    expect(isRelationFork('base/5/t3_16384', 'main')).toBe(false)
  })

  it('names the init fork that makes a relation unlogged', () => {
    const initOf = (path: string): string | undefined => initForkPath(parseRelationPath(path)!)
    expect(initOf('base/5/16384.3')).toBe('base/5/16384_init')
    expect(initOf('pg_tblspc/16400/PG_15_202209061/5/16384_vm')).toBe('pg_tblspc/16400/PG_15_202209061/5/16384_init')
    expect(initOf('base/5/16384_init')).toBeUndefined()
    expect(initOf('base/5/t3_16384')).toBeUndefined()
  })

  it('counts blocks through all segments', () => {
    expect(firstBlockOf(parseRelationPath('base/5/16384.2')!, 131_072)).toBe(262_144)
  })
})
