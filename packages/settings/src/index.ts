/**
 * The one table of settings: names, kinds, ranges, defaults, secrets, one sentence each. Validation, help, the
 * reference page and redaction are read from it. No I/O: sources come in as values, settings go out as values.
 */
export { settingsTable, type Settings, type SettingsTable } from './settings-table.ts'
export {
  flagNameOf,
  namesOf,
  type Availability,
  type SettingArea,
  type SettingKind,
  type SettingRow,
  type SettingRows,
  type SettingsOf,
} from './setting-row.ts'
export { createSettings, parseSettings, type ParsedSettings } from './parse-settings.ts'
export type { ConfigFile, ConfigValue, SettingOrigin, SettingSources } from './setting-sources.ts'
export type { SettingWarning } from './warnings.ts'
export { describeSettings, HIDDEN, redact } from './redact.ts'
export { withTurbo } from './with-turbo.ts'
export { chooseStorage, type StorageChoice, type StorageKind } from './storage-choice.ts'
export {
  listNames,
  PRIMARY_STORAGE,
  readFailoverStorages,
  secretNames,
  storageWarnings,
  type FailoverStorage,
  type FailoverStorages,
} from './failover-storages.ts'
export { parseGoDuration, parseSize } from './go-syntax.ts'
export { nearestName } from './nearest-name.ts'
export { acceptsText, defaultText, listSettings, renderSettingsReference, type SettingDescription } from './render-settings-reference.ts'
export { faultCodes } from './fault-codes.ts'
