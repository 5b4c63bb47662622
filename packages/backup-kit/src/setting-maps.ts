import { storageSettingFault } from './setting-file.ts'

/**
 * Headers as JSON (a map, or a list of maps) or as lines `NAME: VALUE`, which is all of YAML that people use there (SET 5.1).
 * @throws Fault `invalid` `STORAGE_SETTING_INVALID` that names the setting and shows nothing of it.
 */
export function parseHeaders(setting: string, text: string | undefined): Readonly<Record<string, string>> | undefined {
  if (text === undefined || text.trim() === '') return undefined
  const parsed = parseJsonOrUndefined(text)
  const maps = parsed === undefined ? [parseLines(setting, text)] : Array.isArray(parsed) ? (parsed as unknown[]) : [parsed]
  return Object.assign({}, ...maps.map((map) => textMap(setting, map))) as Readonly<Record<string, string>>
}

/**
 * A map of texts as JSON.
 * @throws Fault `invalid` `STORAGE_SETTING_INVALID` that names the setting.
 */
export function parseTextMap(setting: string, text: string | undefined): Readonly<Record<string, string>> | undefined {
  if (text === undefined || text.trim() === '') return undefined
  return textMap(setting, parseJsonOrUndefined(text))
}

function parseJsonOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function parseLines(setting: string, text: string): Readonly<Record<string, string>> {
  const lines = text
    .split(/\r?\n/)
    .map((line) => line.replace(/^\s*-\s+/, '').trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
  return Object.fromEntries(
    lines.map((line) => {
      const [, name, value] = /^["']?([^\s:"']+)["']?\s*:\s+(.*)$/.exec(line) ?? []
      if (name === undefined || value === undefined) throw mapFault(setting)
      return [name, /^(["'])(.*)\1$/.exec(value)?.[2] ?? value]
    }),
  )
}

function textMap(setting: string, value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw mapFault(setting)
  if (!Object.values(value).every((one) => typeof one === 'string')) throw mapFault(setting)
  return value as Readonly<Record<string, string>>
}

function mapFault(setting: string): Error {
  return storageSettingFault(`${setting} is not a map of texts`, 'it looks like {"NAME": "VALUE"}')
}
