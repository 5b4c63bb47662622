import { mkdirSync, readdirSync, readlinkSync, lstatSync, rmSync, symlinkSync, lchownSync } from 'node:fs'
import { join } from 'node:path'
import { startRestored, writeServerFile, type RestoredOptions, type TestCluster } from './cluster.ts'
import { mustRun } from './run-as.ts'
import { giveToOrdinaryUser, temporaryFolder } from './temporary-folder.ts'
import { ordinaryUser } from './users.ts'

/** Options of `createStandby`. */
export interface StandbyOptions extends RestoredOptions {
  /** Must not exist; the default is a folder that `dispose` removes. */
  readonly dataDirectory?: string
  /** Stream from the primary (the default); otherwise only `restore_command` in `settings` brings WAL. */
  readonly streaming?: boolean
}

/** Copies a running primary in backup mode and starts the copy as a standby of it. Tablespaces are copied next to it. */
export async function createStandby(primary: TestCluster, options: StandbyOptions = {}): Promise<TestCluster> {
  const work = temporaryFolder()
  const target = options.dataDirectory ?? work.join('standby')
  await copyRunningCluster(primary, target, work.path)
  writeServerFile(join(target, 'standby.signal'), '')
  const conninfo = `host=${primary.socketDirectory} port=${primary.port} user=postgres application_name=standby`
  const settings = { hot_standby: true, primary_conninfo: options.streaming === false ? '' : conninfo, ...options.settings }
  const standby = await startRestored(target, primary.major, { ...options, settings })
  const dispose = async (): Promise<void> => {
    await standby.dispose()
    await work.dispose()
  }
  return { ...standby, dispose, [Symbol.asyncDispose]: dispose }
}

/**
 * Copies a running cluster as an old-fashioned base backup: backup mode, `cp`, `backup_label`, and its pg_wal. What
 * comes out is consistent once it has replayed that WAL.
 */
export async function copyRunningCluster(primary: TestCluster, target: string, tablespaceRoot: string): Promise<void> {
  const session = await primary.connect()
  try {
    const old = primary.major < 15
    await session.query(old ? "select pg_start_backup('copy', true, false)" : "select pg_backup_start('copy', true)")
    mkdirSync(target, { mode: 0o700 })
    giveToOrdinaryUser(target)
    const entries = readdirSync(primary.dataDirectory).filter((name) => !['postmaster.pid', 'postmaster.opts', 'pg_wal'].includes(name))
    await tolerantCopy(
      entries.map((name) => join(primary.dataDirectory, name)),
      target,
    )
    const stop = old
      ? 'select labelfile, spcmapfile from pg_stop_backup(false, false)'
      : 'select labelfile, spcmapfile from pg_backup_stop(false)'
    const { rows } = await session.query<{ labelfile: string; spcmapfile: string }>(stop)
    writeServerFile(join(target, 'backup_label'), rows[0]?.labelfile ?? '')
    await tolerantCopy([`${primary.dataDirectory}/pg_wal/.`], makeServerFolder(join(target, 'pg_wal')))
    for (const slot of readdirSync(join(target, 'pg_replslot'))) rmSync(join(target, 'pg_replslot', slot), { recursive: true })
    await copyTablespaces(target, tablespaceRoot)
  } finally {
    await session.end()
  }
}

/** Files vanish while a running cluster is copied; PostgreSQL does not mind, and so does not this. */
async function tolerantCopy(sources: readonly string[], target: string): Promise<void> {
  const script = 'target=$1; shift; cp -a "$@" "$target" 2>&1 | grep -v "No such file or directory" >&2; exit 0'
  await mustRun('sh', ['-c', script, 'copy', target, ...sources])
}

async function copyTablespaces(target: string, root: string): Promise<void> {
  const links = readdirSync(join(target, 'pg_tblspc')).filter((name) => lstatSync(join(target, 'pg_tblspc', name)).isSymbolicLink())
  for (const oid of links) {
    const link = join(target, 'pg_tblspc', oid)
    const copy = join(root, `tablespace-${oid}`)
    await tolerantCopy([`${readlinkSync(link)}/.`], makeServerFolder(copy))
    rmSync(link)
    symlinkSync(copy, link)
    const user = ordinaryUser()
    if (user !== undefined) lchownSync(link, user.uid, user.gid)
  }
}

function makeServerFolder(path: string): string {
  mkdirSync(path, { mode: 0o700 })
  giveToOrdinaryUser(path)
  return path
}
