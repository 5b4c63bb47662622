import { Fault } from '@waltz/errors'
import { readValue } from './read-value.ts'
import { flagNameOf, type SettingRow, type SettingRows, type SettingsOf } from './setting-row.ts'
import { withoutSecretsOfUrls } from './redact.ts'
import {
  indexSources,
  type ConfigValue,
  type FoundValue,
  type SettingOrigin,
  type SettingSources,
  type SourceIndex,
} from './setting-sources.ts'
import { noEffectWarning, overruledWarnings, unknownNameWarnings, type SettingWarning } from './warnings.ts'

/** What the sources say, all together. */
export interface ParsedSettings<Table extends SettingRows> {
  readonly settings: SettingsOf<Table>
  /** Where each value came from, by its key. */
  readonly origins: Readonly<Record<string, SettingOrigin>>
  readonly warnings: readonly SettingWarning[]
}

interface Reading {
  readonly values: Map<string, string | number | boolean | undefined>
  readonly origins: Map<string, SettingOrigin>
  readonly problems: string[]
  readonly warnings: SettingWarning[]
}

/**
 * Reads every setting of the table from its sources: flag, then environment (an empty variable is unset), then config
 * file, then default (SET 1.1). Spellings are tried in the order of SET 1.4. Names that nobody knows, and settings
 * that have no effect yet, become warnings.
 * @throws Fault `invalid` `SETTINGS_INVALID` with every problem at once, one line each; secret values are not shown.
 */
export function parseSettings<Table extends SettingRows>(table: Table, sources: SettingSources): ParsedSettings<Table> {
  const index = indexSources(sources)
  const reading: Reading = { values: new Map(), origins: new Map(), problems: [], warnings: [] }
  for (const [key, row] of Object.entries(table)) readRow(key, row, { index, reading })
  for (const [key, row] of Object.entries(table)) checkTogether(key, row, { table, reading })
  reading.warnings.push(...unknownNameWarnings(table, sources, index))
  if (reading.problems.length > 0) throw invalidSettings(reading.problems)
  return {
    settings: Object.fromEntries(reading.values) as SettingsOf<Table>,
    origins: Object.fromEntries(reading.origins),
    warnings: reading.warnings,
  }
}

/**
 * Settings for a program that has values rather than texts: the given ones, and the table's defaults for the rest.
 * @throws Fault `invalid` `SETTINGS_INVALID` when a value is outside of its row's range or choices.
 */
export function createSettings<Table extends SettingRows>(table: Table, values: Partial<SettingsOf<Table>>): SettingsOf<Table> {
  const rows = new Map(Object.entries(table))
  const problems: string[] = []
  const flags: Record<string, string> = {}
  for (const [key, value] of Object.entries(values)) {
    const row = rows.get(key)
    if (row === undefined || row.availability !== 'now') problems.push(`${key} is not a setting that Waltz acts on`)
    else if (value !== undefined) flags[row.name] = `${value as string | number | boolean}${row.kind === 'duration' ? 'ms' : ''}`
  }
  if (problems.length > 0) throw invalidSettings(problems)
  return parseSettings(table, { flags }).settings
}

function readRow(key: string, row: SettingRow, work: { readonly index: SourceIndex; readonly reading: Reading }): void {
  const { index, reading } = work
  const all = index.findAll(row)
  const found = all[0]
  if (row.availability !== 'now') {
    if (found !== undefined) readLaterRow(row, found, reading)
    return
  }
  reading.warnings.push(...overruledWarnings(all))
  reading.origins.set(key, found?.origin ?? { source: 'default', name: row.name, where: 'default' })
  if (found === undefined) {
    reading.values.set(key, row.fallback)
    return
  }
  const text = textOf(row, found.raw)
  const read = text === undefined ? { asks: 'must be one value, not a list or a table' } : readValue(row, text)
  if ('asks' in read) reading.problems.push(`${found.origin.name} (${found.origin.where}) ${read.asks}${shown(row, text)}`)
  else reading.values.set(key, read.value)
}

function readLaterRow(row: SettingRow, found: FoundValue, reading: Reading): void {
  const warning = noEffectWarning(row, found)
  if (warning !== undefined) reading.warnings.push(warning)
}

/** The text without the line end that files read into variables often have (SET 2); nested keys as JSON. */
function textOf(row: SettingRow, raw: ConfigValue): string | undefined {
  if (typeof raw === 'string') return raw.replace(/[\r\n]+$/, '')
  return row.kind === 'map' ? JSON.stringify(raw) : undefined
}

function shown(row: SettingRow, text: string | undefined): string {
  if (text === undefined || row.secret === true) return ''
  const clean = withoutSecretsOfUrls(text)
  return `, but is ${JSON.stringify(clean.length > 80 ? `${clean.slice(0, 80)}…` : clean)}`
}

function checkTogether(key: string, row: SettingRow, work: { readonly table: SettingRows; readonly reading: Reading }): void {
  const { table, reading } = work
  if (row.availability !== 'now' || reading.values.get(key) === undefined) return
  if (row.onlyWith !== undefined) {
    const { name, values } = row.onlyWith
    const other = reading.values.get(keyOf(table, name))
    if (other !== undefined && !values.includes(String(other))) {
      reading.problems.push(`${row.name} only has a meaning with ${name}=${values.join(' or ')}, but that is ${JSON.stringify(other)}`)
    }
  }
  if (row.notWith !== undefined && reading.values.get(keyOf(table, row.notWith)) !== undefined) {
    reading.problems.push(`${row.name} and ${row.notWith} cannot be set together`)
  }
}

function keyOf(table: SettingRows, name: string): string {
  return Object.entries(table).find(([, row]) => row.name === name)?.[0] ?? ''
}

function invalidSettings(problems: readonly string[]): Fault {
  const [first = ''] = problems
  const message = problems.length === 1 ? first : `${problems.length} settings cannot be used:\n  ${problems.join('\n  ')}`
  return new Fault('invalid', 'SETTINGS_INVALID', message, {
    hint: `correct ${problems.length === 1 ? 'it' : 'them'} where the brackets say; "waltz flags" lists every setting, and each is a flag such as --${flagNameOf('WALG_FILE_PREFIX')}`,
    context: { problems: problems.length },
  })
}
