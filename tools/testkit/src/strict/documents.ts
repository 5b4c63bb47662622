import { isObject, type StrictJson } from './strict-json.ts'
import {
  anyNanoseconds,
  anything,
  bool,
  checkShape,
  exactly,
  nullOrU32,
  size,
  text,
  u32,
  u64,
  utcMicroseconds,
  type DocumentShape,
} from './fields.ts'
import type { ProblemList } from './report.ts'

/** RF 2.2; delta fields come all together or not at all. */
const SENTINEL: DocumentShape = {
  required: {
    LSN: u64,
    PgVersion: u32,
    FinishLSN: u64,
    SystemIdentifier: u64,
    UncompressedSize: size,
    CompressedSize: size,
    ChkpNum: nullOrU32,
    Version: exactly(2n),
    StartTime: utcMicroseconds,
    FinishTime: utcMicroseconds,
    DateFmt: exactly('%Y-%m-%dT%H:%M:%S.%fZ'),
    Hostname: text,
    DataDir: text,
    IsPermanent: bool,
  },
  optional: {
    DataCatalogSize: (value) => (value === 0n ? 'is 0, which WAL-G leaves out' : size(value)),
    Spec: (value) => (isObject(value) ? undefined : 'is not an object'),
    UserData: (value) => (value === null ? 'is null, which WAL-G leaves out' : undefined),
    FilesMetadataDisabled: exactly(true),
    DeltaLSN: u64,
    DeltaFrom: text,
    DeltaFullName: text,
    DeltaCount: u32,
    DeltaChkpNum: u32,
  },
}

/** RF 2.3. */
const METADATA: DocumentShape = {
  required: {
    start_time: utcMicroseconds,
    finish_time: utcMicroseconds,
    date_fmt: exactly('%Y-%m-%dT%H:%M:%S.%fZ'),
    hostname: text,
    data_dir: text,
    pg_version: u32,
    start_lsn: u64,
    finish_lsn: u64,
    is_permanent: bool,
    system_identifier: u64,
    uncompressed_size: size,
    compressed_size: size,
  },
  optional: { user_data: (value) => (value === null ? 'is null, which WAL-G leaves out' : anything(value)) },
}

/** What later checks need of a sentinel; undefined where it is missing or wrong. */
export interface SentinelFacts {
  readonly startLsn: bigint | undefined
  readonly finishLsn: bigint | undefined
  readonly systemIdentifier: bigint | undefined
  readonly isDelta: boolean
  readonly filesMetadataDisabled: boolean
  readonly uncompressedSize: bigint | undefined
  /** Tablespace links below pg_tblspc. */
  readonly tablespaces: readonly string[]
  readonly fields: ReadonlyMap<string, StrictJson>
}

/** Checks a sentinel (RF 2.2). */
export function checkSentinel(document: StrictJson, problems: ProblemList): SentinelFacts | undefined {
  const fields = checkShape(document, SENTINEL, problems)
  if (fields === undefined) return undefined
  const integer = (key: string): bigint | undefined => {
    const value = fields.get(key)
    return typeof value === 'bigint' ? value : undefined
  }
  const delta = ['DeltaLSN', 'DeltaFrom', 'DeltaFullName', 'DeltaCount'].filter((key) => fields.has(key))
  if (delta.length !== 0 && delta.length !== 4) problems.add(`has only ${delta.join(', ')} of the four delta fields`)
  if (integer('SystemIdentifier') === 0n) problems.add('SystemIdentifier is 0')
  const startLsn = integer('LSN')
  const finishLsn = integer('FinishLSN')
  if (startLsn !== undefined && finishLsn !== undefined && startLsn > finishLsn) problems.add('LSN lies behind FinishLSN')
  if (instant(fields.get('StartTime')) > instant(fields.get('FinishTime'))) problems.add('StartTime lies behind FinishTime')
  return {
    startLsn,
    finishLsn,
    systemIdentifier: integer('SystemIdentifier'),
    isDelta: delta.length > 0,
    filesMetadataDisabled: fields.get('FilesMetadataDisabled') === true,
    uncompressedSize: integer('UncompressedSize'),
    tablespaces: checkSpec(fields.get('Spec'), problems.at('Spec')),
    fields,
  }
}

function instant(value: StrictJson | undefined): number {
  return typeof value === 'string' ? Date.parse(value) : Number.NaN
}

/** RF 2.5: a name without entry is an error for WAL-G, a text that is none makes it crash. */
function checkSpec(spec: StrictJson | undefined, problems: ProblemList): readonly string[] {
  if (!isObject(spec)) return []
  const names = spec.get('tablespaces')
  const prefix = spec.get('base_prefix')
  if (typeof prefix !== 'string') problems.add('base_prefix is not a string')
  else if (/.\/$/.test(prefix)) problems.add('base_prefix ends in a slash')
  if (!Array.isArray(names) || names.some((name) => typeof name !== 'string')) {
    problems.add('tablespaces is not a list of strings')
    return []
  }
  const listed = names as readonly string[]
  if (listed.length === 0) problems.add('tablespaces is empty: without tablespaces there is no Spec')
  if (new Set(listed).size !== listed.length) problems.add('a tablespace is listed twice')
  for (const key of spec.keys()) {
    if (key !== 'base_prefix' && key !== 'tablespaces' && !listed.includes(key)) problems.add(`${key} is not a listed tablespace`)
  }
  for (const name of listed) {
    const entry = spec.get(name)
    const place = isObject(entry) ? entry : new Map<string, StrictJson>()
    const { loc, link } = { loc: place.get('loc'), link: place.get('link') }
    if (typeof loc !== 'string' || !loc.startsWith('/') || /.\/$/.test(loc))
      problems.add(`${name}: loc is not an absolute path without slash at its end`)
    if (link !== `pg_tblspc/${name}`) problems.add(`${name}: link is not pg_tblspc/${name}`)
    if (place.size > 2) problems.add(`${name}: unknown keys`)
  }
  return listed
}

