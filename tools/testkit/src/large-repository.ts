/** Names and documents of a repository of any size, made up while they are asked for: nothing is held. */

/** How large it is. */
export interface LargeRepositoryOptions {
  readonly backups: number
  /** Segments that are archived. */
  readonly walObjects: number
  /** Backups of a chain: a full one and the increments after it; 7 unless given. */
  readonly chainLength?: number
  /** Archives of each backup; 2 unless given. */
  readonly parts?: number
  /** Every so many backups the server is failed over to the next timeline; never unless given. */
  readonly backupsPerTimeline?: number
}

/** A repository that is made up. */
export interface LargeRepository {
  /** Names of the backups, oldest first. Every `chainLength`th one is a full one. */
  backupName(index: number): string
  /** All keys below `basebackups_005/` in ascending order of bytes. */
  backupKeys(): Iterable<string>
  /** All keys below `wal_005/` in ascending order of bytes: segments, and a history for each timeline but the first. */
  walKeys(): Iterable<string>
  /** What an object holds: documents and histories as they are in a real repository, a few bytes otherwise. */
  bytesOf(key: string): Uint8Array
  /** When an object was stored, as its place in the WAL has it: backups an hour apart. */
  modifiedAtOf(key: string): Date
  /** How many timelines there are. */
  readonly timelines: number
  /** How many objects there are below each folder. */
  readonly backupObjects: number
  readonly walObjects: number
}

const SEGMENT_BYTES = 16 * 1_048_576
const SEGMENTS_PER_HIGH = 256
/** Segments before the first backup: garbage. */
const FIRST_SEGMENT = 10
const SYSTEM = '7402951873649102847'
const BEGIN = Date.UTC(2020, 0, 1)
const HOUR_MS = 3_600_000
const BACKUP_MS = 60_000
const hex8 = (value: number): string => value.toString(16).toUpperCase().padStart(8, '0')
const TINY = Buffer.from('waltz')

