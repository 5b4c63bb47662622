import { resolve } from 'node:path'
import type { KitEvent, StoredPushedBackup } from '@waltz/backup-kit'
import { formatLsn } from '@waltz/pg-structures'
import { parseJson, stringifyJson } from '@waltz/repository'
import type { Invocation } from '../command.ts'
import { formatBytes } from '../format-amount.ts'

/** Takes a backup, shows how it goes, and says what came of it. */
export async function runBackupPush(invocation: Invocation): Promise<number> {
  const { settings, io, log, flags } = invocation
  const kit = await invocation.openKit()
  const progress = watch(invocation)
  const userData = settings.sentinelUserData
  const [directory = ''] = invocation.args
  try {
    const backup = await kit.pushBackup({
      // An empty text is a variable that is not set, not the folder we are in.
      dataDirectory: directory === '' ? '' : resolve(io.cwd, directory),
      permanent: flags['permanent'] === true,
      ...(userData === undefined ? {} : { userData: parseJson(userData, { origin: 'WALG_SENTINEL_USER_DATA' }) }),
      estimate: !invocation.json || io.terminal.interactive,
      observe: progress,
      signal: io.signal,
    })
    invocation.progress.finish()
    if (invocation.json) io.stdout(`${stringifyJson(resultAsJson(backup, invocation), { escaping: 'plain' })}\n`)
    describe(backup, invocation)
  } finally {
    invocation.progress.finish()
  }
  log.debug('the server has left backup mode')
  return 0
}

/** Turns what the kit tells into the progress line and the log. */
function watch({ log, progress }: Invocation): (event: KitEvent) => void {
  let readBytes = 0
  return (event) => {
    switch (event.type) {
      case 'started':
        log.info(`Started backup with name ${event.name} at LSN ${formatLsn(event.startLsn)}`)
        return
      case 'phase':
        progress.phase(PHASES[event.phase])
        return
      case 'estimated':
        progress.phase(PHASES.copying, event.bytes)
        progress.update(readBytes)
        return
      case 'read':
        readBytes += event.bytes
        progress.update(readBytes)
        return
      case 'part-stored':
        log.debug(`stored ${event.part}, ${formatBytes(event.storedBytes)}`)
        return
      case 'waiting-for-wal':
        progress.note(`waiting for ${event.segment} to arrive in the archive (${Math.round(event.waitedMs / 1000)} s)`)
        return
      case 'corrupt-pages':
        log.warn(
          `corrupt pages in ${event.path}: blocks ${event.blocks.slice(0, 10).join(', ')}${event.blocks.length > 10 ? ' and more' : ''}`,
        )
        return
      case 'warning':
        log.warn(event.message)
        return
      default:
    }
  }
}

const PHASES = {
  copying: 'copying files',
  stopping: 'ending the backup',
  'checking-wal': 'checking its WAL',
  publishing: 'publishing',
} as const

function describe(backup: StoredPushedBackup, { log }: Invocation): void {
  for (const { path, reason } of backup.skipped) log.warn(`not stored: ${path}: ${reason}`)
  for (const { path, target } of backup.links) log.info(`stored in place of a symbolic link: ${path} (it leads to ${target})`)
  if (backup.corruptBlocks > 0) log.warn(`${backup.corruptBlocks} corrupt pages are recorded in the backup`)
  if (backup.wal.pending.length > 0) log.warn(`the backup waits for ${backup.wal.pending.join(', ')}: it cannot be restored before`)
  const seconds = (backup.finishedAt.getTime() - backup.startedAt.getTime()) / 1000
  const ratio = backup.storedBytes === 0 ? 1 : backup.uncompressedBytes / backup.storedBytes
  log.info(
    `${backup.files} files and folders, ${formatBytes(backup.uncompressedBytes)}, stored as ${formatBytes(backup.storedBytes)} (${ratio.toFixed(1)} : 1) in ${seconds.toFixed(1)} s`,
  )
  log.info(`Wrote backup with name ${backup.name} to storage ${backup.storage}`)
}

function resultAsJson(backup: StoredPushedBackup, { settingWarnings }: Invocation): unknown {
  return {
    backup_name: backup.name,
    storage_name: backup.storage,
    start_lsn: backup.startLsn,
    finish_lsn: backup.finishLsn,
    timeline: backup.timeline,
    pg_version: backup.serverVersion,
    system_identifier: backup.systemIdentifier,
    start_time: backup.startedAt.toISOString(),
    finish_time: backup.finishedAt.toISOString(),
    files: backup.files,
    parts: backup.parts,
    uncompressed_size: backup.uncompressedBytes,
    compressed_size: backup.storedBytes,
    corrupt_blocks: backup.corruptBlocks,
    wal: backup.wal,
    links: backup.links,
    skipped: backup.skipped,
    warnings: [...backup.warnings, ...settingWarnings.map((warning) => warning.message)],
  }
}
