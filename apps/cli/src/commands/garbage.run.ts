import type { GarbageFinding } from '@waltz/backup-kit'
import { stringifyJson } from '@waltz/repository'
import type { Invocation } from '../command.ts'
import { formatBytes } from '../format-amount.ts'
import { renderFramedTable, renderPlainTable } from '../render-table.ts'
import { timeText } from './catalogue/backup-view.ts'

/** Lists what is of no use; changes nothing. Resolves to 0. @throws Fault as `KitCatalogue.findGarbage`. */
export async function runGarbage(invocation: Invocation): Promise<number> {
  const { flags, io, log, json } = invocation
  const kit = await invocation.openKit()
  const { findings, warnings } = await kit.catalogue.findGarbage({
    wal: flags['without-wal'] !== true,
    versions: flags['versions'] === true,
    signal: io.signal,
  })
  for (const warning of warnings) log.warn(warning)
  if (json) {
    const document = new Map<string, unknown>([
      ['findings', findings.map(membersOf)],
      ['warnings', warnings],
    ])
    io.stdout(`${stringifyJson(document, { escaping: 'plain', ...(flags['pretty'] === true ? { indent: 2 } : {}) })}\n`)
  } else if (findings.length > 0) io.stdout(tableOf(findings, flags['pretty'] === true))
  const removable = findings.filter((finding) => finding.removable)
  const bytes = removable.reduce((sum, finding) => sum + finding.bytes, 0)
  const objects = removable.reduce((sum, finding) => sum + finding.objects, 0)
  log.info(
    `${objects} objects (${formatBytes(bytes)}) are of no use; nothing was changed. waltz delete garbage removes WAL and unfinished backups, waltz delete target any other backup`,
  )
  return 0
}

const COLUMNS = [
  { name: 'kind', title: 'Kind' },
  { name: 'removable', title: 'Removable' },
  { name: 'objects', title: 'Objects', align: 'right' as const },
  { name: 'size', title: 'Size', align: 'right' as const },
  { name: 'newest', title: 'Newest' },
  { name: 'storage_name', title: 'Storage name' },
  { name: 'where', title: 'Where' },
  { name: 'reason', title: 'Reason' },
]

function tableOf(findings: readonly GarbageFinding[], pretty: boolean): string {
  const rows = findings.map(({ kind, removable, objects, bytes, newestAt, storage, where, reason }) => [
    kind,
    removable ? 'yes' : 'no',
    String(objects),
    pretty ? formatBytes(bytes) : String(bytes),
    timeText(newestAt) ?? '-',
    storage,
    where,
    reason,
  ])
  if (pretty) return renderFramedTable(COLUMNS, rows)
  return renderPlainTable(
    COLUMNS.map(({ name }) => name),
    rows,
  )
}

function membersOf(finding: GarbageFinding): ReadonlyMap<string, unknown> {
  return new Map<string, unknown>([
    ['kind', finding.kind],
    ['storage_name', finding.storage],
    ['removable', finding.removable],
    ['backup_name', finding.backup ?? null],
    ['timeline', finding.timeline ?? null],
    ['where', finding.where],
    ['objects', finding.objects],
    ['bytes', finding.bytes],
    ['oldest_time', timeText(finding.oldestAt) ?? null],
    ['newest_time', timeText(finding.newestAt) ?? null],
    ['reason', finding.reason],
  ])
}
