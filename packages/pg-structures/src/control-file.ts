import { Fault } from '@waltz/errors'
import { crc32cRange } from './crc32c.ts'
import type { Lsn, SystemIdentifier, TimelineId } from './names.ts'

/** `DBState` of pg_control.h, in the words of `pg_controldata`. */
export type ClusterState =
  | 'starting up'
  | 'shut down'
  | 'shut down in recovery'
  | 'shutting down'
  | 'in crash recovery'
  | 'in archive recovery'
  | 'in production'

/** What `global/pg_control` says. */
export interface ControlFile {
  readonly systemIdentifier: SystemIdentifier
  /** `PG_CONTROL_VERSION`: 1300 for PostgreSQL 13 to 16, 1700 for 17, 1800 for 18. */
  readonly controlVersion: number
  /** `CATALOG_VERSION_NO`, like 202209061: with the major version it names the folder in a tablespace. */
  readonly catalogVersion: number
  readonly state: ClusterState
  /** When the file was last written, in seconds since 1970. */
  readonly updatedAtSeconds: bigint
  readonly checkpointLsn: Lsn
  readonly redoLsn: Lsn
  /** The timeline of the last checkpoint, and the one before it. */
  readonly timeline: TimelineId
  readonly previousTimeline: TimelineId
  /** When the last checkpoint began, in seconds since 1970. */
  readonly checkpointSeconds: bigint
  /** Replay must reach this before the data is consistent; 0/0 outside recovery. */
  readonly minRecoveryLsn: Lsn
  /** 0 outside recovery. */
  readonly minRecoveryTimeline: number
  readonly backupStartLsn: Lsn
  readonly backupEndLsn: Lsn
  readonly backupEndRequired: boolean
  /** 0 minimal, 1 replica, 2 logical. */
  readonly walLevel: number
  /** Data block size, in bytes. */
  readonly blockBytes: number
  /** Blocks of one relation segment file (`RELSEG_SIZE`), usually 131072. */
  readonly relationSegmentBlocks: number
  readonly walBlockBytes: number
  readonly walSegmentBytes: number
  /** 0: data pages carry no checksums. */
  readonly dataChecksumVersion: number
  /** Whether the CRC-32C over everything before it is right. */
  readonly crcValid: boolean
}

/** Where the fields of one `PG_CONTROL_VERSION` lie, in bytes. Fields before these never moved. */
interface Layout {
  /** The copy of the last checkpoint record. */
  readonly checkpoint: number
  readonly checkpointTime: number
  /** `minRecoveryPoint`; the backup points follow at +16. */
  readonly minRecovery: number
  /** `blcksz`; the other sizes follow it. */
  readonly blockSize: number
  readonly dataChecksum: number
  readonly crc: number
}

/**
 * By control version, from pg_control.h of each release. What moved them: 11 lost `prevCheckPoint` (8 bytes), 12 widened
 * the next transaction number and added `max_wal_senders`, 10 added the 32 bytes of nonce, 18 a byte before them.
 */
const LAYOUTS: ReadonlyMap<number, Layout> = new Map([
  [960, { checkpoint: 48, checkpointTime: 104, minRecovery: 136, blockSize: 216, dataChecksum: 252, crc: 256 }],
  [1002, { checkpoint: 48, checkpointTime: 104, minRecovery: 136, blockSize: 216, dataChecksum: 252, crc: 288 }],
  [1100, { checkpoint: 40, checkpointTime: 96, minRecovery: 128, blockSize: 208, dataChecksum: 244, crc: 280 }],
  [1201, { checkpoint: 40, checkpointTime: 104, minRecovery: 136, blockSize: 216, dataChecksum: 252, crc: 288 }],
  [1300, { checkpoint: 40, checkpointTime: 104, minRecovery: 136, blockSize: 216, dataChecksum: 252, crc: 288 }],
  [1700, { checkpoint: 40, checkpointTime: 104, minRecovery: 136, blockSize: 216, dataChecksum: 252, crc: 288 }],
  [1800, { checkpoint: 40, checkpointTime: 104, minRecovery: 136, blockSize: 216, dataChecksum: 252, crc: 292 }],
])

