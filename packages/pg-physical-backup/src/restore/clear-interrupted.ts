import { lstat, opendir, rmdir, unlink } from 'node:fs/promises'
import { Fault } from '@waltz/errors'
import { errnoOf, localFault } from './local-fault.ts'
import { isReservedName, markerName, ownerName, type RestoreMarker } from './marker.ts'
import { isOwned } from './restore-owner.ts'

/** Files that a restore writes although no backup lists them. */
const ownFiles: ReadonlySet<string> = new Set([
  'backup_label',
  'tablespace_map',
  'global/pg_control',
  'global/pg_control.waltz',
  'postgresql.auto.conf',
  'recovery.signal',
  'standby.signal',
])

/**
 * Clears what an interrupted run wrote, in the data directory and in the tablespace locations that its marker names.
 * First everything is looked at, then removed: a file that the backup does not have is somebody else's, and then
 * nothing is removed at all. The marker and the files of living owners stay.
 * @throws Fault `conflict` `RESTORE_FOREIGN_FILE`.
 */
export async function clearInterrupted(destination: string, marker: RestoreMarker, isMember: (path: string) => boolean): Promise<void> {
  const links = new Set(marker.tablespaces.map((one) => `pg_tblspc/${one.name}`))
  const roots = [
    ...marker.tablespaces.map((one) => ({ folder: one.location, prefix: `pg_tblspc/${one.name}/` })),
    { folder: destination, prefix: '' },
  ]
  const mayRemove = (path: string): boolean =>
    isReservedName(withoutLink(path, links)) || ownFiles.has(path) || links.has(path) || isMember(path)
  for (const { folder, prefix } of roots)
    await walk(folder, prefix, async (full, path) => {
      if (!mayRemove(path))
        throw new Fault(
          'conflict',
          'RESTORE_FOREIGN_FILE',
          `${full} is not a file of ${marker.backup}, so the interrupted restore was not cleared`,
          {
            context: { path: full },
            hint: 'Move the file away if it is needed, or delete the folder, then run the command again.',
          },
        )
    })
  for (const { folder, prefix } of roots)
    await walk(
      folder,
      prefix,
      async (full, path) => {
        if (path !== markerName && !(withoutLink(path, links) === ownerName && isOwned(full))) await unlink(full)
      },
      async (full) => rmdir(full),
    )
}

/** The path within its root: that of the data directory, or a tablespace's. */
function withoutLink(path: string, links: ReadonlySet<string>): string {
  const parts = path.split('/')
  return parts.length > 2 && links.has(`${parts[0]}/${parts[1]}`) ? parts.slice(2).join('/') : path
}

type Visit = (full: string, path: string) => Promise<void>

/** Depth first; links are visited like files and never followed. A folder that does not exist holds nothing. */
async function walk(folder: string, prefix: string, onFile: Visit, onFolder?: Visit): Promise<void> {
  try {
    for await (const entry of await opendir(folder)) {
      const full = `${folder}/${entry.name}`
      const path = prefix + entry.name
      const isFolder = entry.isDirectory() || (!entry.isFile() && !entry.isSymbolicLink() && (await lstat(full)).isDirectory())
      if (!isFolder) {
        await onFile(full, path)
        continue
      }
      await walk(full, `${path}/`, onFile, onFolder)
      await onFolder?.(full, path)
    }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return
    throw error instanceof Fault ? error : localFault(error, 'clearing', folder)
  }
}
