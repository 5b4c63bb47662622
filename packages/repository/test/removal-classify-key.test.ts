import { describe, expect, it } from 'vitest'
import type { Lsn } from '@waltz/pg-structures'
import { classifyKey, endOfSegments, formatPosition, positionOf, positionOfName, segmentBytesOf } from '../src/removal.ts'

const MIB = 2 ** 20
const NAME = '0000000300000012000000AB'
const wal = (form: string, first: bigint, segments = 1): object => {
  const [high, low] = [Number(first >> 32n), Number(first & 0xffff_ffffn)]
  expect(positionOf({ high, low })).toBe(first)
  return { kind: 'wal', form, timeline: 3, high, low, segments }
}

describe('what a key is', () => {
  const AT = 0x12_0000_00abn
  it.each([
    ['', 'segment'],
    ['.zst', 'segment'],
    ['.lz4', 'segment'],
    ['.', 'segment'],
    ['.partial', 'partial'],
    ['.partial.br', 'partial'],
    ['.00000028.backup.lzma', 'backup-history'],
    ['.json', 'sidecar'],
    ['.partial.json', 'sidecar'],
  ])('knows WAL: %s is a %s', (rest, form) => {
    expect(classifyKey(`wal_005/${NAME}${rest}`)).toEqual(wal(form, AT))
  })

  it('knows what belongs to sixteen segments', () => {
    expect(classifyKey(`wal_005/${NAME.slice(0, 23)}0_delta.lz4`)).toEqual(wal('block-map', 0x12_0000_00a0n, 16))
    expect(classifyKey(`wal_005/${NAME.slice(0, 23)}.json`)).toEqual(wal('sidecar', 0x12_0000_00a0n, 16))
  })

  it('knows histories of timelines', () => {
    expect(classifyKey('wal_005/0000000A.history.zst')).toEqual({ kind: 'timeline-history', timeline: 10, sidecar: false })
    expect(classifyKey('wal_005/0000000A.history.json')).toEqual({ kind: 'timeline-history', timeline: 10, sidecar: true })
  })

  it('knows backups, and those for standbys', () => {
    const base = `base_${NAME}`
    expect(classifyKey(`basebackups_005/${base}_backup_stop_sentinel.json`)).toEqual({ kind: 'sentinel', area: 'backup', backup: base })
    expect(classifyKey(`catchup_005/${base}_backup_stop_sentinel.json`)).toEqual({ kind: 'sentinel', area: 'catchup', backup: base })
    for (const rest of ['metadata.json', 'tar_partitions/part_001.tar.lz4', 'waltz/lease.json'])
      expect(classifyKey(`basebackups_005/${base}_D_${NAME}/${rest}`)).toEqual({
        kind: 'backup-object',
        area: 'backup',
        backup: `${base}_D_${NAME}`,
      })
  })

  it.each([
    'wal_005/notes.txt',
    `wal_005/${NAME}.bak`,
    `wal_005/${NAME.toLowerCase()}.zst`,
    `wal_005/sub/${NAME}.zst`,
    `wal_005/${NAME}0`,
    'wal_005/000000000000001200000001.zst',
    'basebackups_005/readme',
    'basebackups_005/notes/readme',
    'other/thing',
    NAME,
  ])('leaves alone what it does not know: %s', (key) => {
    expect(classifyKey(key)).toEqual({ kind: 'foreign' })
  })

  it('knows what is being uploaded, and what is its own', () => {
    expect(classifyKey(`wal_005/${NAME}.zst.tmp.20260301T021044Z-0123456789abcdef`)).toEqual({ kind: 'upload' })
    expect(classifyKey(`wal_005/${NAME}.zst_chunks/chunk3`)).toEqual({ kind: 'upload' })
    expect(classifyKey('waltz/cluster.json')).toEqual({ kind: 'waltz' })
  })
})

describe('positions of WAL', () => {
  it('are those of names, whatever the size of segments', () => {
    expect(positionOfName(`${NAME}.partial`)).toBe(0x12_0000_00abn)
    expect(formatPosition(3, 0x12_0000_00abn)).toBe(NAME)
  })

  it('touch across 4 GiB where the size is known', () => {
    expect(endOfSegments(0x1_0000_00ffn, 1, 16 * MIB)).toBe(0x2_0000_0000n)
    expect(endOfSegments(0x1_0000_00ffn, 1, MIB)).toBe(0x1_0000_0100n)
    expect(endOfSegments(0x1_0000_00ffn, 1, undefined)).toBe(0x1_0000_0100n)
    // Sixteen segments of a gigabyte are sixteen gigabytes.
    expect(endOfSegments(0x1_0000_0000n, 16, 1024 * MIB)).toBe(0x5_0000_0000n)
    expect(endOfSegments(0x1_0000_0000n, 16, undefined)).toBe(0x5_0000_0000n)
  })
})

describe('the size of segments', () => {
  const claim = (walFileName: string, start: bigint): { walFileName: string; startLsn: Lsn } => ({ walFileName, startLsn: start as Lsn })
  it('is what names and positions of backups agree on', () => {
    expect(segmentBytesOf([claim('000000010000000000000014', 0x1400028n)])).toBe(MIB)
    expect(segmentBytesOf([claim('000000010000000000000014', 0x14000028n)])).toBe(16 * MIB)
  })

  it('takes the name of a standby, which is that of the byte before', () => {
    expect(segmentBytesOf([claim('000000010000000000000013', 0x14000000n)])).toBe(16 * MIB)
  })

  it('is unknown where several fit, where they contradict each other, and where nobody says', () => {
    expect(segmentBytesOf([claim('000000010000000100000000', 0x1_0000_0028n)])).toBeUndefined()
    expect(segmentBytesOf([claim('000000010000000000000014', 0x1400028n), claim('000000010000000000000014', 0x14000028n)])).toBeUndefined()
    expect(segmentBytesOf([])).toBeUndefined()
  })
})
