import { Fault } from '@waltz/errors'
import { sentinelKey } from '@waltz/repository'
import { objectExists } from '@waltz/storage/tools'
import { refusePendingDeletion } from './admit-cluster.ts'
import type { ChosenBackup } from './choose-backups.ts'
import type { CopyContext } from './copy-context.ts'
import { findWalGaps, regionsOf } from './wal-listing.ts'
import { walSpansOf } from './wal-spans.ts'

/**
 * Looks once more before a backup is announced. Its WAL and its parent came first, when nothing in the target said that somebody needs
 * them: a deletion that began since may have removed them, or be about to. From the first object of its folder on a deletion spares all.
 * @throws Fault `conflict` `COPY_DELETION_PENDING` or `COPY_TARGET_GONE`. Then it is not announced, and the next run goes on.
 */
export async function requireLasting(context: CopyContext, backup: ChosenBackup): Promise<void> {
  const { options, to, call } = context
  await refusePendingDeletion(context, `${backup.name} is not announced, and is finished when the copy is started again.`)
  if (backup.parent !== undefined && (await objectExists(to, sentinelKey(backup.parent), call)) === undefined)
    throw removedFault(`${backup.parent}, which ${backup.name} is an increment of, went from ${to.location} during the copy`, backup)
  // Gaps that the source has, too, were told of before.
  if (options.missingWal === 'report') return
  const { spans } = walSpansOf([backup], options.segmentBytes)
  const regions = regionsOf(spans, false)
  const extensions = [...options.from.format.extensions, ...options.to.format.extensions]
  const gaps = await findWalGaps(to, { spans, regions, extensions }, call)
  const [first] = gaps.runs
  if (first === undefined) return
  throw removedFault(`${gaps.segments} segments of WAL went from ${to.location} during the copy, ${first.first} first`, backup)
}

function removedFault(message: string, { name }: ChosenBackup): Fault {
  return new Fault('conflict', 'COPY_TARGET_GONE', message, {
    hint: `A deletion removed that. ${name} is not announced; start the copy again when no deletion is at work.`,
    context: { backup: name },
  })
}
