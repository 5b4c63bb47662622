import type { ParsedSettings } from './parse-settings.ts'
import type { SettingRows, SettingsOf } from './setting-row.ts'

/** What stands in the place of a secret. */
export const HIDDEN = '(hidden)'

/**
 * The same text with what URLs in it hold besides an address hidden: user and password, and the query, which may be a signature. People
 * put them into settings that want none, such as prefixes and endpoints.
 */
export function withoutSecretsOfUrls(text: string): string {
  return text
    .replaceAll(/([a-z][a-z0-9+.-]*:\/\/)[^\s/?#]*@/gi, `$1${HIDDEN}@`)
    .replaceAll(/([a-z][a-z0-9+.-]*:\/\/[^\s?#]*\?)[^\s#]+/gi, `$1${HIDDEN}`)
}

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
    shown[row.name] = row.secret === true ? HIDDEN : `${withoutSecretsOfUrls(String(value))}${row.kind === 'duration' ? 'ms' : ''}`
  }
  return shown
}

/** Lines such as `WALG_FILE_PREFIX=/backups (environment)` for a debug log: every value that has one, secrets hidden. */
export function describeSettings<Table extends SettingRows>(table: Table, parsed: ParsedSettings<Table>): readonly string[] {
  const whereByName = new Map(Object.entries(table).map(([key, row]) => [row.name, parsed.origins[key]?.where ?? 'default']))
  return Object.entries(redact(table, parsed.settings)).map(([name, value]) => `${name}=${value} (${whereByName.get(name)})`)
}
