import type { Buffer } from 'node:buffer'
import { fieldReader, type FieldReader } from './field-reader.ts'
import type { CorruptBlocks, FilesMetadataEvent, RelationRecord } from './files-metadata.ts'
import { isPlainObject } from './field-reader.ts'
import type { JsonCursor } from './json-cursor.ts'
import { parseJson } from './json-text.ts'
import { ZERO_TIMESTAMP } from './timestamp.ts'

/** The event of one file whose entry is given as JSON text, in any order of members. */
export function fileEvent(origin: string, name: string, entry: Uint8Array): FilesMetadataEvent {
  const fields = entryFields(origin, entry, `Files[${JSON.stringify(name)}].`)
  return {
    kind: 'file',
    name,
    incremented: fields.flag('IsIncremented') ?? false,
    skipped: fields.flag('IsSkipped') ?? false,
    modifiedAt: fields.text('MTime') ?? ZERO_TIMESTAMP,
    updatesCount: Number(fields.unsigned64('UpdatesCount') ?? 0n),
    corruptBlocks: corruptBlocks(fields),
  }
}

/** The event of one table of `DatabasesByNames[database].tables_new`. */
export function tableEvent(
  origin: string,
  place: { readonly database: string; readonly name: string },
  entry: Uint8Array,
): FilesMetadataEvent {
  const within = `DatabasesByNames[${JSON.stringify(place.database)}].tables_new[${JSON.stringify(place.name)}].`
  const fields = entryFields(origin, entry, within)
  const children = fields.value('subtables') ?? {}
  if (!isPlainObject(children)) throw fields.invalid('subtables', 'an object')
  const subtables = Object.entries(children).map(([name, child]) =>
    relation(name, fieldReader(child ?? {}, { origin, within: `${within}subtables[${JSON.stringify(name)}].` })),
  )
  return { kind: 'table', database: place.database, ...relation(place.name, fields), subtables }
}

/** A number that must be an unsigned 32-bit oid. */
export function oidOf(cursor: JsonCursor, value: Buffer): number {
  return fieldReader({ oid: parseJson(value, cursor) }, cursor).integer('oid') ?? 0
}

function entryFields(origin: string, entry: Uint8Array, within: string): FieldReader {
  return fieldReader(parseJson(entry, { origin }) ?? {}, { origin, within })
}

function relation(name: string, fields: FieldReader): RelationRecord {
  return { name, oid: fields.integer('oid') ?? 0, relFileNode: fields.integer('relfilenode') ?? 0 }
}

function corruptBlocks(fields: FieldReader): CorruptBlocks | undefined {
  const value = fields.value('CorruptBlocks')
  if (value === undefined) return undefined
  // Documents of the first releases have the numbers alone.
  if (Array.isArray(value)) return { count: value.length, blocks: blockNumbers(fields, value) }
  const inner = fields.object('CorruptBlocks')
  return { count: inner?.integer('CorruptBlocksCount') ?? 0, blocks: blockNumbers(fields, inner?.list('SomeCorruptBlocks') ?? []) }
}

function blockNumbers(fields: FieldReader, values: readonly unknown[]): readonly number[] {
  return values.map((value) => {
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
      throw fields.invalid('CorruptBlocks', 'a list of block numbers')
    return value
  })
}
