import { formatTimestamp, type Timestamp } from '@waltz/repository'
import type { ObjectInfo, ObjectVersion } from '@waltz/storage'
import type { Invocation } from '../../command.ts'
import { localZone } from '../../local-zone.ts'
import { renderPlainTable } from '../../render-table.ts'

/** One line of a listing. */
export interface EntryRow {
  readonly type: 'dir' | 'obj'
  readonly size: number
  readonly modified: string
  /** For programs. */
  readonly modifiedAt?: Date
  readonly name: string
  readonly versionId: string
  readonly versionInfo: string
}

/** Go's zero time, which folders have. */
const NO_TIME = '0001-01-01 00:00:00 +0000 UTC'

/** A folder has neither size nor time. */
export function folderRow(name: string): EntryRow {
  return { type: 'dir', size: 0, modified: NO_TIME, name, versionId: '', versionInfo: '' }
}

/** An object. */
export function objectRow(info: ObjectInfo, name: string): EntryRow {
  return { type: 'obj', size: info.size, modified: formatGoTime(info), modifiedAt: info.modifiedAt, name, versionId: '', versionInfo: '' }
}

/** One version of an object, marked as WAL-G marks it: `LATEST`, `LATEST DELETE`, `DELETE` or not. */
export function versionRow(version: ObjectVersion, name: string): EntryRow {
  const versionInfo = [version.latest ? 'LATEST' : '', version.deleteMarker ? 'DELETE' : ''].filter(Boolean).join(' ')
  const { size, modifiedAt, versionId } = version
  return { type: 'obj', size, modified: formatGoTime(version), modifiedAt, name, versionId, versionInfo }
}

/** As Go prints a time: `2026-03-01 02:10:44.123456789 +0000 UTC`, the fraction without zeros at its end (CMD 8). */
function formatGoTime({ modifiedAt, modifiedAtNs }: Pick<ObjectInfo, 'modifiedAt' | 'modifiedAtNs'>): string {
  const ms = modifiedAt.getTime()
  const time: Timestamp = { ns: modifiedAtNs ?? BigInt(ms) * 1_000_000n, offsetMinutes: localZone.offsetMinutesAt(ms) }
  const seconds = formatTimestamp(time, 'seconds').slice(0, 19).replace('T', ' ')
  const fraction = String(time.ns % 1_000_000_000n)
    .padStart(9, '0')
    .replace(/0+$/, '')
  const offset = Math.abs(time.offsetMinutes)
  const digits = (value: number): string => String(value).padStart(2, '0')
  const zone = `${time.offsetMinutes < 0 ? '-' : '+'}${digits(Math.floor(offset / 60))}${digits(offset % 60)}`
  return `${seconds}${fraction === '' ? '' : `.${fraction}`} ${zone} ${localZone.nameAt(ms)}`
}

/** Prints rows in batches, so that a listing of any length needs little memory. */
export interface RowPrinter {
  add(row: EntryRow): void
  end(): void
}

const BATCH = 5_000
const HEADER = ['type', 'size', 'last modified', 'name']

/** Columns for people and scripts, or one JSON array. Columns are as wide as the widest cell of a batch. */
export function createRowPrinter({ io, json }: Invocation): RowPrinter {
  let rows: EntryRow[] = []
  let printed = 0
  const flush = (last: boolean): void => {
    if (json) {
      const text = rows.map((row) => JSON.stringify(jsonRow(row))).join(',')
      io.stdout(`${printed === 0 ? '[' : rows.length > 0 ? ',' : ''}${text}${last ? ']\n' : ''}`)
    } else {
      const table = renderPlainTable(HEADER, rows.map(cellsOf))
      io.stdout(printed === 0 ? table : table.slice(table.indexOf('\n') + 1))
    }
    printed += rows.length
    rows = []
  }
  return {
    add(row) {
      rows.push(row)
      if (rows.length >= BATCH) flush(false)
    },
    end: () => flush(true),
  }
}

function cellsOf({ type, size, modified, name, versionId, versionInfo }: EntryRow): readonly string[] {
  return [type, String(size), modified, name, versionId, versionInfo]
}

function jsonRow({ type, size, modifiedAt, name, versionId, versionInfo }: EntryRow): Record<string, unknown> {
  const version =
    versionId === '' ? {} : { version_id: versionId, latest: versionInfo.startsWith('LATEST'), deleted: versionInfo.endsWith('DELETE') }
  return type === 'dir' ? { type, name } : { type, name, size, last_modified: modifiedAt, ...version }
}
