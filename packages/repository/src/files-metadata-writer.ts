import { Buffer } from 'node:buffer'
import { CHUNK_BYTES, coalesce } from '@waltz/bytes'
import { Fault } from '@waltz/errors'
import type {
  Batched,
  DatabaseRecord,
  FileRecord,
  FilesMetadataContent,
  RelationRecord,
  TableRecord,
  TarFileSet,
} from './files-metadata.ts'

/**
 * Text longer than this becomes bytes. Small, because text in the making consists of many pieces, and those at hand when
 * the young generation is collected become old.
 */
const SLAB_CHARACTERS = 32_768

/** Text in the making, shared by the generators below. */
interface Slab {
  text: string
}

/**
 * Writes `files_metadata.json` as a stream of chunks of about 256 KiB, in bounded memory whatever the number of files:
 * keys and order as WAL-G has them, no escaping of `<`, `>`, `&`, empty top-level members left out (RF 2.1, 2.4).
 * @throws Fault `invalid` `NAME_NOT_UNICODE` from the iteration for a name with a lone surrogate.
 */
export function encodeFilesMetadata(content: FilesMetadataContent): AsyncGenerator<Uint8Array, void, undefined> {
  return coalesce(writeDocument(content), CHUNK_BYTES)
}

async function* writeDocument(content: FilesMetadataContent): AsyncGenerator<Uint8Array, void, undefined> {
  const slab: Slab = { text: '{' }
  let members = 0
  const open = (name: string): void => {
    slab.text += `${members === 0 ? '' : ','}"${name}":{`
    members++
  }
  yield* writeFiles(slab, content.files, open)
  if (content.tarFileSets !== undefined) yield* writeTarFileSets(slab, content.tarFileSets, open)
  if (content.databases !== undefined) yield* writeDatabases(slab, content.databases, open)
  slab.text += '}'
  yield flush(slab)
}

async function* writeFiles(
  slab: Slab,
  files: Batched<FileRecord>,
  open: (name: string) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  let separator = ''
  for await (const item of files) {
    for (const file of isBatch(item) ? item : [item]) {
      if (separator === '') open('Files')
      slab.text += separator + fileEntry(file)
      separator = ','
      if (slab.text.length >= SLAB_CHARACTERS) yield flush(slab)
    }
  }
  if (separator !== '') slab.text += '}'
}

async function* writeTarFileSets(
  slab: Slab,
  sets: NonNullable<FilesMetadataContent['tarFileSets']>,
  open: (name: string) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  let separator = ''
  for await (const set of sets) {
    if (separator === '') open('TarFileSets')
    slab.text += `${separator}${quoteName(set.part)}:[`
    yield* writeNames(slab, set)
    slab.text += ']'
    separator = ','
  }
  if (separator !== '') slab.text += '}'
}

async function* writeNames(slab: Slab, { names }: TarFileSet): AsyncGenerator<Uint8Array, void, undefined> {
  let separator = ''
  for await (const item of names) {
    for (const name of typeof item === 'string' ? [item] : item) {
      slab.text += separator + quoteName(name)
      separator = ','
      if (slab.text.length >= SLAB_CHARACTERS) yield flush(slab)
    }
  }
}

async function* writeDatabases(
  slab: Slab,
  databases: AsyncIterable<DatabaseRecord> | Iterable<DatabaseRecord>,
  open: (name: string) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  let separator = ''
  for await (const { name, oid, tables } of databases) {
    if (separator === '') open('DatabasesByNames')
    slab.text += `${separator}${quoteName(name)}:{"oid":${oid}`
    separator = ','
    let before = ',"tables_new":{'
    for await (const table of tables) {
      slab.text += before + tableEntry(table)
      before = ','
      if (slab.text.length >= SLAB_CHARACTERS) yield flush(slab)
    }
    slab.text += before === ',' ? '}}' : '}'
  }
  if (separator !== '') slab.text += '}'
}

function isBatch(item: FileRecord | readonly FileRecord[]): item is readonly FileRecord[] {
  return Array.isArray(item)
}

function flush(slab: Slab): Uint8Array {
  const bytes = Buffer.from(slab.text, 'utf8')
  slab.text = ''
  return bytes
}

function fileEntry(file: FileRecord): string {
  const { corruptBlocks: corrupt } = file
  const blocks =
    corrupt === undefined
      ? ''
      : `"CorruptBlocks":{"CorruptBlocksCount":${corrupt.count},"SomeCorruptBlocks":[${corrupt.blocks.join(',')}]},`
  return (
    `${quoteName(file.name)}:{"IsIncremented":${file.incremented},"IsSkipped":${file.skipped},` +
    `"MTime":${quoteName(file.modifiedAt)},${blocks}"UpdatesCount":${file.updatesCount ?? 0}}`
  )
}

function tableEntry({ subtables = [], ...table }: TableRecord): string {
  if (subtables.length === 0) return `${relationEntry(table)}}`
  return `${relationEntry(table)},"subtables":{${subtables.map((child) => `${relationEntry(child)}}`).join(',')}}}`
}

/** Without the closing brace. */
function relationEntry({ name, oid, relFileNode }: RelationRecord): string {
  return `${quoteName(name)}:{"oid":${oid},"relfilenode":${relFileNode}`
}

/** Almost every name is plain ASCII; testing for that is much cheaper than quoting. */
function quoteName(name: string): string {
  if (/^[ !#-[\]-~]*$/.test(name)) return `"${name}"`
  if (!name.isWellFormed()) {
    throw new Fault('invalid', 'NAME_NOT_UNICODE', `the name ${JSON.stringify(name)} cannot be written to files_metadata.json`, {
      hint: 'Leave names that are not UTF-8 out of the backup; WAL-G cannot record them either.',
    })
  }
  return JSON.stringify(name)
}
