import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { RestoreBackupOptions, RestoredBackup, RestorePlan } from '@waltz/backup-kit'
import { Fault } from '@waltz/errors'
import { formatRestoreCommand, parseRecoveryFlags, type RecoveryWish, type RestoreEvent, type WallClock } from '@waltz/pg-physical-backup'
import { parseJson, parseRestoreSpec, stringifyJson, type BackupSelector, type TablespaceSpec } from '@waltz/repository'
import { namesOf, settingsTable, type SettingArea, type SettingRow } from '@waltz/settings'
import type { Invocation } from '../command.ts'
import { formatBytes } from '../format-amount.ts'
import { planAsJson, renderPlan, resultAsJson } from '../render-restore.ts'
import { usageFault } from '../usage-fault.ts'
import { findWaltzProgram } from '../waltz-program.ts'

/**
 * Restores a backup, or with `--plan` says what that would mean. A plan that would be refused ends with the exit code of
 * the refusal.
 */
export async function runBackupFetch(invocation: Invocation): Promise<number> {
  const { io, progress } = invocation
  const options = await restoreOptions(invocation)
  const kit = await invocation.openKit()
  if (invocation.flags['plan'] === true) {
    const plan = await kit.planRestore(options)
    io.stdout(invocation.json ? `${stringifyJson(planAsJson(plan), { escaping: 'plain' })}\n` : renderPlan(plan))
    const [refusal] = plan.refusals
    if (refusal !== undefined) throw refusal
    return 0
  }
  const startedMs = io.now().getTime()
  try {
    const result = await kit.restoreBackup({ ...options, onPlan: (plan) => announce(plan, invocation), observe: watch(invocation) })
    progress.finish()
    const seconds = (io.now().getTime() - startedMs) / 1000
    if (invocation.json) io.stdout(`${stringifyJson(resultAsJson(result, seconds, invocation.settingWarnings), { escaping: 'plain' })}\n`)
    describe(result, seconds, invocation)
  } finally {
    progress.finish()
  }
  return 0
}

async function restoreOptions(invocation: Invocation): Promise<RestoreBackupOptions> {
  const { args, flags, io } = invocation
  // The working directory would be meant: what an unset variable of a script must not do.
  if (args[0] === undefined || args[0] === '') throw usageFault('the directory to restore into is empty', { command: 'backup-fetch' })
  const selector = chooseSelector(invocation)
  const recovery = recoveryWish(invocation)
  if (selector === undefined && recovery === undefined)
    throw usageFault('say which backup: a name, LATEST, --target-user-data, or a target such as --target-time', { command: 'backup-fetch' })
  const specFile = textOf(flags['restore-spec'])
  return {
    destination: resolve(io.cwd, args[0]),
    ...(selector === undefined ? {} : { selector }),
    ...(recovery === undefined ? {} : { recovery }),
    ...(specFile === undefined ? {} : { restoreSpec: await readSpec(resolve(io.cwd, specFile)) }),
    signal: io.signal,
  }
}

function chooseSelector({ args, settings }: Invocation): BackupSelector | undefined {
  const name = args[1]
  const userData = settings.fetchTargetUserData
  if (name !== undefined && userData !== undefined)
    throw usageFault('a backup name and --target-user-data exclude each other', { command: 'backup-fetch' })
  if (userData !== undefined) return { userData: parseJson(userData, { origin: 'WALG_FETCH_TARGET_USER_DATA' }) }
  if (name === undefined) return undefined
  return name === 'LATEST' ? { latest: true } : { name }
}

function recoveryWish(invocation: Invocation): RecoveryWish | undefined {
  const { flags, io, configFile, settings } = invocation
  const request = parseRecoveryFlags(
    {
      time: textOf(flags['target-time']),
      lsn: textOf(flags['target-lsn']),
      xid: textOf(flags['target-xid']),
      name: textOf(flags['target-name']),
      immediate: flags['target-immediate'] === true,
      timeline: textOf(flags['target-timeline']),
      action: textOf(flags['target-action']),
      inclusive: textOf(flags['target-inclusive']),
      standby: flags['standby'] === true,
      keepArchiving: flags['keep-archiving'] === true,
    },
    localOffset,
  )
  if (request === undefined) return undefined
  // A file found by itself in the home directory is found by the server's user too, if it is the same one.
  const given = flags['config'] !== undefined || (io.env['WALG_CONFIG_PATH'] ?? '') !== ''
  const options = given && configFile !== undefined ? ['--config', configFile] : []
  const program = findWaltzProgram()
  // Who asked for WAL-G's exit codes gets them as they are.
  const guarded = program.guarded === true && settings.walFetchExitCodes !== 'wal-g'
  return {
    request,
    restoreCommand: formatRestoreCommand({ ...program, guarded, options }),
    requiredVariables: requiredVariables(invocation),
  }
}

const fetchAreas: ReadonlySet<SettingArea> = new Set([
  'storage',
  'compression',
  'encryption',
  'wal',
  's3',
  'gcs',
  'azure',
  'oss',
  'swift',
  'ssh',
  'failover',
])

