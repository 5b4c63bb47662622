import type { StoredBackup } from '@waltz/backup-kit'
import { formatLsn } from '@waltz/pg-structures'
import { formatTimestamp, parseTimestamp, stringifyJson, ZERO_TIMESTAMP, type BackupMetadata, type Timestamp } from '@waltz/repository'
import type { TimeZone } from '../local-zone.ts'
import { renderFramedTable, renderPlainTable } from '../render-table.ts'

/** One backup of a listing, with its small metadata where details were asked for. */
export interface ListedBackup {
  readonly summary: StoredBackup
  readonly metadata?: BackupMetadata
}

/** How the list is shown. */
export interface ListStyle {
  readonly detail: boolean
  readonly pretty: boolean
  readonly zone: TimeZone
}

interface Column {
  readonly name: string
  readonly title: string
  readonly cell: (backup: ListedBackup, showTime: (time: Timestamp) => string) => string
}

const ZERO_NS = parseTimestamp(ZERO_TIMESTAMP)?.ns
const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** The order of a listing with details: by start time when every backup has one, else as it is (CMD 2.3). */
export function inOrderOfStart(backups: readonly ListedBackup[]): readonly ListedBackup[] {
  const starts = new Map(backups.map((backup) => [backup, timeOf(backup.metadata?.startTime)?.ns ?? ZERO_NS ?? 0n]))
  if ([...starts.values()].includes(ZERO_NS ?? 0n)) return backups
  const startOf = (backup: ListedBackup): bigint => starts.get(backup) ?? 0n
  return backups.toSorted((left, right) => Number(startOf(left) > startOf(right)) - Number(startOf(left) < startOf(right)))
}

/** The list as columns, or as a framed table; what scripts cut and what people read (CMD 3.3). */
export function renderBackupTable(backups: readonly ListedBackup[], { detail, pretty, zone }: ListStyle): string {
  const columns = [...summaryColumns(zone), ...(detail ? detailColumns : [])]
  const showTime = pretty ? (time: Timestamp) => formatRfc850(time, zone) : (time: Timestamp) => formatTimestamp(time, 'seconds')
  const rows = backups.map((backup) => columns.map((column) => column.cell(backup, showTime)))
  if (!pretty)
    return renderPlainTable(
      columns.map((column) => column.name),
      rows,
    )
  const framed = [{ title: '#', align: 'right' as const }, ...columns.map(({ title }) => ({ title }))]
  return renderFramedTable(
    framed,
    rows.map((cells, index) => [String(index), ...cells]),
  )
}

/** The list as a JSON array in one line, or indented by four; keys, types and escapes as WAL-G has them (CMD 3.3). */
export function renderBackupJson(backups: readonly ListedBackup[], { pretty, zone }: Pick<ListStyle, 'pretty' | 'zone'>): string {
  const elements = backups.map(({ summary, metadata }) => {
    const { name, walFileName } = summary
    const time = formatTimestamp(modified(summary, zone), 'nanoseconds')
    const own: [string, unknown][] = [
      ['backup_name', name],
      ['time', time],
      ['wal_file_name', walFileName],
      ['storage_name', summary.storage],
    ]
    return new Map([...own, ...(metadata === undefined ? [] : detailMembers(metadata))])
  })
  return `${stringifyJson(elements, { escaping: 'classic', sortKeys: true, ...(pretty ? { indent: 4 } : {}) })}\n`
}

function detailMembers(metadata: BackupMetadata): readonly [string, unknown][] {
  return [
    ['start_time', normalized(metadata.startTime)],
    ['finish_time', normalized(metadata.finishTime)],
    ['date_fmt', metadata.dateFormat],
    ['hostname', metadata.hostname],
    ['data_dir', metadata.dataDirectory],
    ['pg_version', metadata.serverVersion],
    ['start_lsn', metadata.startLsn],
    ['finish_lsn', metadata.finishLsn],
    ['is_permanent', metadata.permanent],
    ['system_identifier', metadata.systemIdentifier ?? null],
    ['uncompressed_size', metadata.uncompressedBytes],
    ['compressed_size', metadata.storedBytes],
    ['user_data', metadata.userData],
  ]
}

