import { nearestName } from './nearest-name.ts'
import { parseGoBoolean } from './go-syntax.ts'
import { namesOf, type SettingArea, type SettingRow, type SettingRows } from './setting-row.ts'
import type { ConfigValue, FoundValue, SettingSources, SourceIndex } from './setting-sources.ts'

/** Something about the settings that people should know although the work goes on. Never holds a value. */
export interface SettingWarning {
  readonly kind: 'unknown' | 'no-effect' | 'overruled'
  /** The name as it was written. */
  readonly name: string
  readonly message: string
  /** For unknown names: the known one that is nearest. */
  readonly nearest?: string
}

const OWN_PREFIX = /^(WALG|WALE|WALTZ)_/
const OF_OTHER_DATABASES =
  /^(WALG_(GP|MYSQL|REDIS|ETCD|STREAM_SPLITTER|MONGO\w*)_|WALG_BACKUP_DOWNLOAD_MAX_RETRY$|MONGODB_|OPLOG_|SQLSERVER_|GPHOME$)/

const CAPABILITY_OF_AREA: Readonly<Partial<Record<SettingArea, string>>> = {
  delta: 'delta backups',
}

/** What a setting that Waltz cannot serve yet asks for, in words: `S3 storage is not available yet`. */
export function notAvailableText(row: SettingRow): string {
  if (row.note !== undefined) return row.note
  const capability = CAPABILITY_OF_AREA[row.area]
  return capability === undefined ? 'is not available yet' : `asks for ${capability}, which is not available yet`
}

/** Whether the value of a later setting asks for nothing: `false`, the default, an empty map, a neutral value. */
export function asksForNothing(row: SettingRow, raw: ConfigValue): boolean {
  if (typeof raw !== 'string') return Object.keys(raw).length === 0
  const text = raw.trim()
  if (text === '' || row.neutral?.includes(text) === true) return true
  return row.kind === 'boolean' && parseGoBoolean(text) === false
}

/** The warning for a later setting that is set, unless it is quiet or may belong to another program. */
export function noEffectWarning(row: SettingRow, found: FoundValue): SettingWarning | undefined {
  if (row.availability !== 'later-warn' || asksForNothing(row, found.raw)) return undefined
  const { name, source, where } = found.origin
  if (source === 'environment' && !/^(WALG|WALE|WALTZ|PG|S3_|GOSWIFT_)/.test(name)) return undefined
  return { kind: 'no-effect', name, message: `${name} (${where}) ${notAvailableText(row)}` }
}

/** A warning for each further spelling that is set to something else than the one that counts. */
export function overruledWarnings(all: readonly FoundValue[]): readonly SettingWarning[] {
  const [winner, ...others] = all
  return others
    .filter((other) => winner !== undefined && JSON.stringify(other.raw) !== JSON.stringify(winner.raw))
    .map((other) => ({
      kind: 'overruled' as const,
      name: other.origin.name,
      message: `${other.origin.name} (${other.origin.where}) is not used, because ${winner?.origin.name} (${winner?.origin.where}) is set too`,
    }))
}

/** Warnings for names that no row has: our own prefixes in flags and environment, every key of the config file. */
export function unknownNameWarnings(table: SettingRows, sources: SettingSources, index: SourceIndex): readonly SettingWarning[] {
  let all: ReadonlySet<string> | undefined
  const known = (): ReadonlySet<string> => (all ??= new Set(Object.values(table).flatMap(namesOf)))
  const isKnown = (name: string): boolean => index.found.has(name) || known().has(name)
  const warn = (name: string, where: string): SettingWarning => {
    if (OF_OTHER_DATABASES.test(name)) {
      return { kind: 'no-effect', name, message: `${name} (${where}) belongs to another database; it has no effect here` }
    }
    const nearest = nearestName(name, known())
    if (nearest === undefined) return { kind: 'unknown', name, message: `${name} (${where}) is not a setting` }
    return { kind: 'unknown', name, nearest, message: `${name} (${where}) is not a setting. Did you mean ${nearest}?` }
  }
  const flags = Object.keys(sources.flags ?? {})
  const variables = Object.entries(sources.environment ?? {})
    .filter(([name, value]) => OWN_PREFIX.test(name) && value !== undefined && value !== '')
    .map(([name]) => name)
  return [
    ...flags.filter((name) => !isKnown(name)).map((name) => warn(name, 'flag')),
    ...variables.filter((name) => !isKnown(name)).map((name) => warn(name, 'environment')),
    ...index.fileKeys.filter((name) => !isKnown(name)).map((name) => warn(name, sources.file?.path ?? 'file')),
  ]
}
