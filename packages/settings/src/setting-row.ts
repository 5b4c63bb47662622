/** How the text of a setting is read, and which value it becomes. */
export type SettingKind =
  | 'text'
  | 'path'
  | 'directory-url' // a directory, with or without file:// in front
  | 'choice'
  | 'boolean'
  | 'integer' // Go's syntax for whole numbers
  | 'float'
  | 'size' // bytes, with an optional kb, mb or gb
  | 'duration' // Go's syntax; the value is in milliseconds
  | 'json' // kept as checked text, so that no number in it loses digits
  | 'map' // nested keys of a config file, or the same as JSON text

/** The part of the product that a setting belongs to; also the headings of the reference. */
export type SettingArea =
  | 'storage'
  | 'compression'
  | 'encryption'
  | 'connection'
  | 'backup'
  | 'delta'
  | 'restore'
  | 'wal'
  | 'limits'
  | 'process'
  | 's3'
  | 'gcs'
  | 'azure'
  | 'oss'
  | 'swift'
  | 'ssh'
  | 'failover'
  | 'monitoring'
  | 'pgbackrest'

/**
 * Whether Waltz acts on a setting. `later-warn`: the work is correct without it, and the warning says what is not done. `later-quiet`:
 * it only has a meaning together with such a setting, or has none in any program.
 */
export type Availability = 'now' | 'later-warn' | 'later-quiet'

/** One row of the settings table. Help, reference, validation, defaults and redaction are all read from it. */
export interface SettingRow {
  /** Name in the environment; also the key in a config file, and, in lower case with dashes, the flag. */
  readonly name: string
  /** Other spellings, tried after `name` in this order (SET 1.4). */
  readonly aliases?: readonly string[]
  /** The WALG_ and WALE_ spellings of `name` are accepted too, as for every setting of one storage (SET 1.4). */
  readonly prefixedSpellings?: boolean
  readonly kind: SettingKind
  readonly area: SettingArea
  readonly availability: Availability
  /** One sentence. */
  readonly summary: string
  /** The value when no source says anything. */
  readonly fallback?: string | number | boolean
  /** What happens when no source says anything, where that is not one constant. */
  readonly unsetMeans?: string
  /** Never shown: not in messages, not in dumps. */
  readonly secret?: boolean
  readonly choices?: readonly string[]
  readonly ignoreCase?: boolean
  readonly min?: number
  readonly max?: number
  readonly powerOfTwo?: boolean
  /** A regular expression for the whole text, and what it asks for in words. */
  readonly pattern?: { readonly source: string; readonly asks: string }
  /** Values of a later setting that ask for nothing, besides `false` and the fallback. */
  readonly neutral?: readonly string[]
  /** Only meaningful when another setting has one of these values. */
  readonly onlyWith?: { readonly name: string; readonly values: readonly string[] }
  /** May not be set together with this one. */
  readonly notWith?: string
  /** False: environment and config file only. */
  readonly flag?: boolean
  /** What the warning says instead of "is not available yet". */
  readonly note?: string
}

/** Rows by the key of their value. */
export type SettingRows = Readonly<Record<string, SettingRow>>

type ValueOf<Row> = Row extends { readonly kind: 'choice'; readonly choices: readonly (infer Choice)[] }
  ? Choice
  : Row extends { readonly kind: 'boolean' }
    ? boolean
    : Row extends { readonly kind: 'integer' | 'float' | 'size' | 'duration' }
      ? number
      : string

/** The values of a table's rows: those that Waltz acts on, `undefined` where a row has no default. */
export type SettingsOf<Table extends SettingRows> = {
  readonly [Key in keyof Table as Table[Key] extends { readonly availability: 'now' } ? Key : never]: Table[Key] extends {
    readonly fallback: unknown
  }
    ? ValueOf<Table[Key]>
    : ValueOf<Table[Key]> | undefined
}

/** Every spelling of a row, in the order in which they are looked up. */
export function namesOf(row: SettingRow): readonly string[] {
  const prefixed = row.prefixedSpellings === true ? [`WALG_${row.name}`, `WALE_${row.name}`] : []
  return [row.name, ...prefixed, ...(row.aliases ?? [])]
}

/** Whether any spelling of a row is among these names. */
export function isNamed(row: SettingRow, names: ReadonlySet<string>): boolean {
  if (names.has(row.name)) return true
  return (row.prefixedSpellings === true || row.aliases !== undefined) && namesOf(row).some((name) => names.has(name))
}

/** The flag that stands for a setting's name, without dashes in front: `WALG_S3_PREFIX` is `walg-s3-prefix` (CMD 1.2). */
export function flagNameOf(settingName: string): string {
  return settingName.toLowerCase().replaceAll('_', '-')
}
