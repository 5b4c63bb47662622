import type { Lsn, SystemIdentifier } from '@waltz/pg-structures'
import { documentMembers } from './document-members.ts'
import { fieldReader, type FieldReader } from './field-reader.ts'
import { parseJson, type JsonOrigin } from './json-text.ts'
import type { BackupMetadata } from './metadata.ts'
import { DATE_FORMAT, parseTimestamp, ZERO_TIMESTAMP } from './timestamp.ts'

/** The bytes of `metadata.json`: keys in WAL-G's order, `user_data` left out when there is none (RF 2.3). */
export function encodeMetadata(metadata: BackupMetadata): Uint8Array {
  const document = documentMembers()
  document.add('start_time', metadata.startTime)
  document.add('finish_time', metadata.finishTime)
  document.add('date_fmt', metadata.dateFormat)
  document.add('hostname', metadata.hostname)
  document.add('data_dir', metadata.dataDirectory)
  document.add('pg_version', metadata.serverVersion)
  document.add('start_lsn', metadata.startLsn)
  document.add('finish_lsn', metadata.finishLsn)
  document.add('is_permanent', metadata.permanent)
  document.add('system_identifier', metadata.systemIdentifier ?? null)
  document.add('uncompressed_size', metadata.uncompressedBytes)
  document.add('compressed_size', metadata.storedBytes)
  document.add('user_data', metadata.userData ?? undefined)
  return document.end()
}

/**
 * Reads `metadata.json` of any release; missing fields are empty, zero or `0001-01-01T00:00:00Z`.
 * @throws Fault `corrupt` `JSON_INVALID` or `JSON_FIELD_INVALID`.
 */
export function decodeMetadata(input: string | Uint8Array, { origin }: JsonOrigin): BackupMetadata {
  const fields = fieldReader(parseJson(input, { origin }), { origin })
  return {
    startTime: timeOf(fields, 'start_time'),
    finishTime: timeOf(fields, 'finish_time'),
    dateFormat: fields.text('date_fmt') ?? DATE_FORMAT,
    hostname: fields.text('hostname') ?? '',
    dataDirectory: fields.text('data_dir') ?? '',
    serverVersion: fields.integer('pg_version') ?? 0,
    startLsn: (fields.unsigned64('start_lsn') ?? 0n) as Lsn,
    finishLsn: (fields.unsigned64('finish_lsn') ?? 0n) as Lsn,
    permanent: fields.flag('is_permanent') ?? false,
    systemIdentifier: fields.unsigned64('system_identifier') as SystemIdentifier | undefined,
    uncompressedBytes: fields.integer('uncompressed_size') ?? 0,
    storedBytes: fields.integer('compressed_size') ?? 0,
    userData: fields.value('user_data'),
  }
}

function timeOf(fields: FieldReader, name: string): string {
  const text = fields.text(name) ?? ZERO_TIMESTAMP
  if (parseTimestamp(text) === undefined) throw fields.invalid(name, 'an RFC 3339 time')
  return text
}
