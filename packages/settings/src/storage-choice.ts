import type { Settings } from './settings-table.ts'

/** The kinds of storage, by the words of WAL-G's prefix settings. */
export type StorageKind = 'oss' | 's3' | 'file' | 'gs' | 'az' | 'swift' | 'ssh'

/** The storage that settings name. */
export interface StorageChoice {
  readonly kind: StorageKind
  /** Name of the setting that it comes from. */
  readonly setting: string
  /** Its value. */
  readonly prefix: string
  /** Names of further prefix settings that are set and not used. */
  readonly ignored: readonly string[]
}

/** In the order in which WAL-G looks for a storage: the first that is set wins (SET 4). */
export const STORAGE_PREFIXES = [
  { kind: 'oss', key: 'ossPrefix', setting: 'WALG_OSS_PREFIX' },
  { kind: 's3', key: 's3Prefix', setting: 'WALG_S3_PREFIX' },
  { kind: 'file', key: 'filePrefix', setting: 'WALG_FILE_PREFIX' },
  { kind: 'gs', key: 'gsPrefix', setting: 'WALG_GS_PREFIX' },
  { kind: 'az', key: 'azPrefix', setting: 'WALG_AZ_PREFIX' },
  { kind: 'swift', key: 'swiftPrefix', setting: 'WALG_SWIFT_PREFIX' },
  { kind: 'ssh', key: 'sshPrefix', setting: 'WALG_SSH_PREFIX' },
] as const

/** The storage that the settings name; undefined when they name none. */
export function chooseStorage(settings: Settings): StorageChoice | undefined {
  const set = STORAGE_PREFIXES.flatMap(({ kind, key, setting }) => {
    const prefix = settings[key]
    return prefix === undefined || prefix === '' ? [] : [{ kind, setting, prefix }]
  })
  const [first, ...others] = set
  return first === undefined ? undefined : { ...first, ignored: others.map(({ setting }) => setting) }
}
