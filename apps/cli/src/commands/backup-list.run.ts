import type { BackupCatalog, BackupSummary } from '@waltz/repository'
import type { Invocation } from '../command.ts'
import { inOrderOfStart, renderBackupJson, renderBackupTable, type ListedBackup, type TimeZone } from './backup-list.render.ts'

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
  log.info('List backups from storages: [default]')
  const backups = await readBackups(kit.backups, { detail, signal: io.signal })
  if (json) io.stdout(renderBackupJson(backups, { pretty, zone: localZone }))
  else if (backups.length === 0) log.info('No backups found')
  else io.stdout(renderBackupTable(backups, { detail, pretty, zone: localZone }))
  return 0
}

async function readBackups(
  catalog: BackupCatalog,
  { detail, signal }: { readonly detail: boolean; readonly signal: AbortSignal },
): Promise<readonly ListedBackup[]> {
  const summaries: BackupSummary[] = []
  for await (const summary of catalog.list({ signal })) summaries.push(summary)
  if (!detail) return summaries.map((summary) => ({ summary }))
  const backups: ListedBackup[] = []
  for (let start = 0; start < summaries.length; start += READS_AT_ONCE) {
    const batch = summaries.slice(start, start + READS_AT_ONCE)
    backups.push(
      ...(await Promise.all(batch.map(async (summary) => ({ summary, metadata: await catalog.readMetadata(summary.name, { signal }) })))),
    )
  }
  return inOrderOfStart(backups)
}

/** The zone of the process: the times of a file storage are shown in it (CMD 3.3). */
const localZone: TimeZone = {
  offsetMinutesAt: (ms) => -Math.trunc(new Date(ms).getTimezoneOffset()),
  nameAt: localZoneName,
}

/** Each English knows the short names of its own part of the world only. */
const LOCALES = ['en-US', 'en-GB', 'en-AU', 'en-ZA', 'en-IN']
const OFFSET = /^GMT([+-])(\d{1,2})(?::(\d{2}))?$/

/** `UTC`, `CET`; zones without a name come as `GMT+3`, which the time-zone database calls `+03`. */
function localZoneName(ms: number): string {
  const names = LOCALES.map((locale) => {
    const parts = new Intl.DateTimeFormat(locale, { timeZoneName: 'short' }).formatToParts(ms)
    return parts.find(({ type }) => type === 'timeZoneName')?.value ?? 'UTC'
  })
  const [first = 'UTC'] = names
  const [, sign = '', hours = '', minutes = ''] = OFFSET.exec(first) ?? []
  return names.find((name) => !OFFSET.test(name)) ?? sign + hours.padStart(2, '0') + minutes
}
