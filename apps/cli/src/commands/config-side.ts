import { namesOf, parseSettings, settingsTable, type ParsedSettings, type Settings, type SettingsTable } from '@waltz/settings'
import type { BackupKit } from '@waltz/backup-kit'
import { readConfigFile } from '../config-file.ts'
import type { Invocation } from '../command.ts'
import { openKitFor } from '../open-kit.ts'
import { withStorageLog } from '../storage-log.ts'

/** Credentials and addresses of servers; where a repository lies is only ever in the file. */
const AREAS: ReadonlySet<string> = new Set(['s3', 'gcs', 'azure', 'oss', 'swift', 'ssh'])
const PREFIXES: ReadonlySet<string> = new Set(['s3Prefix', 'gsPrefix', 'azPrefix', 'ossPrefix', 'swiftPrefix', 'sshPrefix'])
const PROXIES: ReadonlySet<string> = new Set(['systemHttpProxy', 'systemHttpsProxy', 'systemNoProxy'])

/**
 * The repository that a config file describes. What the file says counts; settings of storages that it leaves out come from the
 * environment (CMD 3.5), except for prefixes, which describe another repository there.
 * @throws Fault of the file or its settings.
 */
export async function openConfigSide(invocation: Invocation, path: string): Promise<BackupKit> {
  const { io, log } = invocation
  const file = await readConfigFile(path, io)
  const alone = parseSettings(settingsTable, { file })
  const environment = environmentBeside(alone, io.env)
  const { settings, warnings } = parseSettings(settingsTable, { file, environment })
  for (const warning of warnings) log.warn(`${path}: ${warning.message}`)
  return await openKitFor(settings, io, withStorageLog(log, undefined))
}

function environmentBeside(
  { origins }: ParsedSettings<SettingsTable>,
  env: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string | undefined>> {
  const names = Object.entries(settingsTable).flatMap(([key, row]) => {
    const isWanted = (AREAS.has(row.area) && !PREFIXES.has(key)) || PROXIES.has(key)
    return isWanted && (origins[key as keyof Settings]?.source ?? 'default') === 'default' ? namesOf(row) : []
  })
  return Object.fromEntries(names.map((name) => [name, env[name]]))
}
