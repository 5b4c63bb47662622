import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { guarded } from './local-fault.ts'
import { applyRecoveryBlock, type RecoveryPlan } from './recovery-settings.ts'
import type { RestoreRoots } from './tree-writer.ts'

/**
 * Folders that PostgreSQL wants and that backups may lack: WAL-G keeps the entry of an excluded folder, but not that of
 * a `pg_wal` which is a link (RF 13 Q21), and other tools leave empty folders out.
 */
const neededFolders = [
  'pg_dynshmem',
  'pg_notify',
  'pg_replslot',
  'pg_serial',
  'pg_snapshots',
  'pg_stat_tmp',
  'pg_subtrans',
  'pg_tblspc',
  'pg_twophase',
]

/** Makes the folders that are missing; `archive_status` only together with `pg_wal`. */
export function makeNeededFolders(destination: string, serverVersion: number): void {
  const walFolder = serverVersion !== 0 && serverVersion < 100_000 ? 'pg_xlog' : 'pg_wal'
  const missing = neededFolders.filter((name) => !existsSync(`${destination}/${name}`))
  if (!existsSync(`${destination}/${walFolder}`)) missing.push(walFolder, `${walFolder}/archive_status`)
  for (const name of missing) guarded('creating', `${destination}/${name}`, () => mkdirSync(`${destination}/${name}`, 0o700))
}

/** Makes the locations of the tablespaces, which are empty or absent. */
export function makeTablespaceFolders(roots: RestoreRoots): void {
  for (const { location } of roots.tablespaces) guarded('creating', location, () => mkdirSync(location, { recursive: true, mode: 0o700 }))
}

/** Makes the links of the tablespaces, under the restored data directory and nowhere else. */
export function makeTablespaceLinks(roots: RestoreRoots): void {
  for (const { name, location } of roots.tablespaces) {
    const link = `${roots.destination}/pg_tblspc/${name}`
    guarded('linking', link, () => symlinkSync(location, link))
  }
}

/**
 * Writes the recovery settings and the signal file; the other signal file goes, because PostgreSQL prefers
 * `standby.signal` when both are there.
 */
export function writeRecovery(destination: string, plan: RecoveryPlan): void {
  const autoConf = `${destination}/postgresql.auto.conf`
  guarded('writing', autoConf, () => {
    // Read as bytes: values are in the encoding of whatever database they were set from, and must stay as they are.
    const before = existsSync(autoConf) ? readFileSync(autoConf, 'latin1') : ''
    const block = Buffer.from(plan.block).toString('latin1')
    writeFileSync(autoConf, applyRecoveryBlock(before, { ...plan, block }), { mode: 0o600, encoding: 'latin1' })
  })
  const other = plan.signalFile === 'recovery.signal' ? 'standby.signal' : 'recovery.signal'
  guarded('writing', `${destination}/${plan.signalFile}`, () => {
    rmSync(`${destination}/${other}`, { force: true })
    writeFileSync(`${destination}/${plan.signalFile}`, '', { mode: 0o600 })
  })
}

/** What a copy that got no recovery settings does when it is started, where that may surprise. */
export function signalWarnings(destination: string): readonly string[] {
  const found = ['standby.signal', 'recovery.signal'].filter((name) => existsSync(`${destination}/${name}`))
  return found.map((name) => `the backup holds ${name}, so the copy starts in recovery with the settings of the old server`)
}
