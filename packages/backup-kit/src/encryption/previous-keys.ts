import { Fault } from '@waltz/errors'
import type { CipherScheme } from '@waltz/crypto'
import { parseSettings, settingsTable, type ParsedSettings, type Settings } from '@waltz/settings'
import { readSettingFile } from '../setting-file.ts'
import { chosenScheme, schemeNames } from './chosen-key.ts'

/** A key that old objects were encrypted with: its scheme, and the settings of the run with its own in the place of the current key's. */
export interface PreviousKey {
  readonly scheme: CipherScheme
  readonly settings: Settings
}

const ORIGIN = 'WALTZ_CRYPTO_PREVIOUS_KEYS'

/**
 * The keys of WALTZ_CRYPTO_PREVIOUS_KEYS, in their order: each a map with `scheme` and the settings of that key.
 * @throws Fault `invalid` `ENCRYPTION_PREVIOUS_KEYS_INVALID` for anything else, and `SETTINGS_INVALID` for a value that its setting does not
 * take. No value is shown.
 */
export function readPreviousKeys(settings: Settings): readonly PreviousKey[] {
  const { cryptoPreviousKeys, cryptoPreviousKeysPath } = settings
  const text =
    cryptoPreviousKeys ?? (cryptoPreviousKeysPath === undefined ? undefined : readSettingFile(`${ORIGIN}_PATH`, cryptoPreviousKeysPath))
  if (text === undefined) return []
  const list = parseList(text)
  return list.map((entry, index) => previousKey(settings, entry, `${ORIGIN}, entry ${index + 1}`))
}

function parseList(text: string): readonly unknown[] {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    throw invalid(`${ORIGIN} must be JSON`)
  }
  if (!Array.isArray(parsed)) throw invalid(`${ORIGIN} must be a list of maps`)
  return parsed
}

function previousKey(base: Settings, entry: unknown, origin: string): PreviousKey {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) throw invalid(`${origin} must be a map`)
  const { scheme, ...values } = entry as Readonly<Record<string, unknown>>
  const named = schemeNames.find((name) => name === scheme)
  if (named === undefined) throw invalid(`${origin} must have a "scheme", one of ${schemeNames.join(', ')}`)
  const texts = Object.entries(values).map(([name, value]) => {
    if (typeof value !== 'string') throw invalid(`${origin}: ${name} must be a text`)
    return [name, value] as const
  })
  const own = parseSettings(settingsTable, { file: { path: origin, values: Object.fromEntries(texts) } })
  const [warning] = own.warnings
  if (warning !== undefined) throw invalid(`${origin}: ${warning.message}`)
  const merged = withKeyOf(base, own, origin)
  if (chosenScheme(merged) !== named) throw invalid(`${origin} says ${named} and holds no such key`)
  return { scheme: named, settings: merged }
}

/** The settings of the run, with those of encryption from one entry alone. */
function withKeyOf(base: Settings, own: ParsedSettings<typeof settingsTable>, origin: string): Settings {
  const settings = new Map<string, unknown>(Object.entries(base))
  for (const [key, row] of Object.entries(settingsTable)) {
    const isOwn = (own.origins[key]?.source ?? 'default') !== 'default'
    if (row.area === 'encryption') settings.set(key, (own.settings as Readonly<Record<string, unknown>>)[key])
    else if (isOwn) throw invalid(`${origin}: ${row.name} is no setting of a key`)
  }
  const merged = Object.fromEntries(settings) as unknown as Settings
  if (merged.cryptoPreviousKeys !== undefined || merged.cryptoPreviousKeysPath !== undefined)
    throw invalid(`${origin} has previous keys of its own`)
  return merged
}

function invalid(message: string): Fault {
  return new Fault('invalid', 'ENCRYPTION_PREVIOUS_KEYS_INVALID', message, {
    hint: 'for example [{"scheme": "libsodium", "WALG_LIBSODIUM_KEY_PATH": "/etc/waltz/old.key"}]',
  })
}
