import {
  describeSettings,
  parseSettings,
  settingsTable,
  storageWarnings,
  withTurbo,
  type Settings,
  type SettingWarning,
} from '@waltz/settings'
import { readConfigFile } from './config-file.ts'
import type { CommandIo } from './command.ts'

/** Settings as one run uses them. */
export interface OpenSettings {
  readonly settings: Settings
  readonly warnings: readonly SettingWarning[]
  /** Absolute path of the config file, when there is one. */
  readonly configFile: string | undefined
  /** Lines for a debug log: each value and where it came from, secrets hidden. */
  readonly describe: () => readonly string[]
}

/** The part of a command line that settings come from. */
export interface SettingFlags {
  readonly flags: Readonly<Record<string, string | boolean>>
  readonly settingFlags: Readonly<Record<string, string>>
}

/**
 * Reads the config file and puts flags, environment and file together.
 * @throws Fault `invalid` `CONFIG_FILE_UNREADABLE`, `CONFIG_FILE_INVALID` or `SETTINGS_INVALID`.
 */
export async function openSettings({ flags, settingFlags }: SettingFlags, io: CommandIo): Promise<OpenSettings> {
  const named = flags['config']
  const file = await readConfigFile(typeof named === 'string' ? named : undefined, io)
  const parsed = parseSettings(settingsTable, { flags: settingFlags, environment: io.env, file })
  return {
    settings: flags['turbo'] === true ? withTurbo(parsed.settings) : parsed.settings,
    warnings: [...parsed.warnings, ...storageWarnings(parsed.settings)],
    configFile: file?.path,
    describe: () => describeSettings(settingsTable, parsed),
  }
}
