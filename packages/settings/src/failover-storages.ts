import { Fault } from '@waltz/errors'
import { parseSettings } from './parse-settings.ts'
import { namesOf, type SettingArea, type SettingRow } from './setting-row.ts'
import type { ConfigValue } from './setting-sources.ts'
import { settingsTable, type Settings } from './settings-table.ts'
import { chooseStorage, STORAGE_PREFIXES } from './storage-choice.ts'
import type { SettingWarning } from './warnings.ts'

/** One further storage. */
export interface FailoverStorage {
  readonly name: string
  /** Those of the whole run, with what this storage has of its own. */
  readonly settings: Settings
}

/** Further storages, in the order of their names. */
export interface FailoverStorages {
  readonly storages: readonly FailoverStorage[]
  readonly warnings: readonly SettingWarning[]
}

/** What the first storage is called; nobody else may be (RF 10.2). */
export const PRIMARY_STORAGE = 'default'
const RESERVED: readonly string[] = [PRIMARY_STORAGE, 'all', 'any']

const STORAGE_AREAS: ReadonlySet<SettingArea> = new Set(['s3', 'gcs', 'azure', 'oss', 'swift', 'ssh'])
/** Settings of other areas that a storage may have for itself. */
const OWN_KEYS: ReadonlySet<string> = new Set([
  'filePrefix',
  'uploadConcurrency',
  'caFile',
  'httpProxy',
  'noProxy',
  'storageIdleTimeout',
  'storageConnectTimeout',
  'storageMaxRetries',
])
/** A part of the credentials of one storage has no meaning beside the keys of another: it is inherited only without these. */
const NOT_BESIDE: Readonly<Record<string, readonly string[]>> = {
  awsSessionToken: ['awsAccessKeyId', 'awsSecretAccessKey'],
  awsRoleArn: ['awsAccessKeyId', 'awsSecretAccessKey'],
  azureStorageAccessKey: ['azureStorageSasToken'],
  ossSessionToken: ['ossAccessKeyId', 'ossAccessKeySecret'],
}
const ORIGIN = 'WALG_FAILOVER_STORAGES'

/**
 * Reads WALG_FAILOVER_STORAGES: names with the settings of each storage. What one omits is as for the first storage, its
 * prefix excepted (SET 1.5, CMD 14).
 * @throws Fault `invalid` `SETTINGS_INVALID` for anything but a map of maps, a reserved name, a storage without a prefix, a
 * bad value. No value is shown.
 */
export function readFailoverStorages(settings: Settings): FailoverStorages {
  const maps = parseMaps(settings.failoverStorages)
  const warnings: SettingWarning[] = []
  const storages = maps.map(([name, own]) => {
    const read = storageSettings(settings, name, own)
    warnings.push(...read.warnings)
    return { name, settings: read.settings }
  })
  return { storages, warnings }
}

function parseMaps(text: string | undefined): readonly (readonly [string, Readonly<Record<string, ConfigValue>>])[] {
  if (text === undefined) return []
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    throw invalid(`${ORIGIN} must be JSON, or nested keys of the config file`)
  }
  if (!isMap(parsed)) throw invalid(`${ORIGIN} must be a map from the name of a storage to its settings`)
  return Object.entries(parsed)
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, own]) => {
      if (RESERVED.includes(name)) throw invalid(`${ORIGIN}: no storage may be called ${name}`)
      if (!isMap(own)) throw invalid(`${ORIGIN}: the storage ${name} must be a map of settings`)
      return [name, Object.fromEntries(Object.entries(own).map(([key, value]) => [key, textOf(value)]))]
    })
}

function storageSettings(base: Settings, name: string, own: Readonly<Record<string, ConfigValue>>): ReturnType<typeof parseOwn> {
  const parsed = parseOwn(base, name, own)
  if (chooseStorage(parsed.settings) !== undefined) return parsed
  throw invalid(`${ORIGIN}: the storage ${name} has no prefix such as WALG_S3_PREFIX; it is the one setting that is not inherited`)
}

function parseOwn(
  base: Settings,
  name: string,
  own: Readonly<Record<string, ConfigValue>>,
): { readonly settings: Settings; readonly warnings: readonly SettingWarning[] } {
  const { settings, origins, warnings } = parseSettings(settingsTable, { file: { path: `${ORIGIN}, ${name}`, values: own } })
  const isOwn = (key: string): boolean => (origins[key]?.source ?? 'default') !== 'default'
  const values = new Map<string, unknown>(Object.entries(base))
  const said: SettingWarning[] = [...warnings]
  for (const { key } of STORAGE_PREFIXES) values.set(key, undefined)
  for (const [key, others] of Object.entries(NOT_BESIDE)) if (others.some(isOwn)) values.set(key, undefined)
  for (const [key, row] of Object.entries<SettingRow>(settingsTable)) {
    if (!isOwn(key)) continue
    if (STORAGE_AREAS.has(row.area) || OWN_KEYS.has(key)) values.set(key, (settings as Readonly<Record<string, unknown>>)[key])
    else said.push({ kind: 'no-effect', name: row.name, message: `${row.name} (${ORIGIN}, ${name}) has no effect for one storage` })
  }
  return { settings: Object.fromEntries(values) as unknown as Settings, warnings: said }
}

/**
 * Warnings about the storages that settings name: further prefixes that are not used, unknown names in the maps of further
 * storages, names to leave out that no storage has.
 * @throws Fault as `readFailoverStorages`.
 */
export function storageWarnings(settings: Settings): readonly SettingWarning[] {
  const choices = [{ where: '', choice: chooseStorage(settings) }]
  const failover = settings.failoverStorages === undefined ? undefined : readFailoverStorages(settings)
  for (const storage of failover?.storages ?? []) choices.push({ where: ` (${storage.name})`, choice: chooseStorage(storage.settings) })
  const ignored = choices.flatMap(({ where, choice }) =>
    (choice?.ignored ?? []).map((name) => ({
      kind: 'overruled' as const,
      name,
      message: `${name}${where} is not used, because ${choice?.setting} is set too`,
    })),
  )
  const names = [PRIMARY_STORAGE, ...(failover?.storages ?? []).map(({ name }) => name)]
  const unknown = listNames(settings.failoverIgnore).filter((name) => !names.includes(name))
  return [
    ...ignored,
    ...(failover?.warnings ?? []),
    ...unknown.map((name) => ({
      kind: 'no-effect' as const,
      name: 'WALTZ_FAILOVER_IGNORE',
      message: `WALTZ_FAILOVER_IGNORE names ${JSON.stringify(name)}, which no storage is called; there are ${names.join(', ')}`,
    })),
  ]
}

/** Names with commas between them. */
export function listNames(text: string | undefined): readonly string[] {
  return (text ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
}

/** Every spelling of the settings that hold something secret, for tests and for filters of logs. */
export function secretNames(): readonly string[] {
  return Object.values<SettingRow>(settingsTable)
    .filter((row) => row.secret === true)
    .flatMap(namesOf)
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function textOf(value: unknown): ConfigValue {
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : (value as ConfigValue)
}

function invalid(message: string): Fault {
  return new Fault('invalid', 'SETTINGS_INVALID', message, {
    hint: 'it looks like {"second": {"WALG_S3_PREFIX": "s3://bucket/folder", "AWS_REGION": "eu-central-1"}}',
  })
}
