import { Fault } from '@waltz/errors'
import type { Lsn, SystemIdentifier } from '@waltz/pg-structures'
import { fieldReader, type FieldReader } from './field-reader.ts'
import { documentMembers, type DocumentMembers } from './document-members.ts'
import { parseJson, type JsonOrigin } from './json-text.ts'
import type { Sentinel } from './sentinel.ts'
import { decodeTablespaceSpec, encodeTablespaceSpec } from './tablespace-spec.ts'
import { DATE_FORMAT, ZERO_TIMESTAMP } from './timestamp.ts'

/**
 * The sentinel object's bytes, always in the V2 form: keys in WAL-G's order, `LSN`, `FinishLSN` and `ChkpNum` null when
 * unknown, empty optional fields left out (RF 2.2). Times are written as they are.
 */
export function encodeSentinel(sentinel: Sentinel): Uint8Array {
  const document = documentMembers()
  document.add('LSN', sentinel.startLsn ?? null)
  addIncrement(document, sentinel)
  document.add('PgVersion', sentinel.serverVersion)
  document.add('FinishLSN', sentinel.finishLsn ?? null)
  document.add('SystemIdentifier', sentinel.systemIdentifier)
  document.add('UncompressedSize', sentinel.uncompressedBytes)
  document.add('CompressedSize', sentinel.storedBytes)
  document.add('DataCatalogSize', sentinel.dataDirectoryBytes || undefined)
  if (sentinel.tablespaces !== undefined) document.addText('Spec', encodeTablespaceSpec(sentinel.tablespaces))
  document.add('UserData', sentinel.userData ?? undefined)
  document.add('FilesMetadataDisabled', sentinel.filesMetadataDisabled || undefined)
  document.add('ChkpNum', sentinel.checkpointNumber ?? null)
  document.add('DeltaChkpNum', sentinel.parentCheckpointNumber)
  document.add('Version', sentinel.version ?? 2)
  document.add('StartTime', sentinel.startTime ?? ZERO_TIMESTAMP)
  document.add('FinishTime', sentinel.finishTime ?? ZERO_TIMESTAMP)
  document.add('DateFmt', DATE_FORMAT)
  document.add('Hostname', sentinel.hostname)
  document.add('DataDir', sentinel.dataDirectory)
  document.add('IsPermanent', sentinel.permanent)
  return document.end()
}

function addIncrement(document: DocumentMembers, { increment }: Sentinel): void {
  if (increment === undefined) return
  document.add('DeltaLSN', increment.parentLsn)
  document.add('DeltaFrom', increment.parent)
  document.add('DeltaFullName', increment.root)
  document.add('DeltaCount', increment.depth)
}

/**
 * Reads a sentinel of any release (RF 12): V1 with `DeltaFromLSN`, WAL-E's `spec`, null or missing fields. For objects
 * that may hold the file list (V1) use the catalog, which reads them as a stream.
 * @throws Fault `corrupt` `JSON_INVALID`, `JSON_FIELD_INVALID`, `TABLESPACE_SPEC_INVALID`, or `SENTINEL_INCONSISTENT` when only
 *   some of the four fields of an increment are there.
 */
export function decodeSentinel(input: string | Uint8Array, { origin }: JsonOrigin): Sentinel {
  const fields = fieldReader(parseJson(input, { origin }), { origin })
  const spec = fields.value('Spec')
  return {
    startLsn: fields.unsigned64('LSN') as Lsn | undefined,
    finishLsn: fields.unsigned64('FinishLSN') as Lsn | undefined,
    increment: decodeIncrement(fields, origin),
    serverVersion: fields.integer('PgVersion') ?? 0,
    systemIdentifier: fields.unsigned64('SystemIdentifier') as SystemIdentifier | undefined,
    uncompressedBytes: fields.integer('UncompressedSize') ?? 0,
    storedBytes: fields.integer('CompressedSize') ?? 0,
    dataDirectoryBytes: fields.integer('DataCatalogSize') ?? 0,
    tablespaces: spec === undefined ? undefined : decodeTablespaceSpec(spec, { origin }),
    userData: fields.value('UserData'),
    filesMetadataDisabled: fields.flag('FilesMetadataDisabled') ?? false,
    version: fields.integer('Version'),
    startTime: fields.text('StartTime'),
    finishTime: fields.text('FinishTime'),
    hostname: fields.text('Hostname') ?? '',
    dataDirectory: fields.text('DataDir') ?? '',
    permanent: fields.flag('IsPermanent') ?? false,
    ...decodeRareFields(fields),
  }
}

function decodeRareFields(fields: FieldReader): Pick<Sentinel, 'embeddedFiles' | 'checkpointNumber' | 'parentCheckpointNumber'> {
  const checkpointNumber = fields.integer('ChkpNum')
  const parentCheckpointNumber = fields.integer('DeltaChkpNum')
  return {
    ...(fields.value('Files') === undefined ? {} : { embeddedFiles: true }),
    ...(checkpointNumber === undefined ? {} : { checkpointNumber }),
    ...(parentCheckpointNumber === undefined ? {} : { parentCheckpointNumber }),
  }
}

function decodeIncrement(fields: FieldReader, origin: string): Sentinel['increment'] {
  const parentLsn = fields.unsigned64('DeltaLSN') ?? fields.unsigned64('DeltaFromLSN')
  const parent = fields.text('DeltaFrom')
  const root = fields.text('DeltaFullName')
  const depth = fields.integer('DeltaCount')
  if (parent === undefined) return undefined
  if (parentLsn === undefined || root === undefined || depth === undefined) {
    throw new Fault(
      'corrupt',
      'SENTINEL_INCONSISTENT',
      `${origin}: names the parent ${JSON.stringify(parent)} but is no complete increment`,
      {
        context: { key: origin },
        hint: 'DeltaFrom, DeltaLSN, DeltaFullName and DeltaCount belong together; take another backup or restore the object from a copy.',
      },
    )
  }
  return { parentLsn: parentLsn as Lsn, parent, root, depth }
}