function summaryColumns(zone: TimeZone): readonly Column[] {
  return [
    { name: 'backup_name', title: 'Backup name', cell: ({ summary }) => summary.name },
    { name: 'modified', title: 'Modified', cell: ({ summary }, showTime) => showTime(modified(summary, zone)) },
    { name: 'wal_file_name', title: 'WAL file name', cell: ({ summary }) => summary.walFileName },
    { name: 'storage_name', title: 'Storage name', cell: ({ summary }) => summary.storage },
  ]
}

/** A column of the small metadata, which every backup has in a listing with details. */
function detailColumn(name: string, title: string, text: (metadata: BackupMetadata) => string): Column {
  return { name, title, cell: ({ metadata }) => (metadata === undefined ? '' : text(metadata)) }
}

function timeColumn(name: string, title: string, of: (metadata: BackupMetadata) => string): Column {
  const show = (metadata: BackupMetadata | undefined, showTime: (time: Timestamp) => string): string => {
    const time = metadata === undefined ? undefined : timeOf(of(metadata))
    return time === undefined || time.ns === ZERO_NS ? '-' : showTime(time)
  }
  return { name, title, cell: ({ metadata }, showTime) => show(metadata, showTime) }
}

const detailColumns: readonly Column[] = [
  timeColumn('start_time', 'Start time', (metadata) => metadata.startTime),
  timeColumn('finish_time', 'Finish time', (metadata) => metadata.finishTime),
  detailColumn('hostname', 'Hostname', (metadata) => metadata.hostname),
  detailColumn('data_dir', 'Datadir', (metadata) => metadata.dataDirectory),
  detailColumn('pg_version', 'PG version', (metadata) => String(metadata.serverVersion)),
  detailColumn('start_lsn', 'Start LSN', (metadata) => formatLsn(metadata.startLsn)),
  detailColumn('finish_lsn', 'Finish LSN', (metadata) => formatLsn(metadata.finishLsn)),
  detailColumn('is_permanent', 'Permanent', (metadata) => String(metadata.permanent)),
]

function modified({ modifiedAt, modifiedAtNs }: StoredBackup, zone: TimeZone): Timestamp {
  const ms = modifiedAt.getTime()
  return { ns: modifiedAtNs ?? BigInt(ms) * 1_000_000n, offsetMinutes: zone.offsetMinutesAt(ms) }
}

function timeOf(text: string | undefined): Timestamp | undefined {
  return text === undefined ? undefined : parseTimestamp(text)
}

function normalized(text: string): string {
  const time = parseTimestamp(text)
  return time === undefined ? text : formatTimestamp(time, 'nanoseconds')
}

/** `Sunday, 01-Mar-26 02:10:44 UTC`. */
function formatRfc850(time: Timestamp, zone: TimeZone): string {
  const [date = '', clock = ''] = formatTimestamp(time, 'seconds').slice(0, 19).split('T')
  const [year = '', month = '', day = ''] = date.split('-')
  const weekday = WEEKDAYS[new Date(`${date}T00:00:00Z`).getUTCDay()]
  return `${weekday}, ${day}-${MONTHS[Number(month) - 1]}-${year.slice(2)} ${clock} ${zoneName(time, zone)}`
}

/** UTC, the name of the local zone when the time is written in it, otherwise the bare offset. */
function zoneName(time: Timestamp, zone: TimeZone): string {
  const ms = Number(time.ns / 1_000_000n)
  if (zone.offsetMinutesAt(ms) === time.offsetMinutes) return zone.nameAt(ms)
  if (time.offsetMinutes === 0) return 'UTC'
  return formatTimestamp({ ns: 0n, offsetMinutes: time.offsetMinutes }, 'seconds').slice(19).replace(':', '')
}
