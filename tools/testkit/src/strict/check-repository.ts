import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { checkBackup } from './check-backup.ts'
import { checkWalFolder, segmentsBetween, TEMPORARY } from './check-wal.ts'
import type { SentinelFacts } from './documents.ts'
import { problemList, type StrictReport } from './report.ts'

const SENTINEL = '_backup_stop_sentinel.json'

/** What to look at. */
export interface StrictOptions {
  /** Only these backups; every other one is left unread. */
  readonly backups?: readonly string[]
  /** Do not ask for the WAL between start and finish of each backup. */
  readonly withoutWal?: boolean
}

/**
 * Reads a whole repository directory as its format is written down, with no code of the packages: every document key by key,
 * every tar member by member, every frame to its last byte. An empty `problems` means that WAL-G can restore from it what
 * was put in. Rejects only when `root` cannot be listed.
 */
export async function checkRepositoryStrictly(root: string, options: StrictOptions = {}): Promise<StrictReport> {
  const found: string[] = []
  const problems = problemList(found)
  const leftovers: string[] = []
  const known = new Set(['basebackups_005', 'wal_005', 'catchup_005', 'waltz', 'wal-g_storage_check'])
  for (const name of readdirSync(root)) if (!known.has(name)) problems.add(`${name} does not belong into a repository`)

  const folder = join(root, 'basebackups_005')
  const names = existsSync(folder) ? listBackups(folder, leftovers, (text) => problems.add(text)) : []
  const backups = names.filter((name) => options.backups?.includes(name) !== false)
  for (const name of options.backups ?? []) if (!names.includes(name)) problems.add(`${name} has no sentinel`)
  const sentinels = new Map<string, SentinelFacts>()
  for (const name of backups) {
    const sentinel = await checkBackup(folder, name, problems.at(name))
    if (sentinel !== undefined) sentinels.set(name, sentinel)
  }
  const identifiers = new Set([...sentinels.values()].map(({ systemIdentifier }) => systemIdentifier))
  if (identifiers.size > 1) problems.add('backups of different clusters')
  const [identifier] = identifiers
  const wal = await checkWalFolder(join(root, 'wal_005'), identifier, problems.at('wal_005'))
  leftovers.push(...wal.leftovers.map((name) => `wal_005/${name}`))
  if (options.withoutWal !== true) {
    for (const [name, sentinel] of sentinels) {
      for (const segment of missingWal(name, sentinel, wal)) problems.add(`${name}: its segment ${segment} is not in the archive`)
    }
  }
  return { problems: found, leftovers, backups, walFiles: wal.names }
}

/** Backups are what has a sentinel; a folder without one is the trace of an attempt. */
function listBackups(folder: string, leftovers: string[], problem: (text: string) => void): string[] {
  const entries = readdirSync(folder).sort()
  const names = entries.filter((entry) => entry.endsWith(SENTINEL)).map((entry) => entry.slice(0, -SENTINEL.length))
  for (const entry of entries) {
    const isFolder = statSync(join(folder, entry)).isDirectory()
    if (entry.endsWith(SENTINEL) && !isFolder) continue
    if (isFolder && names.includes(entry)) continue
    if (isFolder || TEMPORARY.test(entry)) leftovers.push(`basebackups_005/${entry}`)
    else problem(`basebackups_005/${entry} does not belong there`)
  }
  return names
}

function missingWal(
  name: string,
  sentinel: SentinelFacts,
  wal: { readonly names: readonly string[]; readonly segmentBytes: number | undefined },
): readonly string[] {
  const { startLsn, finishLsn } = sentinel
  if (startLsn === undefined || finishLsn === undefined) return []
  if (wal.segmentBytes === undefined) return [name.slice(5, 29)]
  const segments = segmentsBetween(name.slice(5, 13), { start: startLsn, end: finishLsn }, wal.segmentBytes)
  return segments.filter((segment) => !wal.names.includes(segment))
}
