import { Fault, isFault, throwIfAborted } from '@waltz/errors'
import type { Lsn, SystemIdentifier } from '@waltz/pg-structures'
import {
  backupFolder,
  backupsFolder,
  createBackupCatalog,
  type BackupCatalog,
  type BackupSelector,
  type BackupSummary,
} from '@waltz/repository'
import { atOnce } from '@waltz/repository/rotation'
import type { CopyContext } from './copy-context.ts'
import type { CopyResult, LeftReason } from './copy-options.ts'

/** A finished backup of the source. */
export interface ChosenBackup {
  readonly name: string
  readonly parent: string | undefined
  readonly startLsn: Lsn | undefined
  readonly finishLsn: Lsn | undefined
  readonly systemIdentifier: SystemIdentifier | undefined
  /** Stored bytes by its sentinel. */
  readonly bytes: number
  /** Release 1.1 kept the file list in the sentinel. */
  readonly embeddedFiles: boolean
}

/** What is copied. */
export interface BackupChoice {
  /** In the order in which they are announced: as the source announced them, and no increment before its parent. */
  readonly backups: readonly ChosenBackup[]
  readonly left: CopyResult['left']
}

/** Younger than this, what has no sentinel counts as being written (WAL-G leaves no other sign), unless told otherwise. */
const WRITTEN_WITHIN_MS = 24 * 3_600_000
const READ_AT_ONCE = 16

/**
 * Reads the sentinels of the wished backups and their ancestors. With all backups, those that cannot be restored are left, and said.
 * @throws Fault `not-found` `COPY_NO_BACKUPS`, `BACKUP_NONE` or `BACKUP_NOT_FOUND`; for a wished one `conflict` `COPY_BACKUP_UNFINISHED`,
 * `corrupt` `COPY_CHAIN_BROKEN`, and those of its sentinel.
 */
export async function chooseBackups(context: CopyContext): Promise<BackupChoice> {
  const { from, options, call } = context
  const catalog = createBackupCatalog(from)
  const all: BackupSummary[] = []
  for await (const backup of catalog.list(call)) all.push(backup)
  if (options.backup !== undefined) return { backups: await chooseOne(context, { catalog, all, wish: options.backup }), left: [] }
  const left = [...(await unfinishedOnes(context, new Set(all.map(({ name }) => name))))]
  if (all.length === 0 && left.length === 0)
    throw new Fault('not-found', 'COPY_NO_BACKUPS', `there is no backup in ${from.location}`, {
      hint: 'check the storage settings of the config file of --from',
    })
  const read = new Map<string, ChosenBackup>()
  await atOnce(asyncOf(all), READ_AT_ONCE, async ({ name }) => {
    try {
      read.set(name, await readOne(catalog, name, context))
    } catch (error) {
      throwIfAborted(call.signal)
      if (!isFault(error, 'corrupt') && !isFault(error, 'not-found')) throw error
      left.push({ name, reason: 'sentinel-unreadable', why: error.message })
    }
  })
  const { ordered, lost } = inOrder(
    all.flatMap(({ name }) => read.get(name) ?? []),
    read,
  )
  for (const { name, parent } of lost) left.push({ name, reason: 'lost-parent', why: `${parent ?? ''} is not there` })
  return { backups: ordered, left }
}

interface Search {
  readonly catalog: BackupCatalog
  readonly all: readonly BackupSummary[]
  readonly wish: BackupSelector
}

async function chooseOne(context: CopyContext, { catalog, all, wish }: Search): Promise<readonly ChosenBackup[]> {
  const { name } = await findOne(context, catalog, wish)
  const chain: ChosenBackup[] = []
  for (let next: string | undefined = name; next !== undefined; next = chain[0]?.parent) {
    if (chain.some((one) => one.name === next)) throw chainFault(name, `${next} is its own ancestor`)
    if (chain.length > 0 && !all.some((one) => one.name === next)) throw chainFault(name, `its ancestor ${next} is not in the source`)
    chain.unshift(await readOne(catalog, next, context))
  }
  return chain
}

async function findOne(context: CopyContext, catalog: BackupCatalog, wish: BackupSelector): Promise<BackupSummary> {
  try {
    return await catalog.find(wish, context.call)
  } catch (error) {
    if (!isFault(error, 'not-found') || !('name' in wish)) throw error
    for await (const _ of context.from.list(backupFolder(wish.name), context.call))
      throw new Fault('conflict', 'COPY_BACKUP_UNFINISHED', `${wish.name} has no sentinel: it is being made, or was never finished`, {
        hint: 'Copy it when it is finished.',
        context: { backup: wish.name },
        cause: error,
      })
    throw error
  }
}

async function readOne(catalog: BackupCatalog, name: string, { call }: CopyContext): Promise<ChosenBackup> {
  const sentinel = await catalog.readSentinel(name, call)
  const { startLsn, finishLsn, systemIdentifier, increment, storedBytes, embeddedFiles = false } = sentinel
  // Copies for catch-up and some old increments have an empty name there.
  const parent = increment?.parent === '' ? undefined : increment?.parent
  return { name, parent, startLsn, finishLsn, systemIdentifier, bytes: storedBytes, embeddedFiles }
}

/** Parents before children, otherwise as given; `lost` are those without a whole chain. */
function inOrder(
  backups: readonly ChosenBackup[],
  all: ReadonlyMap<string, ChosenBackup>,
): { readonly ordered: readonly ChosenBackup[]; readonly lost: readonly ChosenBackup[] } {
  const done = new Set<string>()
  const ordered: ChosenBackup[] = []
  const lost: ChosenBackup[] = []
  for (const backup of backups) {
    const chain: ChosenBackup[] = []
    let next: ChosenBackup | undefined = backup
    while (next !== undefined && !done.has(next.name) && !chain.includes(next)) {
      chain.unshift(next)
      next = next.parent === undefined ? undefined : all.get(next.parent)
    }
    const root = chain[0]
    if (root !== undefined && root.parent !== undefined && !done.has(root.parent)) {
      lost.push(backup)
      continue
    }
    for (const one of chain) {
      done.add(one.name)
      ordered.push(one)
    }
  }
  return { ordered, lost }
}

/** What lies among the backups without a sentinel. */
async function unfinishedOnes({ from, call, options }: CopyContext, finished: ReadonlySet<string>): Promise<CopyResult['left']> {
  const left: { readonly name: string; readonly reason: LeftReason }[] = []
  for await (const group of from.listGroups(backupsFolder, call)) {
    const name = group.slice(backupsFolder.length, -1)
    if (finished.has(name)) continue
    let newestMs = 0
    for await (const { modifiedAt } of from.list(group, call)) newestMs = Math.max(newestMs, modifiedAt.getTime())
    const isYoung = options.now().getTime() - newestMs < (options.writtenWithinMs ?? WRITTEN_WITHIN_MS)
    left.push({ name, reason: isYoung ? 'being-written' : 'unfinished' })
  }
  return left
}

async function* asyncOf<Item>(items: readonly Item[]): AsyncGenerator<Item> {
  yield* items
}

function chainFault(backup: string, what: string): Fault {
  return new Fault('corrupt', 'COPY_CHAIN_BROKEN', `${backup} cannot be restored, and is not copied: ${what}`, {
    hint: 'waltz backup-list shows which backups are whole.',
    context: { backup },
  })
}
