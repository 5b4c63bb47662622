import type { ParsedSettings } from './parse-settings.ts'
import type { SettingRows, SettingsOf } from './setting-row.ts'

/** What stands in the place of a secret. */
export const HIDDEN = '(hidden)'

/**
 * The values that are set, as text by the names of their settings, fit to be shown: a secret is `(hidden)`. Durations
 * are in milliseconds with their unit.
 */
export function redact<Table extends SettingRows>(table: Table, settings: SettingsOf<Table>): Readonly<Record<string, string>> {
  const values = new Map(Object.entries<string | number | boolean | undefined>(settings))
  const shown: Record<string, string> = {}
  for (const [key, row] of Object.entries(table)) {
    const value = values.get(key)
    if (value === undefined || row.availability !== 'now') continue
    shown[row.name] = row.secret === true ? HIDDEN : `${value}${row.kind === 'duration' ? 'ms' : ''}`
  }
  return shown
}

/** Lines such as `WALG_FILE_PREFIX=/backups (environment)` for a debug log: every value that has one, secrets hidden. */
export function describeSettings<Table extends SettingRows>(table: Table, parsed: ParsedSettings<Table>): readonly string[] {
  const whereByName = new Map(Object.entries(table).map(([key, row]) => [row.name, parsed.origins[key]?.where ?? 'default']))
  return Object.entries(redact(table, parsed.settings)).map(([name, value]) => `${name}=${value} (${whereByName.get(name)})`)
}
