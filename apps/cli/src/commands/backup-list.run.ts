import type { KitBackups, StoredBackup } from '@waltz/backup-kit'
import type { Invocation } from '../command.ts'
import { localZone } from '../local-zone.ts'
import { inOrderOfStart, renderBackupJson, renderBackupTable, type ListedBackup } from './backup-list.render.ts'

/** Flags that WAL-G's list does not have. */
const BEYOND_WAL_G = ['extended', 'tree', 'wal', 'sort', 'reverse', 'name', 'status', 'type', 'permanent', 'since', 'until', 'timeline']
/** Metadata objects being read at once. */
const READS_AT_ONCE = 8

/**
 * Lists the finished backups on standard output (CMD 3.3); with `--detail` reads the `metadata.json` of each.
 * Resolves to 0, also for an empty repository.
 * @throws Fault of the storage, or of a metadata object that is missing or damaged, naming it.
 */
export async function runBackupList(invocation: Invocation): Promise<number> {
  const { flags, io, log, json } = invocation
  const detail = flags['detail'] === true
  const pretty = flags['pretty'] === true
  const kit = await invocation.openKit()
  // What WAL-G has no word for goes a way of its own, so that nothing of it touches the lists that scripts read.
  if (BEYOND_WAL_G.some((name) => flags[name] !== undefined)) {
    const { runCatalogueList } = await import('./backup-list.extended.ts')
    return await runCatalogueList(invocation, kit)
  }
  const names =
    invocation.settings.targetStorage === undefined ? (await kit.storages()).map(({ name }) => name) : [invocation.settings.targetStorage]
  log.info(`List backups from storages: [${names.join(' ')}]`)
  const backups = await readBackups(kit.backups, { detail, signal: io.signal })
  if (json) io.stdout(renderBackupJson(backups, { pretty, zone: localZone }))
  else if (backups.length === 0) log.info('No backups found')
  else io.stdout(renderBackupTable(backups, { detail, pretty, zone: localZone }))
  return 0
}

async function readBackups(
  catalog: KitBackups,
  { detail, signal }: { readonly detail: boolean; readonly signal: AbortSignal },
): Promise<readonly ListedBackup[]> {
  const summaries: StoredBackup[] = []
  for await (const summary of catalog.list({ signal })) summaries.push(summary)
  if (!detail) return summaries.map((summary) => ({ summary }))
  const backups: ListedBackup[] = []
  for (let start = 0; start < summaries.length; start += READS_AT_ONCE) {
    const batch = summaries.slice(start, start + READS_AT_ONCE)
    backups.push(
      ...(await Promise.all(
        batch.map(async (summary) => ({
          summary,
          metadata: await catalog.readMetadata(summary.name, { signal, storage: summary.storage }),
        })),
      )),
    )
  }
  return inOrderOfStart(backups)
}
