import type { BlockNumber } from './names.ts'

/** The parts of a relation that PostgreSQL stores in files of their own. */
export type RelationFork = 'main' | 'fsm' | 'vm' | 'init'

/** One segment of one fork of one relation, by its path below the data directory. */
export interface RelationFile {
  /** As it was given, without a leading `/` or `./`. */
  readonly path: string
  /** 1663 (pg_default) for `base`, 1664 (pg_global) for `global`, else the tablespace's own. */
  readonly tablespaceOid: number
  /** 0 in `global`. */
  readonly databaseOid: number
  readonly fileNode: number
  readonly fork: RelationFork
  /** 0 for the file without a suffix, then 1, 2 ... */
  readonly segment: number
  /** A temporary relation of one connection: never part of a backup. */
  readonly temporary: boolean
}

const DEFAULT_TABLESPACE_OID = 1663
const GLOBAL_TABLESPACE_OID = 1664
const PLACE = /^(?:base\/(\d{1,10})|(global)|pg_tblspc\/(\d{1,10})\/PG_[^/]+\/(\d{1,10}))\/([^/]+)$/
const FILE = /^(t\d{1,10}_)?([1-9]\d{0,9})(?:_(fsm|vm|init))?(?:\.([1-9]\d{0,9}))?$/

/**
 * Says which relation file a path below the data directory is: `base/<database>/<name>`, `global/<name>` or
 * `pg_tblspc/<oid>/PG_<version>_<catalog>/<database>/<name>`, where a name is `<file node>[_fsm|_vm|_init][.<segment>]`
 * or, for temporary relations, `t<backend>_` and the same (relpath.c, reinit.c). A leading `/` or `./` does not matter.
 * Undefined for every other file.
 */
export function parseRelationPath(path: string): RelationFile | undefined {
  const plain = path.replace(/^\.?\//, '')
  const place = PLACE.exec(plain)
  if (place === null) return undefined
  const [, baseDatabase, global, tablespace, tablespaceDatabase, name = ''] = place
  const file = FILE.exec(name)
  if (file === null) return undefined
  const [, temporary, fileNode, fork = 'main', segment = '0'] = file
  return {
    path: plain,
    tablespaceOid: global === undefined ? Number(tablespace ?? DEFAULT_TABLESPACE_OID) : GLOBAL_TABLESPACE_OID,
    databaseOid: Number(baseDatabase ?? tablespaceDatabase ?? 0),
    fileNode: Number(fileNode),
    fork: fork as RelationFork,
    segment: Number(segment),
    temporary: temporary !== undefined,
  }
}

/** Whether `path` is a file of a permanent or unlogged (not temporary) relation's `fork`. */
export function isRelationFork(path: string, fork: RelationFork): boolean {
  const file = parseRelationPath(path)
  return file !== undefined && !file.temporary && file.fork === fork
}

/**
 * The path of the init fork that exists beside `file` exactly when the relation is unlogged. Where it does, recovery
 * rebuilds every other fork from it, and backups leave those out (basebackup.c). Undefined when `file` is an init fork
 * itself or temporary.
 */
export function initForkPath(file: RelationFile): string | undefined {
  if (file.temporary || file.fork === 'init') return undefined
  return `${file.path.slice(0, file.path.lastIndexOf('/') + 1)}${file.fileNode}_init`
}

/** The number, within its fork, of the first block of a relation file. `relationSegmentBlocks` is pg_control's. */
export function firstBlockOf(file: RelationFile, relationSegmentBlocks: number): BlockNumber {
  return (file.segment * relationSegmentBlocks) as BlockNumber
}
