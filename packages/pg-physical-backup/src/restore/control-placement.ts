import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs'
import { guarded } from './local-fault.ts'
import { syncFolderNow } from './marker.ts'

/**
 * Puts the control file in: under a temporary name, synced, then renamed. Without it PostgreSQL does not start, so this
 * is the moment from which the folder is a whole data directory; everything else must be durable before.
 */
export function placeControlFile(destination: string, content: Uint8Array, sync: boolean): void {
  const folder = `${destination}/global`
  const temporary = `${folder}/pg_control.waltz`
  guarded('writing', `${folder}/pg_control`, () => {
    if (!existsSync(folder)) mkdirSync(folder, 0o700)
    const fd = openSync(temporary, 'w', 0o600)
    try {
      for (let done = 0; done < content.length;) done += writeSync(fd, content, done)
      if (sync) fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    renameSync(temporary, `${folder}/pg_control`)
    if (!sync) return
    syncFolderNow(folder)
    syncFolderNow(destination)
  })
}
