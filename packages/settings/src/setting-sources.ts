import { flagNameOf, isNamed, namesOf, type SettingRow } from './setting-row.ts'

/** A value of a config file: numbers and booleans as the text that stood there, tables as objects. */
export type ConfigValue = string | readonly ConfigValue[] | { readonly [key: string]: ConfigValue }

/** A config file that was read. */
export interface ConfigFile {
  readonly path: string
  /** Keys as written; they are compared without regard to case. */
  readonly values: Readonly<Record<string, ConfigValue>>
}

/** The places a value may come from; flags win over the environment, the environment over the file (SET 1.1). */
export interface SettingSources {
  /** By the name in the environment: `WALG_S3_PREFIX`. */
  readonly flags?: Readonly<Record<string, string>>
  /** An empty variable is one that is not set. */
  readonly environment?: Readonly<Record<string, string | undefined>>
  readonly file?: ConfigFile | undefined
}

/** Where a value was found. */
export interface SettingOrigin {
  readonly source: 'flag' | 'environment' | 'file' | 'default'
  /** The spelling that was used. */
  readonly name: string
  /** In words: `flag --walg-file-prefix`, `environment`, the path of the file, `default`. */
  readonly where: string
}

/** A value as a source has it. */
export interface FoundValue {
  readonly raw: ConfigValue
  readonly origin: SettingOrigin
}

/** Sources prepared for many look-ups. */
export interface SourceIndex {
  find(row: SettingRow): FoundValue | undefined
  /** Every value under any spelling of the row, in the order of their strength. */
  findAll(row: SettingRow): readonly FoundValue[]
  readonly fileKeys: readonly string[]
  /** Names that a row was found by, so far. */
  readonly found: ReadonlySet<string>
}

const NOTHING: readonly FoundValue[] = []

/** Prepares sources for look-ups: file keys without regard to case. */
export function indexSources(sources: SettingSources): SourceIndex {
  const fileValues = new Map(Object.entries(sources.file?.values ?? {}).map(([key, value]) => [key.toUpperCase(), value]))
  const path = sources.file?.path ?? ''
  const found = new Set<string>()
  const lookUp = (name: string): FoundValue | undefined => {
    if (given.has(name)) found.add(name)
    const flag = sources.flags?.[name]
    if (flag !== undefined) return { raw: flag, origin: { source: 'flag', name, where: `flag --${flagNameOf(name)}` } }
    const variable = sources.environment?.[name]
    if (variable !== undefined && variable !== '') return { raw: variable, origin: { source: 'environment', name, where: 'environment' } }
    const fromFile = fileValues.get(name)
    return fromFile === undefined ? undefined : { raw: fromFile, origin: { source: 'file', name, where: path } }
  }
  const given = new Set([...Object.keys(sources.flags ?? {}), ...Object.keys(sources.environment ?? {}), ...fileValues.keys()])
  // Nearly every row is in no source, and there are hundreds.
  const findAll = (row: SettingRow): readonly FoundValue[] =>
    isNamed(row, given)
      ? namesOf(row)
          .map(lookUp)
          .filter((found) => found !== undefined)
      : NOTHING
  return { find: (row) => findAll(row)[0], findAll, fileKeys: [...fileValues.keys()], found }
}
