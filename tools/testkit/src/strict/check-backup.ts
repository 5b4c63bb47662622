import { existsSync, lstatSync, readFileSync, readdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { checkFilesMetadata, checkMetadata, checkSentinel, type FilesMetadata, type SentinelFacts } from './documents.ts'
import { openObject } from './open-object.ts'
import type { ProblemList } from './report.ts'
import { parseStrictJson, type StrictJson } from './strict-json.ts'
import { walkTar, type StrictTarMember } from './tar-walk.ts'

const TAR_NAME = /^(part_(?:\d{3}|[1-9]\d{3,})|copy_(?:0|[1-9]\d*)|pg_control|backup_label)\.tar(?:\.(lz4|lzma|zst|br|gz|lzo))?$/

/** RF 3.2: the writer leaves these out wherever they stand; of directories only what is inside. */
const EXCLUDED = new Set(
  (
    'log pg_log pg_xlog pg_wal pgsql_tmp postgresql.auto.conf.tmp postmaster.pid postmaster.opts recovery.conf pg_dynshmem pg_notify ' +
    'pg_replslot pg_serial pg_stat_tmp pg_snapshots pg_subtrans standby.signal'
  ).split(' '),
)

const UTILITY_NAMES = new Set(['/global/pg_control', 'backup_label', 'tablespace_map'])

/** One stored tar and what is in it. */
interface StoredTar {
  readonly object: string
  readonly kind: 'data' | 'pg_control' | 'backup_label'
  readonly members: readonly StrictTarMember[]
}

/** Checks one backup that has a sentinel. `folder` is basebackups_005. */
export async function checkBackup(folder: string, name: string, problems: ProblemList): Promise<SentinelFacts | undefined> {
  if (!/^base_[0-9A-F]{24}(_D_[0-9A-F]{24})?$/.test(name)) problems.add('is no name of a backup')
  const sentinelJson = readDocument(join(folder, `${name}_backup_stop_sentinel.json`), problems.at('sentinel'))
  const sentinel = sentinelJson === undefined ? undefined : checkSentinel(sentinelJson, problems.at('sentinel'))
  if (sentinel !== undefined && sentinel.isDelta !== name.includes('_D_')) problems.add('name and sentinel disagree on being a delta')
  if (sentinel?.startLsn !== undefined) checkNameAgainstLsn(name, sentinel.startLsn, problems)
  const metadata = readDocument(join(folder, name, 'metadata.json'), problems.at('metadata.json'))
  if (metadata !== undefined) checkMetadata(metadata, sentinel, problems.at('metadata.json'))
  const files = checkFilesDocument(join(folder, name), sentinel, problems)
  checkFolder(join(folder, name), problems)
  const tars = await readTars(join(folder, name, 'tar_partitions'), problems)
  checkMembers(tars, sentinel, problems)
  checkUtilityTars(tars, problems)
  if (files !== undefined) compareWithFiles(tars, files, problems.at('files_metadata.json'))
  checkSize(tars, sentinel, problems)
  return sentinel
}

function readDocument(path: string, problems: ProblemList): StrictJson | undefined {
  if (!existsSync(path)) {
    problems.add('is missing')
    return undefined
  }
  try {
    return parseStrictJson(readFileSync(path))
  } catch (error) {
    problems.add((error as Error).message)
    return undefined
  }
}

/** RF 1.3: the segment that holds the start LSN, or on a standby the byte before it, for some segment size. */
function checkNameAgainstLsn(name: string, startLsn: bigint, problems: ProblemList): void {
  const high = Number.parseInt(name.slice(13, 21), 16)
  const low = Number.parseInt(name.slice(21, 29), 16)
  const fits = (lsn: bigint): boolean =>
    Number(lsn >> 32n) === high && [...Array(11).keys()].some((power) => Number((lsn & 0xffff_ffffn) >> BigInt(20 + power)) === low)
  if (!fits(startLsn) && !fits(startLsn - 1n)) problems.add('the name does not belong to LSN')
}

function checkFilesDocument(folder: string, sentinel: SentinelFacts | undefined, problems: ProblemList): FilesMetadata | undefined {
  const path = join(folder, 'files_metadata.json')
  const at = problems.at('files_metadata.json')
  if (sentinel?.filesMetadataDisabled === true) {
    if (existsSync(path)) at.add('exists although the sentinel says it does not')
    return undefined
  }
  const document = readDocument(path, at)
  return document === undefined ? undefined : checkFilesMetadata(document, sentinel?.isDelta === true, at)
}

function checkFolder(folder: string, problems: ProblemList): void {
  if (!existsSync(folder)) return
  const known = new Set(['metadata.json', 'files_metadata.json', 'tar_partitions', 'waltz'])
  for (const name of readdirSync(folder)) if (!known.has(name)) problems.add(`${name} does not belong into a backup`)
}

async function readTars(folder: string, problems: ProblemList): Promise<readonly StoredTar[]> {
  if (!existsSync(folder)) {
    problems.add('tar_partitions is missing')
    return []
  }
  const tars: StoredTar[] = []
  const codecs = new Set<string>()
  for (const object of readdirSync(folder).sort()) {
    const at = problems.at(`tar_partitions/${object}`)
    const parsed = TAR_NAME.exec(object)
    if (parsed === null || !lstatSync(join(folder, object)).isFile()) {
      at.add('does not belong into tar_partitions')
      continue
    }
    const [, stem = '', suffix = ''] = parsed
    codecs.add(suffix)
    const kind = stem === 'pg_control' || stem === 'backup_label' ? stem : 'data'
    try {
      tars.push({ object, kind, members: await walkTar(openObject(join(folder, object), suffix), at) })
    } catch (error) {
      at.add((error as Error).message)
      tars.push({ object, kind, members: [] })
    }
  }
  if (codecs.size > 1) problems.add('the parts have different codecs')
  for (const kind of ['data', 'pg_control', 'backup_label'] as const) {
    const count = tars.filter((tar) => tar.kind === kind).length
    if (count === 0) problems.add(`there is no ${kind === 'data' ? 'part' : `${kind}.tar`}`)
    if (kind !== 'data' && count > 1) problems.add(`there are ${count} ${kind}.tar`)
  }
  return tars
}

/** Names and places of everything in the data tars (RF 3.2, 3.3, 3.11). */
function checkMembers(tars: readonly StoredTar[], sentinel: SentinelFacts | undefined, problems: ProblemList): void {
  const where = new Map<string, string>()
  const directories = new Set<string>()
  for (const { object, kind, members } of tars) {
    for (const { name, type } of members) {
      const at = problems.at(`${object} ${JSON.stringify(name)}`)
      const earlier = where.get(name)
      if (earlier !== undefined) at.add(`stands in ${earlier} too`)
      where.set(name, object)
      if (kind !== 'data') continue
      checkName(name, at)
      if (UTILITY_NAMES.has(name)) at.add('belongs into a tar of its own')
      if (type === 'directory') directories.add(name)
    }
    if (members.findIndex(({ name }) => name === '/') > 0) problems.add(`${object}: the entry / is not the first`)
  }
  if (where.size > 0 && !directories.has('/')) problems.add('there is no entry / as a directory')
  checkParents(where, directories, sentinel?.tablespaces ?? [], problems)
}

function checkName(name: string, problems: ProblemList): void {
  if (!name.startsWith('/')) problems.add('has no slash at its beginning')
  if (name !== '/' && name.endsWith('/')) problems.add('has a slash at its end')
  const parts = name === '/' ? [] : name.slice(1).split('/')
  if (parts.some((part) => part === '' || part === '.' || part === '..')) problems.add('is not a clean path')
  // PostgreSQL expects these two in an otherwise empty pg_wal (ENG 9.7).
  if (name === '/pg_wal/archive_status' || name === '/pg_wal/summaries') return
  if (parts.slice(0, -1).some((part) => EXCLUDED.has(part))) problems.add('lies in a directory whose content is left out')
}

/** WAL-G makes missing parents with a mode of its own, and puts tablespace files into plain folders when no link says otherwise. */
function checkParents(
  where: ReadonlyMap<string, string>,
  directories: ReadonlySet<string>,
  tablespaces: readonly string[],
  problems: ProblemList,
): void {
  const links = new Set(tablespaces.map((name) => `/pg_tblspc/${name}`))
  const missing = new Set<string>()
  for (const name of where.keys()) {
    if (!name.startsWith('/') || name === '/' || UTILITY_NAMES.has(name)) continue
    const parent = dirname(name)
    if (!directories.has(parent) && !links.has(parent)) missing.add(parent)
    if (EXCLUDED.has(basename(name)) && !directories.has(name)) problems.add(`${JSON.stringify(name)} is a file that is left out`)
  }
  for (const parent of missing) problems.add(`the directory ${JSON.stringify(parent)} has no entry and is no tablespace of the Spec`)
  for (const link of links) if (where.has(link)) problems.add(`${link} is a tablespace of the Spec and has an entry too`)
}

function checkUtilityTars(tars: readonly StoredTar[], problems: ProblemList): void {
  const expected = { pg_control: ['/global/pg_control'], backup_label: ['backup_label', 'tablespace_map'] } as const
  for (const { object, kind, members } of tars) {
    if (kind === 'data') continue
    const at = problems.at(object)
    const names = members.map(({ name }) => name)
    if (names.join('\n') !== expected[kind].join('\n')) at.add(`holds ${JSON.stringify(names)}, not exactly ${expected[kind].join(', ')}`)
    if (members.some(({ type }) => type !== 'file')) at.add('holds something that is no file')
    const [first] = members
    if (first === undefined) continue
    if (kind === 'pg_control' && first.size !== 8192) at.add(`pg_control has ${first.size} bytes`)
    const label = Buffer.from(first.head).toString('utf8')
    if (kind === 'backup_label' && !/^START WAL LOCATION: [0-9A-F]+\/[0-9A-F]+ \(file [0-9A-F]{24}\)$/m.test(label))
      at.add('the label has no start location')
  }
}

/** RF 3.11: WAL-G skips a member without key in `Files` without a word, and does not miss a key without member. */
function compareWithFiles(tars: readonly StoredTar[], { files, tarFileSets }: FilesMetadata, problems: ProblemList): void {
  const stored = new Set<string>()
  for (const { object, kind, members } of tars) {
    const names = members.map(({ name }) => name)
    for (const name of names) stored.add(name)
    if (kind === 'data') {
      for (const name of names) {
        if (!files.has(name)) problems.add(`Files has no key for ${JSON.stringify(name)} of ${object}`)
        else if (files.get(name)?.skipped === true) problems.add(`Files calls ${JSON.stringify(name)} skipped, but ${object} has it`)
      }
    }
    compareTarFileSet(object, kind, { names, listed: tarFileSets.get(object) }, problems)
  }
  const objects = new Set(tars.map(({ object }) => object))
  for (const object of tarFileSets.keys()) if (!objects.has(object)) problems.add(`TarFileSets lists ${object}, which is not stored`)
  for (const [name, { skipped }] of files) {
    if (UTILITY_NAMES.has(name)) problems.add(`Files has the key ${name}`)
    else if (!stored.has(name) && !skipped) problems.add(`Files has the key ${JSON.stringify(name)}, but no tar has it`)
  }
}

function compareTarFileSet(
  object: string,
  kind: StoredTar['kind'],
  { names, listed }: { readonly names: readonly string[]; readonly listed: readonly string[] | undefined },
  problems: ProblemList,
): void {
  if (kind === 'pg_control') {
    if (listed !== undefined) problems.add(`TarFileSets lists ${object}`)
    return
  }
  if (listed === undefined) {
    problems.add(`TarFileSets does not list ${object}`)
    return
  }
  const inTar = new Set(names)
  const inList = new Set(listed)
  if (inList.size !== listed.length) problems.add(`TarFileSets ${object} has a name twice`)
  for (const name of inList) if (!inTar.has(name)) problems.add(`TarFileSets ${object} lists ${JSON.stringify(name)}, which is not in it`)
  for (const name of inTar) if (!inList.has(name)) problems.add(`TarFileSets ${object} lacks ${JSON.stringify(name)}`)
}

/** RF Q33: the sum of all payloads, pg_control and labels included. */
function checkSize(tars: readonly StoredTar[], sentinel: SentinelFacts | undefined, problems: ProblemList): void {
  if (sentinel?.uncompressedSize === undefined) return
  const sum = tars.flatMap(({ members }) => members).reduce((total, { size }) => total + size, 0)
  if (String(sum) !== String(sentinel.uncompressedSize))
    problems.add(`UncompressedSize is ${sentinel.uncompressedSize}, the members have ${sum} bytes`)
}