/** Names, never values, of what wal-fetch had from the environment or from a flag here and needs on the server as well. */
function requiredVariables({ io, settings, configFile }: Invocation): readonly string[] {
  const rows: readonly SettingRow[] = Object.values(settingsTable)
  const set = rows
    .filter((row) => row.availability === 'now' && fetchAreas.has(row.area))
    .flatMap((row) => namesOf(row).filter((name) => (io.env[name] ?? '') !== ''))
  const fromFlag = settings.filePrefix !== undefined && configFile === undefined && !set.some((name) => name.endsWith('FILE_PREFIX'))
  return fromFlag ? ['WALG_FILE_PREFIX', ...set] : set
}

/** The offset that local time has when the clock on the wall shows this. */
function localOffset({ year, month, day, hour, minute, second }: WallClock): number {
  return -new Date(year, month - 1, day, hour, minute, second).getTimezoneOffset()
}

async function readSpec(path: string): Promise<TablespaceSpec> {
  try {
    return parseRestoreSpec(await readFile(path), { origin: path })
  } catch (error) {
    if (error instanceof Fault) throw error
    throw usageFault(`the restore spec ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`, {
      command: 'backup-fetch',
    })
  }
}

function announce(plan: RestorePlan, { log }: Invocation): void {
  log.info(`Restoring ${plan.backup.name} into ${plan.destination.path}: ${plan.backup.reason}`)
  for (const { name, why } of plan.backup.passedOver) log.info(`not taken: ${name} ${why}`)
  if (plan.recovery !== undefined) log.info(`Recovery will go to ${plan.recovery.target}`)
  for (const warning of plan.warnings) log.warn(warning)
  if (plan.destination.state === 'interrupted') log.info('an interrupted restore of this backup is here: what it wrote is cleared first')
}

const PHASES = {
  clearing: 'clearing what an interrupted restore wrote',
  extracting: 'restoring files',
  checking: 'checking that nothing is missing',
  syncing: 'syncing',
  finishing: 'finishing',
} as const

/** Turns what the kit tells into the progress line and the log. */
function watch({ log, progress }: Invocation): (event: RestoreEvent) => void {
  return (event) => {
    if (event.type === 'fetched') progress.update(event.bytes)
    else if (event.type === 'retry') log.warn(`${event.part} is fetched again (attempt ${event.attempt + 1}): ${event.cause.message}`)
    else progress.phase(PHASES[event.phase], event.phase === 'extracting' ? event.totalBytes : undefined)
  }
}

function describe(result: RestoredBackup, seconds: number, { io, log }: Invocation): void {
  const { plan, skipped, vanished } = result
  for (const { name, reason } of skipped.members) log.warn(`not restored: ${name}: ${reason}`)
  if (skipped.count > skipped.members.length) log.warn(`${skipped.count - skipped.members.length} more members were not restored`)
  if (vanished.count > 0) log.info(`${vanished.count} files were gone when the backup was made, such as ${vanished.names[0] ?? ''}`)
  for (const { path, target } of result.recordedLinks) log.info(`restored as a file: ${path} (in the source it was a link to ${target})`)
  for (const reason of result.notFullyChecked) log.warn(`not fully checked: ${reason}`)
  for (const warning of result.warnings.slice(plan.warnings.length)) log.warn(warning)
  if (result.synced === 'skipped') log.warn('nothing was synced (WALG_TAR_DISABLE_FSYNC): a power cut may damage the copy')
  log.info(`${result.files} files and ${result.directories} folders, ${formatBytes(result.bytes)}, in ${seconds.toFixed(1)} s`)
  log.info(`Backup extraction complete: ${plan.destination.path}`)
  if (io.host?.user === 'root') log.warn(rootWarning(plan))
  describeNextSteps(plan, log)
}

/** PostgreSQL refuses to run as root, and as another user on files that are not its own. */
function rootWarning({ destination, tablespaces }: RestorePlan): string {
  const places = [destination.path, ...tablespaces.map((one) => one.location)].join(' ')
  return `restored as root, so that every file belongs to root: give the copy to the server's user (chown -R postgres: ${places}) before starting it`
}

function describeNextSteps(plan: RestorePlan, log: Invocation['log']): void {
  if (plan.recovery === undefined) return
  const setting = (name: string): string | undefined => plan.recovery?.settings.find(([key]) => key === name)?.[1]
  const path = plan.destination.path
  log.info(
    setting('archive_mode') === 'off'
      ? 'Archiving is off in this copy (archive_mode = off at the end of postgresql.auto.conf), so that it cannot write into the archive that it came from'
      : 'Archiving stays as it was (--keep-archiving): give this copy a storage prefix of its own, unless it replaces the old server',
  )
  log.info(`restore_command is: ${setting('restore_command') ?? ''}`)
  if (plan.recovery.requiredVariables.length > 0)
    log.info(`The server's environment must have ${plan.recovery.requiredVariables.join(', ')}`)
  log.info(`Start it with: pg_ctl -D ${path} start`)
  if (plan.recovery.signalFile === 'standby.signal' || setting('recovery_target_action') === 'pause')
    log.info(`When the data is right, promote it with: pg_ctl -D ${path} promote`)
}

function textOf(flag: string | boolean | undefined): string | undefined {
  return flag === undefined ? undefined : String(flag)
}
