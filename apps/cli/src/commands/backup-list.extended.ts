import { createBackupChains, type BackupKit, type Catalogue, type CatalogueEntry, type CatalogueWal } from '@waltz/backup-kit'
import { stringifyJson } from '@waltz/repository'
import type { Invocation } from '../command.ts'
import { localZone } from '../local-zone.ts'
import { inOrderOfStart, renderBackupJson, renderBackupTable, type ListedBackup } from './backup-list.render.ts'
import { backupMembers, type Members } from './catalogue/backup-json.ts'
import { renderExtendedTable, renderTree, treesOf, withAncestors, type BackupTree } from './catalogue/backup-table.ts'
import { filterOf, sorted } from './catalogue/choose-backups.ts'
import { viewsOf } from './catalogue/backup-view.ts'

const EXTENDED_FLAGS: readonly string[] = ['extended', 'tree', 'wal']

/**
 * The list with filters and orders, in WAL-G's forms, or in Waltz's own with sizes, chains, states and windows. Resolves to 0.
 * @throws Fault `invalid` `USAGE`; as `KitCatalogue.read` and `surveyWal`.
 */
export async function runCatalogueList(invocation: Invocation, kit: BackupKit): Promise<number> {
  const { flags, io, log, json } = invocation
  const filter = filterOf(invocation)
  sorted([], (entry: CatalogueEntry) => entry, invocation)
  const catalogue = await kit.catalogue.read({ signal: io.signal })
  for (const { storage, why } of catalogue.silent)
    log.warn(`backups are listed without the storage ${storage}, which does not answer: ${why}`)
  const extended = EXTENDED_FLAGS.some((name) => flags[name] === true)
  const wal = flags['wal'] === true ? await surveyWal(invocation, kit, catalogue) : undefined
  const entries = wal?.entries ?? catalogue.entries
  if (!extended) {
    const chosen = sorted(entries, (entry) => entry, invocation).filter((entry) => entry.sentinel !== undefined && filter(entry))
    await printClassic(invocation, kit, chosen)
    return 0
  }
  const chosen = entries.filter(filter)
  if (flags['tree'] === true) {
    const kept = withAncestors(chosen, createBackupChains(entries))
    const views = sorted(
      viewsOf(
        entries.filter((entry) => kept.has(entry)),
        wal,
      ),
      ({ entry }) => entry,
      invocation,
    )
    print(invocation, treesOf(views), wal !== undefined)
  } else {
    const views = sorted(viewsOf(chosen, wal), ({ entry }) => entry, invocation)
    if (json) printJson(invocation, views.map(backupMembers))
    else if (views.length === 0) log.info('No backups found')
    else io.stdout(renderExtendedTable(views, { pretty: flags['pretty'] === true, wal: wal !== undefined }))
  }
  return 0
}

async function surveyWal({ io, log }: Invocation, kit: BackupKit, catalogue: Catalogue): Promise<CatalogueWal> {
  const wal = await kit.catalogue.surveyWal(catalogue, { signal: io.signal })
  const { contradicted, bytes } = wal.segmentSize
  if (contradicted !== undefined)
    log.warn(`WALG_PG_WAL_SIZE says segments of ${contradicted} bytes, the backups say ${bytes}, and these are believed`)
  for (const { timeline, problem } of wal.survey.timelines)
    if (problem !== undefined) log.warn(`the history of timeline ${timeline} cannot be read: ${problem.message}`)
  return wal
}

/** WAL-G's forms of what was chosen. */
async function printClassic({ flags, io, log, json }: Invocation, kit: BackupKit, entries: readonly CatalogueEntry[]): Promise<void> {
  const [detail, pretty] = [flags['detail'] === true, flags['pretty'] === true]
  const listed: ListedBackup[] = []
  for (const entry of entries) listed.push(await listedOf(kit, entry, { detail, signal: io.signal }))
  const ordered = detail && flags['sort'] === undefined ? inOrderOfStart(listed) : listed
  const backups = detail && flags['sort'] === undefined && flags['reverse'] === true ? ordered.toReversed() : ordered
  if (json) io.stdout(renderBackupJson(backups, { pretty, zone: localZone }))
  else if (backups.length === 0) log.info('No backups found')
  else io.stdout(renderBackupTable(backups, { detail, pretty, zone: localZone }))
}

/** Metadata that was read is not read again; what is missing fails as it does in the plain list. */
async function listedOf(
  kit: BackupKit,
  { name, storage, sentinel, walFileName, metadata }: CatalogueEntry,
  { detail, signal }: { readonly detail: boolean; readonly signal: AbortSignal },
): Promise<ListedBackup> {
  const { modifiedAt, modifiedAtNs } = sentinel ?? { modifiedAt: new Date(0), modifiedAtNs: undefined }
  const summary = { name, storage, walFileName, modifiedAt, ...(modifiedAtNs !== undefined && { modifiedAtNs }) }
  if (!detail) return { summary }
  return { summary, metadata: metadata ?? (await kit.backups.readMetadata(name, { signal, storage })) }
}

function print(invocation: Invocation, trees: readonly BackupTree[], wal: boolean): void {
  const { flags, io, log, json } = invocation
  if (json) printJson(invocation, trees.map(treeMembers))
  else if (trees.length === 0) log.info('No backups found')
  else io.stdout(renderTree(trees, { pretty: flags['pretty'] === true, wal }))
}

function treeMembers({ view, increments }: BackupTree): Members {
  return new Map([...backupMembers(view), ['increments', increments.map(treeMembers)]])
}

function printJson({ flags, io }: Invocation, elements: readonly Members[]): void {
  io.stdout(`${stringifyJson(elements, { escaping: 'plain', sortKeys: true, ...(flags['pretty'] === true ? { indent: 2 } : {}) })}\n`)
}
