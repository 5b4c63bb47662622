import { flagNameOf, namesOf, type SettingArea, type SettingRow, type SettingRows } from './setting-row.ts'

const AREA_TITLES: Readonly<Record<SettingArea, string>> = {
  storage: 'Storage',
  compression: 'Compression',
  encryption: 'Encryption before upload',
  connection: 'PostgreSQL',
  backup: 'Backup',
  delta: 'Delta backups',
  restore: 'Restore',
  wal: 'WAL archive',
  limits: 'Concurrency and limits',
  process: 'Configuration and logging',
  s3: 'S3',
  gcs: 'Google Cloud Storage',
  azure: 'Azure Blob Storage',
  oss: 'Alibaba OSS',
  swift: 'Swift',
  ssh: 'SSH',
  failover: 'Several storages',
  monitoring: 'Monitoring',
  pgbackrest: 'pgBackRest repositories',
}

/** One row as plain data, for programs that make their own pages or forms. */
export interface SettingDescription {
  readonly key: string
  readonly name: string
  readonly otherNames: readonly string[]
  readonly flag: string | undefined
  readonly area: string
  readonly accepts: string
  readonly default: string | undefined
  readonly secret: boolean
  readonly available: boolean
  readonly summary: string
}

/** The table as plain data. */
export function listSettings(table: SettingRows): readonly SettingDescription[] {
  return Object.entries(table).map(([key, row]) => ({
    key,
    name: row.name,
    otherNames: namesOf(row).slice(1),
    flag: row.flag === false ? undefined : `--${flagNameOf(row.name)}`,
    area: AREA_TITLES[row.area],
    accepts: acceptsText(row),
    default: defaultText(row),
    secret: row.secret === true,
    available: row.availability === 'now',
    summary: row.summary,
  }))
}

/** What a row accepts, in words: `1 to 1024`, `lz4, zstd, brotli or none`, `true or false`. */
export function acceptsText(row: SettingRow): string {
  if (row.choices !== undefined) return row.choices.join(', ')
  if (row.pattern !== undefined) return row.pattern.asks
  const words: Readonly<Record<string, string>> = {
    path: 'path',
    'directory-url': 'absolute path',
    boolean: 'true, false',
    integer: 'number',
    float: 'number',
    size: 'size such as 64mb',
    duration: 'duration such as 90s or 5m',
    json: 'JSON',
    map: 'JSON or nested keys',
  }
  const { min, max } = row
  const range = row.kind === 'duration' || min === undefined ? '' : max === undefined ? `, at least ${min}` : `, ${min} to ${max}`
  return `${words[row.kind] ?? 'text'}${range}${row.powerOfTwo === true ? ', a power of two' : ''}`
}

/** The default in words; undefined when nothing happens without the setting. */
export function defaultText(row: SettingRow): string | undefined {
  if (row.fallback === undefined) return row.unsetMeans
  return row.kind === 'duration' ? durationText(Number(row.fallback)) : String(row.fallback)
}

function durationText(milliseconds: number): string {
  if (milliseconds === 0 || milliseconds % 1000 !== 0) return milliseconds === 0 ? '0' : `${milliseconds}ms`
  return milliseconds % 60_000 === 0 ? `${milliseconds / 60_000}m` : `${milliseconds / 1000}s`
}

/** The reference page of all settings as Markdown, by area: what works now, then what is known but not available yet. */
export function renderSettingsReference(table: SettingRows): string {
  const rows = Object.values(table)
  const now = rows.filter((row) => row.availability === 'now')
  const later = rows.filter((row) => row.availability !== 'now')
  return [
    '# Settings',
    '',
    'Made from the table in `packages/settings`; do not edit this page.',
    '',
    'A value comes from, strongest first: a flag, the environment (an empty variable is unset), the config file, the default. The flag of a',
    'setting is its name in lower case with dashes: `WALG_FILE_PREFIX` is `--walg-file-prefix`. The config file is the one that `--config` or',
    '`WALG_CONFIG_PATH` names, else the first of `.walg.json`, `.walg.toml`, `.walg.yaml`, `.walg.yml`, `.walg.dotenv` and `.walg.env` in the home',
    'directory. A value that cannot be used is an error; a name that nobody knows is a warning.',
    '',
    ...areasOf(now).flatMap((area) => areaSection(area, now)),
    '## Known, without effect',
    '',
    'WAL-G knows these settings and Waltz does not act on them: not yet, unless the last column gives another reason. *Warned about*',
    'means that the work goes on without it; *ignored* that nothing is said, because the setting asks for nothing by itself.',
    '',
    ...laterTable(later),
    '',
  ].join('\n')
}

function areasOf(rows: readonly SettingRow[]): readonly SettingArea[] {
  return [...new Set(rows.map((row) => row.area))]
}

function areaSection(area: SettingArea, rows: readonly SettingRow[]): readonly string[] {
  const lines = rows
    .filter((row) => row.area === area)
    .map((row) => {
      const others = namesOf(row).slice(1)
      const name = `\`${row.name}\`${others.length === 0 ? '' : ` (also ${others.map((other) => `\`${other}\``).join(', ')})`}`
      const notes = `${row.summary}${row.secret === true ? ' Never shown.' : ''}`
      return `| ${name} | ${cell(acceptsText(row))} | ${cell(defaultText(row) ?? '')} | ${cell(notes)} |`
    })
  return [`## ${AREA_TITLES[area]}`, '', '| Setting | Accepts | Default | Meaning |', '| --- | --- | --- | --- |', ...lines, '']
}

function laterTable(rows: readonly SettingRow[]): readonly string[] {
  const effect = { now: '', 'later-warn': 'warned about', 'later-quiet': 'ignored' } as const
  const lines = rows.map(
    (row) => `| \`${row.name}\` | ${AREA_TITLES[row.area]} | ${effect[row.availability]} | ${cell(laterMeaning(row))} |`,
  )
  return ['| Setting | Part | When set | Meaning |', '| --- | --- | --- | --- |', ...lines]
}

function laterMeaning({ summary, note }: SettingRow): string {
  return note === undefined ? summary : `${summary} It ${note}.`
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}