/** Makes up a repository: backups of one server at equal distances in its WAL, chains of increments, timelines one after the other. */
export function largeRepository(options: LargeRepositoryOptions): LargeRepository {
  const { backups, walObjects, chainLength = 7, parts = 2, backupsPerTimeline = Infinity } = options
  const distance = Math.max(1, Math.floor((walObjects - FIRST_SEGMENT) / backups))
  const timelines = Math.max(1, Math.ceil(backups / backupsPerTimeline))
  const segmentOf = (index: number): number => FIRST_SEGMENT + index * distance
  const timelineOf = (index: number): number => (backupsPerTimeline === Infinity ? 1 : Math.floor(index / backupsPerTimeline) + 1)
  /** The first segment of a timeline: the one before its first backup. */
  const beginOf = (timeline: number): number => (timeline === 1 ? 0 : segmentOf((timeline - 1) * backupsPerTimeline) - 1)
  const name = (timeline: number, segment: number): string =>
    `${hex8(timeline)}${hex8(Math.floor(segment / SEGMENTS_PER_HIGH))}${hex8(segment % SEGMENTS_PER_HIGH)}`
  const own = (index: number): string => name(timelineOf(index), segmentOf(index))
  const backupName = (index: number): string => `base_${own(index)}${index % chainLength === 0 ? '' : `_D_${own(index - 1)}`}`
  /** Of a segment that is no backup's first, somewhere between two backups. */
  const indexOf = (key: string): number => {
    const [, high = '0', low = '0'] = /[0-9A-F]{8}([0-9A-F]{8})([0-9A-F]{8})/.exec(key) ?? []
    return (Number.parseInt(high, 16) * SEGMENTS_PER_HIGH + Number.parseInt(low, 16) - FIRST_SEGMENT) / distance
  }
  const startedMs = (index: number): number => BEGIN + Math.floor(index * HOUR_MS)
  const historyText = (timeline: number): string =>
    Array.from(
      { length: timeline - 1 },
      (_, index) => `${index + 1}\t${lsnText(beginOf(index + 2) * SEGMENT_BYTES + 4096)}\tno recovery target specified\n`,
    ).join('')

  const factsOf = (key: string): Facts => {
    const index = indexOf(key)
    const started = new Date(startedMs(index)).toISOString()
    const finished = new Date(startedMs(index) + BACKUP_MS).toISOString()
    const start = segmentOf(index) * SEGMENT_BYTES + 40
    const depth = index % chainLength
    const increment =
      depth === 0
        ? ''
        : `"DeltaLSN":${start - distance * SEGMENT_BYTES},"DeltaFrom":"${backupName(index - 1)}","DeltaFullName":"${backupName(index - depth)}","DeltaCount":${depth},`
    return { started, finished, start, increment }
  }
  return {
    backupName,
    *backupKeys() {
      for (let index = 0; index < backups; index += 1) {
        const folder = `basebackups_005/${backupName(index)}`
        yield `${folder}/metadata.json`
        for (let part = 1; part <= parts; part += 1) yield `${folder}/tar_partitions/part_${String(part).padStart(3, '0')}.tar.lz4`
        yield `${folder}_backup_stop_sentinel.json`
      }
    },
    *walKeys() {
      let left = walObjects
      for (let timeline = 1; timeline <= timelines; timeline += 1) {
        if (timeline > 1) yield `wal_005/${hex8(timeline)}.history.lz4`
        // The segment of the switch belongs to the next timeline; its beginning is stored with the old one as well.
        const last = timeline === timelines ? Infinity : beginOf(timeline + 1)
        for (let segment = beginOf(timeline); segment <= last && left > 0; segment += 1) {
          left -= 1
          yield `wal_005/${name(timeline, segment)}${segment === last ? '.partial' : ''}.lz4`
        }
      }
    },
    bytesOf(key) {
      if (key.endsWith('/metadata.json')) return Buffer.from(metadataText(factsOf(key)))
      if (key.endsWith('_backup_stop_sentinel.json')) return Buffer.from(sentinelText(factsOf(key)))
      const history = /([0-9A-F]{8})\.history\.lz4$/.exec(key)?.[1]
      return history === undefined ? TINY : lz4Frame(Buffer.from(historyText(Number.parseInt(history, 16))))
    },
    modifiedAtOf: (key) => new Date(startedMs(indexOf(key)) + BACKUP_MS),
    timelines,
    backupObjects: backups * (parts + 2),
    walObjects: walObjects + timelines - 1,
  }
}

interface Facts {
  readonly started: string
  readonly finished: string
  readonly start: number
  readonly increment: string
}

function sentinelText({ started, finished, start, increment }: Facts): string {
  return `{"LSN":${start},${increment}"PgVersion":150020,"FinishLSN":${start + 200},"SystemIdentifier":${SYSTEM},"UncompressedSize":8185856,"CompressedSize":609424,"DataCatalogSize":8185856,"ChkpNum":null,"Version":2,"StartTime":"${started}","FinishTime":"${finished}","DateFmt":"%Y-%m-%dT%H:%M:%S.%fZ","Hostname":"db1","DataDir":"/var/lib/postgresql/15/main","IsPermanent":false}`
}

function metadataText({ started, finished, start }: Facts): string {
  return `{"start_time":"${started}","finish_time":"${finished}","date_fmt":"%Y-%m-%dT%H:%M:%S.%fZ","hostname":"db1","data_dir":"/var/lib/postgresql/15/main","pg_version":150020,"start_lsn":${start},"finish_lsn":${start + 200},"is_permanent":false,"system_identifier":${SYSTEM},"uncompressed_size":8185856,"compressed_size":609424}`
}

function lsnText(position: number): string {
  return `${Math.floor(position / 2 ** 32).toString(16)}/${(position % 2 ** 32).toString(16)}`.toUpperCase()
}

/** The smallest frame: independent blocks of at most 64 KiB, no checksums, one block as it is. */
function lz4Frame(content: Uint8Array): Uint8Array {
  const size = Buffer.alloc(4)
  size.writeUInt32LE((content.length | 0x8000_0000) >>> 0)
  return Buffer.concat([Buffer.from('04224d18604082', 'hex'), size, content, Buffer.alloc(4)])
}
