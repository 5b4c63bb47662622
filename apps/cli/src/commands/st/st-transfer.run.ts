import { setTimeout as delay } from 'node:timers/promises'
import { Fault } from '@waltz/errors'
import { parseGoDuration } from '@waltz/settings'
import { objectsToTransfer, transferObjects, type TransferGroup, type TransferOptions, type TransferOutcome } from '@waltz/storage/tools'
import { backupsFolder, walFolder } from '@waltz/repository'
import type { Invocation } from '../../command.ts'
import { formatBytes } from '../../format-amount.ts'
import { surroundingsOf } from '../../open-kit.ts'
import { usageFault } from '../../usage-fault.ts'
import { backupFamilies, oneBackup } from './backup-families.ts'
import { folderOf, oneStorage, textFlag } from './targets.ts'

/** Moves backups from one failover storage to another, each with its sentinel last (CMD 8). @throws as `transfer`. */
export async function runTransferBackups(invocation: Invocation): Promise<number> {
  const [name] = invocation.args
  const maxBackups = name === undefined ? countFlag(invocation, 'max-backups', 0) : undefined
  return await transfer(
    invocation,
    (options, limits) => {
      const warn = (message: string): void => invocation.log.warn(message)
      return limitGroups(backupGroups(options, { only: name, warn }), { ...limits, maxBackups, warn })
    },
    { skipPresent: true, hasBackups: true },
  )
}

/** Moves the archived WAL. @throws as `transfer`. */
export async function runTransferWals(invocation: Invocation): Promise<number> {
  return await transfer(invocation, (options, limits) => limitGroups(singleGroups(options, walFolder), limits))
}

/** Moves everything below a prefix. @throws as `transfer`. */
export async function runTransferFiles(invocation: Invocation): Promise<number> {
  const prefix = folderOf(invocation.args[0] ?? '')
  const hasBackups = prefix.startsWith(backupsFolder) || backupsFolder.startsWith(prefix)
  return await transfer(invocation, (options, limits) => limitGroups(singleGroups(options, prefix), limits), { hasBackups })
}

interface Limits {
  readonly maxFiles: number | undefined
  /** Sentinels. */
  readonly maxBackups?: number | undefined
  readonly warn?: (message: string) => void
}

type Groups = (options: TransferOptions, limits: Limits) => AsyncIterable<TransferGroup>

/** What is moved. */
interface TransferKind {
  /** Whole groups, of which the target may have some objects already. */
  readonly skipPresent?: boolean
  readonly hasBackups?: boolean
}

/**
 * What all three do. Resolves to 0.
 * @throws Fault `unavailable` `TRANSFER_INCOMPLETE` with the number of objects that could not be moved; with `--fail-fast` the first fault;
 * `conflict` `LEASE_HELD` when a deletion is at work and backups would change their place.
 */
async function transfer(
  invocation: Invocation,
  groups: Groups,
  { skipPresent = false, hasBackups = false }: TransferKind = {},
): Promise<number> {
  const { io, log } = invocation
  const options = { ...(await optionsOf(invocation)), skipPresent }
  const maxFiles = countFlag(invocation, 'max-files', 0)
  const move = async (signal: AbortSignal): Promise<TransferOutcome> => {
    const parts = { ...options, signal }
    return await transferObjects(groups(parts, { maxFiles }), parts)
  }
  const outcome = hasBackups && !options.preserve ? await withoutDeletions(invocation, options, move) : await move(io.signal)
  for (const { group, key, error } of outcome.failures) {
    log.error(`${key} of ${group}: ${error instanceof Error ? error.message : String(error)}`)
  }
  const verb = options.preserve ? 'copied' : 'moved'
  log.info(`${verb} ${outcome.objects} objects in ${outcome.groups} groups, ${formatBytes(outcome.bytes)}`)
  if (invocation.json) {
    const { groups: count, objects, bytes, failed } = outcome
    io.stdout(`${JSON.stringify({ groups: count, objects, bytes, failed })}\n`)
  }
  if (outcome.failed === 0) return 0
  throw new Fault(
    'unavailable',
    'TRANSFER_INCOMPLETE',
    `${outcome.failed} objects could not be ${verb}; whatever belongs together is whole in the source or in the target`,
    {
      hint: 'run the same command again: what is there already is left out',
      context: { failed: outcome.failed },
      retryable: false,
    },
  )
}

