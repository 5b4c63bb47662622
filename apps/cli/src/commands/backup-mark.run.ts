import type { Invocation } from '../command.ts'

/**
 * Marks the backup that is named (CMD 3.4); nothing on standard output but with `--json`. Resolves to 0, also when it was marked before.
 * @throws Fault as `KitCatalogue.mark`.
 */
export async function runBackupMark(invocation: Invocation): Promise<number> {
  const { args, flags, io, log, json } = invocation
  const [name = ''] = args
  const permanent = flags['impermanent'] !== true
  const kit = await invocation.openKit()
  const { backups, silent } = await kit.catalogue.mark({ name, permanent, signal: io.signal })
  const word = permanent ? 'permanent' : 'impermanent'
  for (const one of backups) {
    if (one.changed) log.info(`backup ${one.name} in storage ${one.storage} is marked as ${word}`)
    else log.warn(`backup ${one.name} in storage ${one.storage} is already marked as ${word}`)
  }
  for (const { storage, why } of silent) log.warn(`nothing was marked in the storage ${storage}, which does not answer: ${why}`)
  if (json)
    io.stdout(
      `${JSON.stringify({ permanent, backups: backups.map(({ name: backup, ...rest }) => ({ backup_name: backup, ...rest })), silent })}\n`,
    )
  return 0
}
