import { Fault, isFault, throwIfAborted } from '@waltz/errors'
import { createBackupCatalog, type BackupCatalog, type BackupSelector } from '@waltz/repository'
import type { CallOptions } from '@waltz/storage'
import type { BackupReadOptions, KitBackups, StoredBackup } from '../kit-backups.ts'
import type { StorageEvent } from '../storage-context.ts'
import { partlyUnavailable, type Silence } from './read-from-all.ts'
import type { KnownStorage } from './storage-pool.ts'

/** What a catalogue of several storages is made from. */
export interface BackupsOfAllOptions {
  readonly judge: (options?: CallOptions) => Promise<readonly KnownStorage[]>
  readonly report: (event: StorageEvent) => void
}

interface Answers<Result> {
  readonly answers: readonly { readonly storage: string; readonly result: Result }[]
  readonly silent: readonly Silence[]
  /** What the first storage said that has no such thing. */
  readonly missing: Fault | undefined
}

/** The backups of all storages: equal names in two storages are two backups, told apart by the storage (RF 10.2). */
export function backupsOfAll({ judge, report }: BackupsOfAllOptions): KitBackups {
  const askAll = <Result>(options: CallOptions | undefined, ask: Ask<Result>): Promise<Answers<Result>> => askStorages(judge, options, ask)
  const tell = (silent: readonly Silence[], what: string): void => {
    for (const { name, why } of silent)
      report({ type: 'storage-warning', storage: name, message: `${what} without the storage ${name}, which does not answer: ${why}` })
  }
  const listAll = async (options: CallOptions | undefined): Promise<Answers<readonly StoredBackup[]>> => {
    const listed = await askAll(options, async (catalog, storage) => {
      const backups: StoredBackup[] = []
      for await (const backup of catalog.list(options)) backups.push({ ...backup, storage })
      return backups
    })
    if (listed.answers.length === 0) throw partlyUnavailable('which backups there are', listed.silent)
    return listed
  }
  const read = async <Result>(
    name: string,
    options: BackupReadOptions | undefined,
    document: (catalog: BackupCatalog) => Promise<Result>,
  ): Promise<Result> => {
    const wanted = options?.storage
    if (wanted !== undefined) {
      const one = (await judge(options)).find(({ storage }) => storage.name === wanted)
      if (one === undefined) throw new Fault('invalid', 'STORAGE_UNKNOWN', `there is no storage ${JSON.stringify(wanted)}`)
      return await document(createBackupCatalog(one.storage.store))
    }
    const { answers, silent, missing } = await askAll(options, document)
    if (answers[0] !== undefined) return answers[0].result
    throw silent.length > 0 || missing === undefined ? partlyUnavailable(`whether there is a backup ${name}`, silent) : missing
  }
  return {
    async *list(options) {
      const { answers, silent } = await listAll(options)
      tell(silent, 'backups are listed')
      yield* inOrder(answers.flatMap(({ result }) => result))
    },
    async find(selector, options) {
      const { answers, silent, missing } = await askAll(options, async (catalog, storage) => ({
        ...(await catalog.find(selector, options)),
        storage,
      }))
      const found = chosenOf(
        answers.map(({ result }) => result),
        selector,
        report,
      )
      if (found === undefined)
        throw silent.length > 0 || missing === undefined ? partlyUnavailable('whether there is such a backup', silent) : missing
      tell(silent, 'the backup is chosen')
      return found
    },
    readSentinel: (name, options) => read(name, options, (catalog) => catalog.readSentinel(name, options)),
    readMetadata: (name, options) => read(name, options, (catalog) => catalog.readMetadata(name, options)),
  }
}

function chosenOf(
  backups: readonly StoredBackup[],
  selector: BackupSelector,
  report: BackupsOfAllOptions['report'],
): StoredBackup | undefined {
  const [first, second] = backups
  if ('latest' in selector) return inOrder(backups).at(-1)
  if (first === undefined || second === undefined) return first
  if ('userData' in selector)
    throw new Fault(
      'conflict',
      'BACKUP_IN_SEVERAL_STORAGES',
      `backups of the storages ${first.storage} and ${second.storage} have this user data`,
      {
        hint: 'choose one by its name, or a storage with --target-storage',
      },
    )
  for (const { name, storage } of backups.slice(1))
    report({
      type: 'storage-warning',
      storage,
      message: `the backup ${name} lies in the storage ${storage}, too; that of ${first.storage} is taken (--target-storage chooses)`,
    })
  return first
}

type Ask<Result> = (catalog: BackupCatalog, storage: string) => Promise<Result>

/** Asks every storage that answers; a fault of the kind `not-found` is an answer without a result. */
async function askStorages<Result>(
  judge: BackupsOfAllOptions['judge'],
  options: CallOptions | undefined,
  ask: Ask<Result>,
): Promise<Answers<Result>> {
  const known = await judge(options)
  const answers: { readonly storage: string; readonly result: Result }[] = []
  const silent: Silence[] = []
  let missing: Fault | undefined
  for (const { storage, alive, why } of known) {
    throwIfAborted(options?.signal)
    if (!alive) {
      silent.push({ name: storage.name, why: why ?? '' })
      continue
    }
    try {
      answers.push({ storage: storage.name, result: await ask(createBackupCatalog(storage.store), storage.name) })
    } catch (error) {
      if (!isFault(error) || error.kind === 'aborted') throw error
      if (error.kind === 'unavailable' || error.kind === 'denied') silent.push({ name: storage.name, why: error.message })
      else if (error.kind === 'not-found') missing ??= error
      else throw error
    }
  }
  return { answers, silent, missing }
}

function inOrder(backups: readonly StoredBackup[]): readonly StoredBackup[] {
  // Stable: of equal moments in the order of storages.
  return backups.toSorted((left, right) => Number(momentOf(left) > momentOf(right)) - Number(momentOf(left) < momentOf(right)))
}

function momentOf({ modifiedAt, modifiedAtNs }: StoredBackup): bigint {
  return modifiedAtNs ?? BigInt(modifiedAt.getTime()) * 1_000_000n
}
