import { basename, resolve } from 'node:path'
import { openLocalWal } from '@waltz/wal-archive'
import type { Invocation } from '../command.ts'
import { readLocalCluster } from './local-cluster.ts'
import { logWalEvent } from './wal-events.ts'

/**
 * Archives one file, for `archive_command` (CMD 4.1). Resolves to 0 once the file is durable in the archive, or was
 * there with the same content.
 * @throws Fault `invalid` `WAL_FILE_MISSING`, and as `WalArchive.push`.
 */
export async function runWalPush(invocation: Invocation): Promise<number> {
  const { args, io, log } = invocation
  const path = resolve(io.cwd, args[0] ?? '')
  const [file, { systemIdentifier }] = await Promise.all([openLocalWal(path), readLocalCluster(invocation)])
  const kit = await invocation.openKit()
  const archive = await kit.openWal({ ...(systemIdentifier && { systemIdentifier }), observe: (event) => logWalEvent(log, event) })
  await archive.push(basename(path), file.open, { size: file.size, signal: io.signal })
  return 0
}
