import { formatLsn, type Lsn } from '@waltz/pg-structures'
import { stringifyJson } from '@waltz/repository'
import { formatBytes } from '../format-amount.ts'
import { allStatuses, depthOf, timeText } from './catalogue/backup-view.ts'
import { chainBytes, type ShownBackup } from './catalogue/shown-backup.ts'

type Line = readonly [label: string, text: string | undefined]

/** One backup as lines of a label and a text; what is not known is left out. Several texts of one label follow below each other. */
export function renderDescription(shown: ShownBackup): string {
  const lines = [
    ...headLines(shown),
    ...factLines(shown),
    ...chainLines(shown),
    ...storedLines(shown),
    ...walLines(shown),
    ...noteLines(shown),
  ]
  const known = lines.flatMap(([label, text]) => (text === undefined || text === '' ? [] : [[label, text] as const]))
  const width = Math.max(...known.map(([label]) => label.length)) + 2
  return known.map(([label, text], index) => `${(known[index - 1]?.[0] === label ? '' : `${label}:`).padEnd(width)}${text}\n`).join('')
}

function headLines({ entry, alsoIn }: ShownBackup): readonly Line[] {
  return [
    ['name', entry.name],
    ['storage', alsoIn.length === 0 ? entry.storage : `${entry.storage} (also in ${alsoIn.join(', ')})`],
    ['status', allStatuses(entry).join(', ')],
    ...entry.findings.map(({ message }): Line => ['findings', message]),
    ['problem', entry.problem?.message],
    ['permanent', entry.sentinel === undefined ? undefined : String(entry.permanent)],
  ]
}

function factLines({ entry }: ShownBackup): readonly Line[] {
  const { startLsn, finishLsn, serverVersion, systemIdentifier, timeline, sentinel } = entry
  return [
    ['started', timeText(entry.startedAt)],
    ['finished', timeText(entry.finishedAt)],
    ['sentinel stored', timeText(sentinel?.modifiedAt)],
    ['start LSN', lsnText(startLsn)],
    ['finish LSN', lsnText(finishLsn)],
    ['timeline', timeline === undefined ? undefined : String(timeline)],
    ['system identifier', systemIdentifier?.toString()],
    ['server version', serverVersion?.toString()],
    ['host', entry.hostname],
    ['data directory', entry.dataDirectory],
    ['user data', entry.userData === undefined ? undefined : stringifyJson(entry.userData, { escaping: 'plain' })],
  ]
}

function lsnText(position: Lsn | undefined): string | undefined {
  return position === undefined ? undefined : formatLsn(position)
}

function chainLines(shown: ShownBackup): readonly Line[] {
  const { entry, ancestors, children } = shown
  const chain: readonly Line[] =
    entry.increment === undefined
      ? []
      : [
          ['increment', `step ${depthOf(entry)} from ${entry.increment.full}`],
          ...(ancestors.length === 0 ? [entry.increment.parent] : ancestors.map(({ name }) => name)).map((name): Line => [
            'made from',
            name,
          ]),
          ['stored with these', formatBytes(chainBytes(shown))],
        ]
  return [...chain, ...children.map(({ name }): Line => ['its increments', name])]
}

function storedLines({ entry, parts, filesMetadata }: ShownBackup): readonly Line[] {
  const { folder, restoredBytes, dataDirectoryBytes } = entry
  return [
    ['stored', folder === undefined ? undefined : `${formatBytes(folder.bytes)} in ${folder.objects} objects`],
    ['parts', `${parts.objects}, ${formatBytes(parts.bytes)}`],
    ['file list', filesMetadata === undefined ? 'none' : formatBytes(filesMetadata.size)],
    ['newest object', timeText(folder?.newestAt)],
    ['restored', restoredBytes === undefined ? undefined : formatBytes(restoredBytes)],
    ['data directory was', dataDirectoryBytes === undefined ? undefined : formatBytes(dataDirectoryBytes)],
  ]
}

function walLines({ wal }: ShownBackup): readonly Line[] {
  if (wal === undefined) return []
  const missing = wal.missing.map(({ first, last, segments }) => (segments === 1 ? first : `${first} to ${last}`))
  return [
    ['WAL it needs', wal.first === wal.last ? wal.first : `${wal.first} to ${wal.last}`],
    ['of that missing', missing.length === 0 ? 'none' : missing.join(', ')],
    ...wal.windows.map(({ timeline, fromLsn, untilLsn, untilTime, endsInGap }): Line => [
      'rolls forward',
      `from ${formatLsn(fromLsn)} to ${formatLsn(untilLsn)} on timeline ${timeline}${untilTime === undefined ? '' : `, stored ${timeText(untilTime)}`}${endsInGap ? '; then WAL is missing' : ''}`,
    ]),
  ]
}

function noteLines({ manifest, manifestProblem }: ShownBackup): readonly Line[] {
  if (manifest === undefined) return [['note of Waltz', manifestProblem?.message]]
  const { tool, warnings, skipped, links, walPending } = manifest
  return [
    ['made by', `${tool.name} ${tool.version}`.trim()],
    ...warnings.map((text): Line => ['warnings', text]),
    ...skipped.map(({ path, reason }): Line => ['left out', `${path}: ${reason}`]),
    ...links.map(({ path, target }): Line => ['stored as files', `${path} (was a link to ${target})`]),
    ...walPending.map((name): Line => ['WAL not archived then', name]),
  ]
}
