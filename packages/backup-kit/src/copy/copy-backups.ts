import { Fault, throwIfAborted } from '@waltz/errors'
import { createBackupCatalog } from '@waltz/repository'
import { admitCluster, refusePendingDeletion } from './admit-cluster.ts'
import { chooseBackups, type BackupChoice, type ChosenBackup } from './choose-backups.ts'
import { copyBackup } from './copy-backup.ts'
import { createCopyContext, faultOf, type CopyContext } from './copy-context.ts'
import type { CopiedBackup, CopyFailure, CopyOptions, CopyResult, LeftReason } from './copy-options.ts'
import { copyWal, planWal } from './copy-wal.ts'
import { keepLatest } from './keep-latest.ts'

type Left = { readonly name: string; readonly reason: LeftReason; readonly why?: string }

/**
 * Copies finished backups with their ancestors and WAL from one repository into another. Names and bytes stay as they are unless objects
 * are to be encrypted or compressed anew. WAL comes first, then backup by backup in the order in which the source announced them, each with
 * its sentinel last: what the source calls LATEST, the copy does, too. What is there already with the same content is left alone, so a copy
 * that was interrupted goes on when it is started again; what is there with other content is a conflict, and is never replaced. A backup
 * that fails is not announced; the others are copied. Memory for a record of each backup and the manifest of one, whatever the sizes.
 * @throws Fault `not-found` `COPY_NO_BACKUPS`, `BACKUP_NONE` or `BACKUP_NOT_FOUND`; `conflict` `COPY_BACKUP_UNFINISHED`,
 * `COPY_WAL_MISSING`,
 * `COPY_CLUSTER_FOREIGN` or `COPY_DELETION_PENDING`; `corrupt` `COPY_CHAIN_BROKEN`; `denied` `WAL_ARCHIVE_ENCRYPTED`; `invalid`
 * `COPY_KEY_ABSENT`; those of both stores. All of them before anything is stored, but for those of the stores. What goes wrong with one
 * object is told in the result.
 */
export async function copyBackups(options: CopyOptions): Promise<CopyResult> {
  const context = createCopyContext(options)
  requireKey(context)
  await refusePendingDeletion(context)
  const choice = await chooseBackups(context)
  const { backups } = choice
  for (const { name, reason, why } of choice.left) context.report({ type: 'left', name, reason, ...(why !== undefined && { why }) })
  context.report({
    type: 'planned',
    backups: backups.map(({ name }) => name),
    bytes: backups.reduce((sum, { bytes }) => sum + bytes, 0),
  })
  const plan = await planWal(context, backups)
  await admitCluster(context, backups)
  await tellOfLatest(context, backups)
  const { wal, failures } = await copyWal(context, plan)
  const copied = failures.length > 0 ? { backups: [], left: [], failures: [] } : await copyAll(context, choice)
  await keepLatest(context, copied.backups)
  return {
    dryRun: context.dryRun,
    backups: copied.backups,
    left: [...choice.left, ...copied.left],
    failures: [...failures, ...copied.failures],
    wal,
    missingWal: plan.missing,
    warnings: context.warnings,
  }
}

/** One backup after the other. */
async function copyAll(context: CopyContext, { backups }: BackupChoice): Promise<Pick<CopyResult, 'backups' | 'left' | 'failures'>> {
  const done: CopiedBackup[] = []
  const left: Left[] = []
  const failures: CopyFailure[] = []
  const missing = new Set<string>()
  for (const backup of backups) {
    throwIfAborted(context.call.signal)
    const { name, parent } = backup
    if (parent !== undefined && missing.has(parent)) {
      missing.add(name)
      left.push({ name, reason: 'parent-failed', why: `${parent} could not be copied` })
      context.report({ type: 'left', name, reason: 'parent-failed' })
      continue
    }
    try {
      const copied = await copyBackup(context, backup)
      done.push(copied)
      if (copied.outcome !== 'failed') context.report({ type: 'backup', name, outcome: copied.outcome })
    } catch (error) {
      throwIfAborted(context.call.signal)
      missing.add(name)
      const fault = faultOf(error, name)
      const { key = name } = fault.context as { readonly key?: string }
      failures.push({ name, key, fault })
      done.push({ name, outcome: 'failed', sent: { objects: 0, bytes: 0 }, present: { objects: 0, bytes: 0 } })
      context.report({ type: 'failed', name, key, fault })
    }
  }
  return { backups: done, left, failures }
}

/** Without a key everything would be laid bare, which nobody means who asks for encryption. */
function requireKey({ options }: CopyContext): void {
  if (options.reencrypt === true) {
    if (options.to.format.encryption !== undefined || options.plaintext === 'allow') return
    throw new Fault('invalid', 'COPY_KEY_ABSENT', 'objects are to be encrypted with the key of the target, and it has none', {
      hint: 'put the key into the config file of the target; WALTZ_CRYPTO_PLAINTEXT_WRITES=allow there stores everything as it is',
    })
  }
}

/** The newest sentinel is the latest backup, whatever is in it (RF 9.1): a copy may be newer than younger backups of the target. */
async function tellOfLatest(context: CopyContext, backups: readonly ChosenBackup[]): Promise<void> {
  const names = new Set(backups.map(({ name }) => name))
  const there: string[] = []
  for await (const { name } of createBackupCatalog(context.to).list(context.call)) there.push(name)
  const latest = there.at(-1)
  const last = backups.at(-1)?.name
  if (latest === undefined || last === undefined || latest === last || there.includes(last) || names.has(latest)) return
  context.warn(`the target's latest backup is ${latest} now, and will be ${last}: the time of a sentinel decides`)
}