const STATES: readonly ClusterState[] = [
  'starting up',
  'shut down',
  'shut down in recovery',
  'shutting down',
  'in crash recovery',
  'in archive recovery',
  'in production',
]

const corrupt = (problem: string): Fault =>
  new Fault('corrupt', 'PG_CONTROL_CORRUPT', `pg_control ${problem}`, {
    hint: 'Read global/pg_control again; if it stays so, it is damaged.',
  })

function layoutOf(view: DataView): Layout {
  if (view.byteLength < 16) throw corrupt(`has only ${view.byteLength} bytes`)
  const version = view.getUint32(8, true)
  const layout = LAYOUTS.get(version)
  if (layout === undefined) {
    if (version === 0) throw corrupt('has no version: it is empty')
    if (LAYOUTS.has(view.getUint32(8, false))) throw corrupt('comes from a big-endian machine')
    throw new Fault('unsupported', 'PG_CONTROL_UNSUPPORTED', `pg_control has the unknown version ${version}`, {
      hint: 'Use a release of Waltz that knows this PostgreSQL version.',
      context: { version },
    })
  }
  if (view.byteLength < layout.crc + 4) throw corrupt(`has ${view.byteLength} bytes, version ${version} needs ${layout.crc + 4}`)
  return layout
}

function assertPossible(control: ControlFile): ControlFile {
  if (!control.crcValid) return control
  const sizes = [control.blockBytes, control.walBlockBytes, control.walSegmentBytes, control.relationSegmentBlocks]
  if (control.timeline === 0 || sizes.includes(0)) throw corrupt('holds impossible values although its checksum is right')
  return control
}

/**
 * Reads `global/pg_control` of PostgreSQL 9.6 to 18 (pg_control.h, little-endian). The whole file has 8192 bytes; the
 * first 296 are enough. Look at `crcValid` before anything else: the server rewrites the file in place, so a copy may be
 * torn, and then any field may be wrong: read it again.
 * @throws Fault `corrupt` `PG_CONTROL_CORRUPT` when it is too short or its values cannot be; `unsupported`
 * `PG_CONTROL_UNSUPPORTED` for an unknown version.
 */
export function decodeControlFile(bytes: Uint8Array): ControlFile {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const layout = layoutOf(view)
  const u32 = (at: number): number => view.getUint32(at, true)
  const lsnAt = (at: number): Lsn => view.getBigUint64(at, true) as Lsn
  const crcValid = crc32cRange(bytes, 0, layout.crc, 0) === u32(layout.crc)
  const state = STATES[u32(16)]
  if (state === undefined) throw corrupt(`says the unknown cluster state ${u32(16)}`)
  return assertPossible({
    systemIdentifier: view.getBigUint64(0, true) as SystemIdentifier,
    controlVersion: u32(8),
    catalogVersion: u32(12),
    state,
    updatedAtSeconds: view.getBigInt64(24, true),
    checkpointLsn: lsnAt(32),
    redoLsn: lsnAt(layout.checkpoint),
    timeline: u32(layout.checkpoint + 8) as TimelineId,
    previousTimeline: u32(layout.checkpoint + 12) as TimelineId,
    checkpointSeconds: view.getBigInt64(layout.checkpointTime, true),
    minRecoveryLsn: lsnAt(layout.minRecovery),
    minRecoveryTimeline: u32(layout.minRecovery + 8),
    backupStartLsn: lsnAt(layout.minRecovery + 16),
    backupEndLsn: lsnAt(layout.minRecovery + 24),
    backupEndRequired: bytes[layout.minRecovery + 32] !== 0,
    walLevel: u32(layout.minRecovery + 36),
    blockBytes: u32(layout.blockSize),
    relationSegmentBlocks: u32(layout.blockSize + 4),
    walBlockBytes: u32(layout.blockSize + 8),
    walSegmentBytes: u32(layout.blockSize + 12),
    dataChecksumVersion: u32(layout.dataChecksum),
    crcValid,
  })
}