/** Checks metadata.json (RF 2.3) and that it says what the sentinel says. */
export function checkMetadata(document: StrictJson, sentinel: SentinelFacts | undefined, problems: ProblemList): void {
  const fields = checkShape(document, METADATA, problems)
  if (fields === undefined || sentinel === undefined) return
  const pairs: Readonly<Record<string, string>> = {
    start_time: 'StartTime',
    finish_time: 'FinishTime',
    hostname: 'Hostname',
    data_dir: 'DataDir',
    pg_version: 'PgVersion',
    start_lsn: 'LSN',
    finish_lsn: 'FinishLSN',
    system_identifier: 'SystemIdentifier',
    uncompressed_size: 'UncompressedSize',
    compressed_size: 'CompressedSize',
  }
  for (const [key, twin] of Object.entries(pairs)) {
    if (fields.get(key) !== sentinel.fields.get(twin)) problems.add(`${key} differs from the sentinel's ${twin}`)
  }
}

/** One key of `Files`. */
export interface FileFacts {
  readonly incremented: boolean
  readonly skipped: boolean
}

/** What files_metadata.json says. */
export interface FilesMetadata {
  readonly files: ReadonlyMap<string, FileFacts>
  readonly tarFileSets: ReadonlyMap<string, readonly string[]>
}

/** Checks files_metadata.json (RF 2.4). */
export function checkFilesMetadata(document: StrictJson, isDelta: boolean, problems: ProblemList): FilesMetadata | undefined {
  const fields = checkShape(
    document,
    { required: { Files: anything, TarFileSets: anything }, optional: { DatabasesByNames: anything } },
    problems,
  )
  if (fields === undefined) return undefined
  const files = new Map<string, FileFacts>()
  const listed = fields.get('Files')
  if (!isObject(listed)) problems.add('Files is not an object')
  else for (const [name, entry] of listed) files.set(name, checkFile(entry, isDelta, problems.at(`Files ${JSON.stringify(name)}`)))
  const tarFileSets = new Map<string, readonly string[]>()
  const sets = fields.get('TarFileSets')
  if (!isObject(sets)) problems.add('TarFileSets is not an object')
  else {
    for (const [tar, names] of sets) {
      if (Array.isArray(names) && names.every((name) => typeof name === 'string')) tarFileSets.set(tar, names)
      else problems.add(`TarFileSets ${tar} is not a list of strings`)
    }
  }
  if (fields.has('DatabasesByNames')) checkDatabases(fields.get('DatabasesByNames'), problems.at('DatabasesByNames'))
  return { files, tarFileSets }
}

function checkFile(entry: StrictJson, isDelta: boolean, problems: ProblemList): FileFacts {
  const shape = {
    required: { IsIncremented: bool, IsSkipped: bool, MTime: anyNanoseconds, UpdatesCount: u64 },
    optional: { CorruptBlocks: anything },
  }
  const fields = checkShape(entry, shape, problems)
  const facts = { incremented: fields?.get('IsIncremented') === true, skipped: fields?.get('IsSkipped') === true }
  if (facts.incremented && facts.skipped) problems.add('is both incremented and skipped')
  if (!isDelta && (facts.incremented || facts.skipped)) problems.add('is incremented or skipped although the backup is full')
  const corrupt = fields?.get('CorruptBlocks')
  if (corrupt !== undefined) checkCorruptBlocks(corrupt, problems.at('CorruptBlocks'))
  return facts
}

function checkCorruptBlocks(value: StrictJson, problems: ProblemList): void {
  const fields = checkShape(value, { required: { CorruptBlocksCount: u64, SomeCorruptBlocks: anything }, optional: {} }, problems)
  const blocks = fields?.get('SomeCorruptBlocks')
  if (!Array.isArray(blocks) || blocks.some((block) => u32(block as StrictJson) !== undefined)) {
    problems.add('SomeCorruptBlocks is not a list of block numbers')
    return
  }
  const numbers = blocks as readonly bigint[]
  if (numbers.some((block, index) => index > 0 && block <= (numbers[index - 1] ?? 0n))) problems.add('SomeCorruptBlocks is not ascending')
  const count = fields?.get('CorruptBlocksCount')
  if (typeof count === 'bigint' && (count === 0n || BigInt(numbers.length) > count))
    problems.add('CorruptBlocksCount does not fit the list')
}

function checkDatabases(value: StrictJson | undefined, problems: ProblemList): void {
  if (!isObject(value)) {
    problems.add('is not an object')
    return
  }
  const oids = { required: { oid: u32, relfilenode: u32 }, optional: {} }
  const checkAll = (tables: StrictJson | undefined, check: (entry: StrictJson, at: ProblemList) => void): void => {
    if (tables === undefined) return
    if (!isObject(tables) || tables.size === 0) problems.add('a map of tables is empty or no object')
    else for (const [name, entry] of tables) check(entry, problems.at(name))
  }
  for (const [name, database] of value) {
    const fields = checkShape(database, { required: { oid: u32 }, optional: { tables_new: anything } }, problems.at(name))
    checkAll(fields?.get('tables_new'), (table, at) => {
      const inner = checkShape(table, { required: oids.required, optional: { subtables: anything } }, at)
      checkAll(inner?.get('subtables'), (sub, below) => void checkShape(sub, oids, below))
    })
  }
}