/** A deletion that lists one storage after the other would see a backup in neither, and remove its WAL. */
async function withoutDeletions<Result>(
  { io }: Invocation,
  { source, target, sleep }: TransferOptions,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const { withRemovalLeases } = await import('@waltz/backup-kit/copy')
  const storages = [source, target].map((store) => ({ name: store.location, store }))
  return await withRemovalLeases({ storages, surroundings: surroundingsOf(io, undefined), sleep, signal: io.signal }, work)
}

async function optionsOf(invocation: Invocation): Promise<TransferOptions> {
  const { flags, io, log } = invocation
  const sourceName = textFlag(invocation, 'source')
  if (sourceName === undefined) throw usageFault('--source names the storage to transfer from', { command: 'st transfer' })
  const targetName = textFlag(invocation, 'target') ?? 'default'
  if (sourceName === targetName) throw usageFault('--source and --target are the same storage', { command: 'st transfer' })
  const source = await oneStorage(invocation, 'source', sourceName)
  const target = await oneStorage(invocation, 'target', targetName)
  const interval = parseGoDuration(textFlag(invocation, 'appearance-checks-interval') ?? '1s')
  if (interval === undefined) throw usageFault('--appearance-checks-interval takes a time such as 1s or 500ms', { command: 'st transfer' })
  return {
    source: source.store,
    target: target.store,
    preserve: flags['preserve'] === true,
    overwrite: flags['overwrite'] === true,
    failFast: flags['fail-fast'] === true,
    concurrency: countFlag(invocation, 'concurrency', 1) ?? DEFAULT_CONCURRENCY,
    appearanceChecks: countFlag(invocation, 'appearance-checks', 0) ?? DEFAULT_CHECKS,
    appearanceIntervalMs: interval,
    sleep: async (ms, signal) => await delay(ms, undefined, signal === undefined ? {} : { signal }),
    signal: io.signal,
    observe: ({ kind, key }) => log.debug(`${kind} ${key}`),
  }
}

const DEFAULT_CONCURRENCY = 10
const DEFAULT_CHECKS = 3

function countFlag(invocation: Invocation, name: string, least: number): number | undefined {
  const text = textFlag(invocation, name)
  if (text === undefined) return undefined
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < least) throw usageFault(`--${name} takes a whole number from ${least} on, not ${text}`)
  return value
}

/** Every object for itself. */
async function* singleGroups(options: TransferOptions, prefix: string): AsyncGenerator<TransferGroup> {
  for await (const info of objectsToTransfer(options, prefix)) yield { name: info.key, data: [info] }
}

/** Finished backups of the source, whole: what the target has already is looked at object by object (RF 1). */
async function* backupGroups(
  { source, target, preserve, signal }: TransferOptions,
  { only, warn }: { readonly only: string | undefined; readonly warn: (message: string) => void },
): AsyncGenerator<TransferGroup> {
  const parts = { source, call: signal === undefined ? {} : { signal }, warn }
  if (only === undefined) return yield* backupFamilies(parts)
  yield await oneBackup({ ...parts, target, preserve }, only)
}

/** Stops in front of the first group that would be too many; a group is never cut. */
async function* limitGroups(groups: AsyncIterable<TransferGroup>, limits: Limits): AsyncGenerator<TransferGroup> {
  const { maxFiles = Number.POSITIVE_INFINITY, maxBackups = Number.POSITIVE_INFINITY } = limits
  let files = 0
  let backups = 0
  for await (const group of groups) {
    const last = countLast(group)
    files += group.data.length + last
    backups += last
    if (files > maxFiles || backups > maxBackups) {
      if (last > 0) limits.warn?.(`the limit is reached: ${group.name} and what follows stay, because no backup and no chain is cut`)
      return
    }
    yield group
  }
}

function countLast({ last = [] }: TransferGroup): number {
  return 'key' in last ? 1 : last.length
}
