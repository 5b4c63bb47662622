import type { BackupKit } from '@waltz/backup-kit'
import { parseBackupSelector, stringifyJson, type FileRecord } from '@waltz/repository'
import type { Invocation } from '../command.ts'
import { backupMembers, type Members } from './catalogue/backup-json.ts'
import { compileFilePattern } from './catalogue/file-pattern.ts'
import { chainBytes, type ShownBackup } from './catalogue/shown-backup.ts'
import { renderDescription } from './backup-show.render.ts'

/**
 * Shows one backup, or with `--files` its files. Resolves to 0.
 * @throws Fault as `KitCatalogue.describe` and `files`.
 */
export async function runBackupShow(invocation: Invocation): Promise<number> {
  const { args, flags, io, json } = invocation
  const kit = await invocation.openKit()
  const pattern = typeof flags['files'] === 'string' ? compileFilePattern(flags['files']) : undefined
  const shown = await kit.catalogue.describe({
    selector: selectorOf(args[0] ?? ''),
    windows: flags['wal'] === true,
    signal: io.signal,
  })
  if (pattern !== undefined) await printFiles(invocation, kit, shown, pattern)
  else if (json)
    io.stdout(
      `${stringifyJson(membersOf(shown), { escaping: 'plain', sortKeys: true, ...(flags['pretty'] === true ? { indent: 2 } : {}) })}\n`,
    )
  else io.stdout(renderDescription(shown))
  return 0
}

function selectorOf(text: string): { readonly latest: true } | { readonly name: string } {
  const selector = parseBackupSelector(text)
  return 'latest' in selector ? selector : { name: text }
}

function membersOf(shown: ShownBackup): Members {
  const { entry, ancestors, children, parts, filesMetadata, manifest, manifestProblem, alsoIn, wal } = shown
  return new Map<string, unknown>([
    ...backupMembers({ entry, wal }),
    ['problem', entry.problem?.message ?? null],
    ['ancestors', ancestors.map(({ name }) => name)],
    ['increments', children.map(({ name }) => name)],
    ['chain_stored_bytes', chainBytes(shown)],
    ['parts', parts],
    ['files_metadata', filesMetadata === undefined ? null : { bytes: filesMetadata.size }],
    ['waltz', manifest === undefined ? null : waltzMembers(manifest)],
    ['waltz_problem', manifestProblem?.message ?? null],
    ['also_in', alsoIn],
  ])
}

function waltzMembers({ tool, warnings, skipped, links, walPending }: NonNullable<ShownBackup['manifest']>): Record<string, unknown> {
  return { tool, warnings, skipped, links: links.length, wal_pending: walPending }
}

/** One line for each file, or the elements of a JSON array, as they are read. */
async function printFiles(
  { io, json, log }: Invocation,
  kit: BackupKit,
  { entry, filesMetadata }: ShownBackup,
  matches: (name: string) => boolean,
): Promise<void> {
  let count = 0
  if (json) io.stdout('[')
  for await (const files of kit.catalogue.files(entry, { matches, signal: io.signal })) {
    const lines = files.map((file, index) => (json ? (count + index === 0 ? '\n' : ',\n') + jsonOf(file) : `${lineOf(file)}\n`))
    io.stdout(lines.join(''))
    count += files.length
  }
  if (json) io.stdout(count === 0 ? ']\n' : '\n]\n')
  if (count === 0 && filesMetadata === undefined) log.warn(`${entry.name} has no list of files`)
  else log.info(`${count} files of ${entry.name} match`)
}

function howOf({ incremented, skipped }: FileRecord): string {
  return skipped ? 'parent' : incremented ? 'increment' : 'whole'
}

function lineOf(file: FileRecord): string {
  return `${file.modifiedAt} ${howOf(file).padEnd(9)} ${file.corruptBlocks?.count ?? 0} ${file.name}`
}

function jsonOf(file: FileRecord): string {
  const corrupt = file.corruptBlocks === undefined ? {} : { corrupt_blocks: file.corruptBlocks }
  return JSON.stringify({ name: file.name, modified: file.modifiedAt, stored_as: howOf(file), ...corrupt })
}
