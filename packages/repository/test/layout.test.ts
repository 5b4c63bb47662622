import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  backupOfSentinelKey,
  clusterIdentityKey,
  filesMetadataKey,
  formatBackupName,
  leaseKey,
  manifestKey,
  metadataKey,
  parseBackupName,
  partKey,
  partName,
  partRole,
  partsPrefix,
  sentinelKey,
  strippedName,
  walFileNameOf,
  walKey,
} from '../src/index.ts'

const FULL = 'base_000000010000000000000002'
const DELTA = 'base_000000010000000000000005_D_000000010000000000000002'

describe('keys', () => {
  it('are where WAL-G looks, and Waltz keeps its own beside them', () => {
    expect(sentinelKey(FULL)).toBe(`basebackups_005/${FULL}_backup_stop_sentinel.json`)
    expect(metadataKey(FULL)).toBe(`basebackups_005/${FULL}/metadata.json`)
    expect(filesMetadataKey(FULL)).toBe(`basebackups_005/${FULL}/files_metadata.json`)
    expect(partsPrefix(FULL)).toBe(`basebackups_005/${FULL}/tar_partitions/`)
    expect(partKey(FULL, 'part_001.tar.lz4')).toBe(`basebackups_005/${FULL}/tar_partitions/part_001.tar.lz4`)
    expect(walKey('000000010000000000000002.lz4')).toBe('wal_005/000000010000000000000002.lz4')
    expect(manifestKey(FULL)).toBe(`basebackups_005/${FULL}/waltz/manifest.json`)
    expect(leaseKey(FULL)).toBe(`basebackups_005/${FULL}/waltz/lease.json`)
    expect(clusterIdentityKey).toBe('waltz/cluster.json')
  })

  it('number parts with at least three digits', () => {
    expect([1, 12, 123, 1000].map(partName)).toEqual(['part_001.tar', 'part_012.tar', 'part_123.tar', 'part_1000.tar'])
  })

  it.each([
    ['pg_control.tar.lz4', 'control'],
    ['pg_control.tar', 'control'],
    ['pg_control.tar.', 'control'],
    ['backup_label.tar.br', 'label'],
    ['part_001.tar.lz4', 'data'],
    ['copy_0.tar.tar', 'data'],
    ['part_001.tar.', 'data'],
  ])('tell the role of %s: %s', (name, role) => {
    expect(partRole(name)).toBe(role)
  })
})

describe('backup names', () => {
  it('are read and written', () => {
    expect(parseBackupName(FULL)).toEqual({ segment: '000000010000000000000002' })
    expect(parseBackupName(DELTA)).toEqual({ segment: '000000010000000000000005', parentSegment: '000000010000000000000002' })
    expect(parseBackupName('base_000000010000000000000002_00000028')).toEqual({
      segment: '000000010000000000000002',
      walEOffset: '00000028',
    })
    for (const text of [
      '',
      'base_',
      `${FULL}_D_`,
      'base_00000001000000000000000g',
      FULL.toLowerCase().replace('2', 'a'),
      `${FULL}_backup`,
      ` ${FULL}`,
    ]) {
      expect(parseBackupName(text)).toBeUndefined()
    }
  })

  it('round trip', () => {
    const segment = fc.stringMatching(/^[0-9A-F]{24}$/)
    fc.assert(
      fc.property(segment, fc.option(segment), fc.option(fc.stringMatching(/^[0-9A-F]{8}$/)), (own, parent, offset) => {
        const text = `base_${own}${parent === null ? '' : `_D_${parent}`}${offset === null ? '' : `_${offset}`}`
        const name = parseBackupName(text)
        expect(name && formatBackupName(name)).toBe(text)
      }),
    )
  })

  it('show their WAL file', () => {
    expect(walFileNameOf(DELTA)).toBe('000000010000000000000005')
    expect(walFileNameOf('stream_20260301T100000Z')).toBe('Z'.repeat(24))
  })

  it('are cut out of keys at the first "_backup"', () => {
    expect(strippedName(sentinelKey(DELTA))).toBe(DELTA)
    expect(strippedName('a/x_backup_y_backup_stop_sentinel.json')).toBe('x')
    expect(strippedName('plain')).toBe('plain')
    expect(backupOfSentinelKey(sentinelKey(FULL))).toBe(FULL)
    expect(backupOfSentinelKey(metadataKey(FULL))).toBeUndefined()
    expect(backupOfSentinelKey(`basebackups_005/sub/${FULL}_backup_stop_sentinel.json`)).toBeUndefined()
    expect(backupOfSentinelKey(`catchup_005/${FULL}_backup_stop_sentinel.json`)).toBeUndefined()
  })
})
