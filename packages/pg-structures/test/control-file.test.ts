import { describe, expect, it } from 'vitest'
import { crc32c, decodeControlFile, formatLsn } from '../src/index.ts'
import { flip } from './wal-writer.ts'
import fixtures from './fixtures/control-files.json' with { type: 'json' }

const bytesOf = (base64: string): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.from(base64, 'base64'))
const [first = { base64: '' }] = fixtures

/** A copy with some 32-bit words replaced and the checksum, at `crcAt`, made right again. */
function edited(words: Readonly<Record<number, number>>, crcAt = 288): Uint8Array {
  const bytes = bytesOf(first.base64)
  const view = new DataView(bytes.buffer)
  for (const [at, value] of Object.entries(words)) view.setUint32(Number(at), value, true)
  view.setUint32(crcAt, crc32c(bytes.subarray(0, crcAt)), true)
  return bytes
}

describe('decodeControlFile', () => {
  it.each(fixtures)('agrees with PostgreSQL $major about its own file', ({ server, base64 }) => {
    const control = decodeControlFile(bytesOf(base64))
    expect(control.crcValid).toBe(true)
    expect(control.state).toBe('shut down')
    expect({
      pg_control_version: String(control.controlVersion),
      catalog_version_no: String(control.catalogVersion),
      system_identifier: String(control.systemIdentifier),
      database_block_size: String(control.blockBytes),
      blocks_per_segment: String(control.relationSegmentBlocks),
      wal_block_size: String(control.walBlockBytes),
      bytes_per_wal_segment: String(control.walSegmentBytes),
      data_page_checksum_version: String(control.dataChecksumVersion),
      checkpoint_lsn: formatLsn(control.checkpointLsn),
      redo_lsn: formatLsn(control.redoLsn),
      timeline_id: String(control.timeline),
      prev_timeline_id: String(control.previousTimeline),
      modified: String(control.updatedAtSeconds),
      checkpoint_seconds: String(control.checkpointSeconds),
    }).toEqual(server)
    expect(control).toMatchObject({ minRecoveryLsn: 0n, minRecoveryTimeline: 0, backupStartLsn: 0n, backupEndLsn: 0n })
    expect(control).toMatchObject({ backupEndRequired: false, walLevel: 1 })
  })

  it.each(fixtures)('sees any single flipped byte of PostgreSQL $major', ({ base64 }) => {
    const bytes = bytesOf(base64)
    const length = bytes.findLastIndex((byte) => byte !== 0) + 1
    for (let at = 0; at < length; at += 1) {
      flip(bytes, at, 0x40)
      let seen: boolean
      try {
        seen = !decodeControlFile(bytes).crcValid
      } catch {
        seen = true
      }
      expect(seen, `byte ${at}`).toBe(true)
      flip(bytes, at, 0x40)
    }
  })

  it('reads recovery fields', () => {
    const control = decodeControlFile(edited({ 16: 5, 136: 0x1234, 140: 2, 144: 3, 152: 8, 160: 9, 168: 1, 172: 2 }))
    expect(control).toMatchObject({ state: 'in archive recovery', minRecoveryLsn: 0x2_0000_1234n, minRecoveryTimeline: 3, crcValid: true })
    expect(control).toMatchObject({ backupStartLsn: 8n, backupEndLsn: 9n, backupEndRequired: true, walLevel: 2 })
  })

  it.each([
    [960, 256, 216, 252],
    [1002, 288, 216, 252],
    [1100, 280, 208, 244],
    [1201, 288, 216, 252],
  ])('reads control version %i', (version, crcAt, blockAt, checksumAt) => {
    const sizes = { [blockAt]: 8192, [blockAt + 4]: 131_072, [blockAt + 8]: 8192, [blockAt + 12]: 2 ** 24, [checksumAt]: 7 }
    const timelineAt = version < 1100 ? 56 : 48
    const control = decodeControlFile(edited({ 8: version, ...sizes, [timelineAt]: 4 }, crcAt))
    expect(control).toMatchObject({ crcValid: true, timeline: 4, blockBytes: 8192, walSegmentBytes: 2 ** 24, dataChecksumVersion: 7 })
  })

  it.each([
    ['nothing', new Uint8Array(), 'corrupt', 'PG_CONTROL_CORRUPT'],
    ['zeros', new Uint8Array(8192), 'corrupt', 'PG_CONTROL_CORRUPT'],
    ['a file cut before its checksum', bytesOf(first.base64).subarray(0, 291), 'corrupt', 'PG_CONTROL_CORRUPT'],
    ['an unknown state', edited({ 16: 7 }), 'corrupt', 'PG_CONTROL_CORRUPT'],
    ['no timeline', edited({ 48: 0 }), 'corrupt', 'PG_CONTROL_CORRUPT'],
    ['no block size', edited({ 216: 0 }), 'corrupt', 'PG_CONTROL_CORRUPT'],
    ['a big-endian file', edited({ 8: 0x1405_0000 }), 'corrupt', 'PG_CONTROL_CORRUPT'],
    ['an unknown version', edited({ 8: 9999 }), 'unsupported', 'PG_CONTROL_UNSUPPORTED'],
  ])('refuses %s', (_, bytes, kind, code) => {
    expect(() => decodeControlFile(bytes)).toThrow(expect.objectContaining({ kind, code }))
  })
})
