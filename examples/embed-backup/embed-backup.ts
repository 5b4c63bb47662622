/**
 * Backs up a running PostgreSQL server into a folder, lists the backups there and restores the new one beside it:
 *
 *   node embed-backup.ts DATA_DIRECTORY REPOSITORY RESTORE_INTO
 *
 * Ctrl-C ends it in good order: the server leaves backup mode, and no half-made backup is ever listed.
 */
import { availableParallelism, homedir, hostname, tmpdir, userInfo } from 'node:os'
import { isFault, kitSettings, openBackupKit, type KitEvent, type RestoreEvent } from '@waltz/backup-kit'

const [dataDirectory, repository, destination] = process.argv.slice(2)
if (dataDirectory === undefined || repository === undefined || destination === undefined) {
  console.error('usage: node embed-backup.ts DATA_DIRECTORY REPOSITORY RESTORE_INTO')
  process.exit(2)
}

const interrupt = new AbortController()
process.once('SIGINT', () => interrupt.abort())

try {
  await backUpAndRestore(interrupt.signal)
} catch (error) {
  if (!isFault(error)) throw error
  console.error(`${error.code}: ${error.message}${error.hint === undefined ? '' : `\n${error.hint}`}`)
  process.exitCode = error.kind === 'aborted' ? 130 : 1
}

async function backUpAndRestore(signal: AbortSignal): Promise<void> {
  // Settings have the names that they have in the environment of the `waltz` command; what is left out has its default.
  const { PGHOST = '', PGPORT = '', PGUSER = '', WALG_NETWORK_RATE_LIMIT = '' } = process.env
  const settings = kitSettings({
    PGHOST,
    PGPORT,
    PGUSER,
    WALG_NETWORK_RATE_LIMIT,
    WALG_FILE_PREFIX: repository,
    WALG_COMPRESSION_METHOD: 'zstd',
  })

  // A library asks nothing of the process it runs in: this says what it may know.
  await using kit = await openBackupKit(settings, {
    now: () => new Date(),
    hostname: hostname(),
    user: userInfo().username,
    home: homedir(),
    processId: process.pid,
    cores: availableParallelism(),
    temporaryFolder: tmpdir(),
  })

  const backup = await kit.pushBackup({ dataDirectory, estimate: true, userData: { made: 'by embed-backup' }, observe: showPush(), signal })
  console.log(`backed up ${backup.name}: ${backup.files} files, ${mib(backup.uncompressedBytes)}, stored as ${mib(backup.storedBytes)}`)

  for await (const { name, modifiedAt } of kit.backups.list({ signal })) console.log(`listed ${name} of ${modifiedAt.toISOString()}`)

  const restored = await kit.restoreBackup({ destination, selector: { name: backup.name }, observe: showRestore, signal })
  console.log(`restored ${restored.files} files, ${mib(restored.bytes)}, into ${destination}`)
}

/** Says how far the backup is whenever another tenth has been read. */
function showPush(): (event: KitEvent) => void {
  let total = Infinity
  let read = 0
  let tenths = 0
  return (event) => {
    if (event.type === 'estimated') total = event.bytes
    if (event.type === 'phase') console.log(`backup: ${event.phase}`)
    if (event.type === 'warning') console.warn(`warning: ${event.message}`)
    if (event.type !== 'read') return
    read += event.bytes
    if (Math.floor((10 * read) / total) <= tenths) return
    tenths = Math.floor((10 * read) / total)
    console.log(`read ${mib(read)} of about ${mib(total)}`)
  }
}

function showRestore(event: RestoreEvent): void {
  if (event.type === 'phase') console.log(`restore: ${event.phase}`)
}

function mib(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(1)} MiB`
}
