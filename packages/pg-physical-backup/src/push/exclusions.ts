/** Directories kept as empty, wherever they are: WAL-G's list (RF 3.2), which contains PostgreSQL's. Files of these names are dropped. */
const EMPTIED_NAMES: ReadonlySet<string> = new Set([
  'log',
  'pg_log',
  'pg_xlog',
  'pg_wal',
  'pgsql_tmp',
  'pg_dynshmem',
  'pg_notify',
  'pg_replslot',
  'pg_serial',
  'pg_stat_tmp',
  'pg_snapshots',
  'pg_subtrans',
])

/** Files dropped wherever they are: WAL-G's list, and what pg_basebackup leaves out besides. */
const DROPPED_NAMES: ReadonlySet<string> = new Set([
  'postgresql.auto.conf.tmp',
  'current_logfiles.tmp',
  'postmaster.pid',
  'postmaster.opts',
  'recovery.conf',
  'standby.signal',
])

/** Files of the data directory itself that belong to some other backup, or to a server that runs. */
const DROPPED_AT_TOP: ReadonlySet<string> = new Set(['/backup_label', '/tablespace_map', '/backup_manifest'])

const DATABASE_FOLDER = /^\/(?:base\/\d+|pg_tblspc\/[^/]+\/PG_[^/]+\/\d+)$/
const TEMPORARY_RELATION = /^t\d+_\d+(?:_(?:fsm|vm|init))?(?:\.\d+)?$/
const RELATION_FORK = /^(\d+)(?:_(?:fsm|vm))?(?:\.\d+)?$/
const INIT_FORK = /^(\d+)_init(?:\.\d+)?$/

/** Whether the contents of a directory of this base name stay out while the directory itself is kept. */
export function isEmptied(baseName: string): boolean {
  return EMPTIED_NAMES.has(baseName)
}

/** Whether `folder`, as a member name, holds the relations of one database. */
export function isDatabaseFolder(folder: string): boolean {
  return DATABASE_FOLDER.test(folder)
}

/** The file node of an init fork's name (`16384_init`), which marks an unlogged relation; undefined for other names. */
export function initForkNode(baseName: string): string | undefined {
  return baseName.endsWith('_init') || baseName.includes('_init.') ? INIT_FORK.exec(baseName)?.[1] : undefined
}

/** What the folder of a file tells about it. */
export interface FolderFacts {
  /** Member name of the folder. */
  readonly name: string
  readonly database: boolean
  /** File nodes with an init fork in this folder. */
  readonly unlogged: ReadonlySet<string>
}

/**
 * Whether a file stays out of the backup. The rules are those of WAL-G plus those of pg_basebackup: the contents of
 * unlogged relations (their init fork is kept and recreates them), temporary relations, relation cache files and labels
 * of other backups.
 */
export function isDroppedFile(folder: FolderFacts, baseName: string): boolean {
  // Most files begin with a digit. A look-up keeps the name in V8's table of strings, which would follow the number of files.
  if (baseName < 'a') return isUnlogged(folder, baseName)
  if (EMPTIED_NAMES.has(baseName) || DROPPED_NAMES.has(baseName)) return true
  if (baseName.startsWith('pg_internal.init') || baseName.startsWith('pgsql_tmp')) return true
  if (folder.name === '/') return DROPPED_AT_TOP.has(`/${baseName}`)
  if (!folder.database) return false
  if (baseName.startsWith('t') && TEMPORARY_RELATION.test(baseName)) return true
  return isUnlogged(folder, baseName)
}

function isUnlogged(folder: FolderFacts, baseName: string): boolean {
  if (!folder.database || folder.unlogged.size === 0) return false
  const node = RELATION_FORK.exec(baseName)?.[1]
  return node !== undefined && folder.unlogged.has(node)
}
