import type { MaintainedStore, ObjectStore } from '@waltz/storage'
import { createHash } from 'node:crypto'
import type { CommandIo, Invocation } from '../../command.ts'
import { usageFault } from '../../usage-fault.ts'

/** One configured storage. */
export interface TargetStorage {
  readonly name: string
  /** Below the prefix. */
  readonly store: ObjectStore
  readonly maintenance: MaintainedStore['maintenance']
}

/** The storages that `--target` names: one, or all of them. @throws Fault `invalid` `USAGE` for an unknown name, listing the known ones. */
export async function targetStorages(invocation: Invocation, name: string): Promise<readonly TargetStorage[]> {
  const kit = await invocation.openKit()
  const storages = await kit.storages()
  if (name === 'all') return storages
  const found = storages.find((storage) => storage.name === name)
  if (found !== undefined) return [found]
  throw usageFault(`there is no storage named ${JSON.stringify(name)}`, {
    hint: `configured are: ${storages.map((storage) => storage.name).join(', ')}`,
  })
}

/** The one storage that a flag names. @throws Fault `invalid` `USAGE` for `all`. */
export async function oneStorage(invocation: Invocation, flag: string, name: string): Promise<TargetStorage> {
  if (name === 'all') throw usageFault(`--${flag} takes the name of one storage here`)
  return (await targetStorages(invocation, name))[0] as TargetStorage
}

/**
 * Does the same in each storage of `--target`. With `all` a failure is logged and the next storage follows; only when all failed does
 * the command fail, with the first failure (CMD 8).
 */
export async function onEachTarget(invocation: Invocation, work: (storage: TargetStorage) => Promise<void>): Promise<number> {
  const name = textFlag(invocation, 'target') ?? 'default'
  const storages = await targetStorages(invocation, name)
  if (name !== 'all') {
    for (const storage of storages) await work(storage)
    return 0
  }
  const failures: unknown[] = []
  for (const storage of storages) {
    invocation.log.info(`storage ${storage.name}: ${storage.store.location}`)
    try {
      await work(storage)
    } catch (error) {
      invocation.io.signal.throwIfAborted()
      failures.push(error)
      invocation.log.error(`storage ${storage.name}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  if (failures.length === storages.length && failures.length > 0) throw failures[0]
  return 0
}

/** The text of a flag that takes one. */
export function textFlag({ flags }: Invocation, name: string): string | undefined {
  const value = flags[name]
  return typeof value === 'string' ? value : undefined
}

/** A path as people write it, as a key: without slashes in front and doubled ones. */
export function keyOf(path: string): string {
  return path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/')
}

/** The same for a folder: empty for the root, otherwise ending in '/'. */
export function folderOf(path: string): string {
  const key = keyOf(path)
  return key === '' ? '' : `${key}/`
}

/** Hexadecimal digits that no other process of this moment has: of the time, the process and the host. */
export function uniqueHex({ now, host, hostname }: CommandIo, digits: number): string {
  const text = `${now().getTime()} ${host?.processId ?? 0} ${hostname}`
  return createHash('sha256').update(text).digest('hex').slice(0, digits)
}
