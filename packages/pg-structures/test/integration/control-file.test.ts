import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decodeControlFile, formatLsn } from '../../src/index.ts'
import { makeCluster, releases, run, whereTools, type Cluster } from './single-user.ts'

const found = releases()
if (found.length === 0) console.warn('SKIPPED: no PostgreSQL programs found, pg_control is not compared with a server')

describe.each(found)('pg_control of PostgreSQL $major in $bin', (release) => {
  let cluster: Cluster
  beforeAll(() => {
    cluster = makeCluster(release, 4)
  })
  afterAll(() => cluster.remove())

  it('says what the server says', () => {
    const control = decodeControlFile(cluster.file('global/pg_control'))
    expect(control).toMatchObject({ crcValid: true, state: 'shut down', walSegmentBytes: 4 * 2 ** 20, dataChecksumVersion: 1 })
    const row = cluster.row('select * from pg_control_system(), pg_control_init(), pg_control_checkpoint();')
    expect(row).toMatchObject({
      system_identifier: String(control.systemIdentifier),
      pg_control_version: String(control.controlVersion),
      catalog_version_no: String(control.catalogVersion),
      checkpoint_lsn: formatLsn(control.checkpointLsn),
      redo_lsn: formatLsn(control.redoLsn),
      timeline_id: String(control.timeline),
      database_block_size: String(control.blockBytes),
      blocks_per_segment: String(control.relationSegmentBlocks),
      wal_block_size: String(control.walBlockBytes),
      bytes_per_wal_segment: String(control.walSegmentBytes),
      data_page_checksum_version: String(control.dataChecksumVersion),
    })
  })

  whereTools(release)('says what pg_controldata says', () => {
    const control = decodeControlFile(cluster.file('global/pg_control'))
    const printed = run(release, 'pg_controldata', ['-D', cluster.data])
    const value = (name: string): string | undefined => new RegExp(`^${name}: +(.*)$`, 'm').exec(printed)?.[1]
    expect(value('Database cluster state')).toBe(control.state)
    expect(value('Minimum recovery ending location')).toBe(formatLsn(control.minRecoveryLsn))
    expect(value("Min recovery ending loc's timeline")).toBe(String(control.minRecoveryTimeline))
    expect(value('Backup start location')).toBe(formatLsn(control.backupStartLsn))
    expect(value('End-of-backup record required')).toBe(control.backupEndRequired ? 'yes' : 'no')
    expect(value('wal_level setting')).toBe(['minimal', 'replica', 'logical'][control.walLevel])
    expect(value('Time of latest checkpoint')).toContain(String(new Date(Number(control.checkpointSeconds) * 1000).getUTCFullYear()))
  })
})
