import { notFoundFault, type ObjectVersion } from '@waltz/storage'
import { expandGlob, objectExists } from '@waltz/storage/tools'
import type { Invocation } from '../../command.ts'
import { usageFault } from '../../usage-fault.ts'
import { folderOf, keyOf, onEachTarget, textFlag, type TargetStorage } from './targets.ts'

/** Keys handed to the storage at once: listings may be endless. */
const BATCH = 1_000

/**
 * Removes an object, or everything below a folder (CMD 8); with a pattern all that it names; with the version flags single versions or
 * all of them. Resolves to 0.
 * @throws Fault `not-found` `STORAGE_NOT_FOUND` when there was nothing; faults of the storage.
 */
export async function runStRm(invocation: Invocation): Promise<number> {
  const { args, flags } = invocation
  const path = args[0] ?? ''
  checkFlags(invocation)
  return await onEachTarget(invocation, async (storage) => {
    const removed = flags['glob'] === true ? await removeMatches(invocation, storage, path) : await removePath(invocation, storage, path)
    if (removed === 0) throw notFoundFault(path, storage.store.location)
    invocation.log.info(`removed ${removed} ${removed === 1 ? 'object' : 'objects'} from storage ${storage.name}`)
    if (invocation.json) invocation.io.stdout(`${JSON.stringify({ storage: storage.name, removed })}\n`)
  })
}

function checkFlags(invocation: Invocation): void {
  const { flags } = invocation
  const single = textFlag(invocation, 'version-id') !== undefined
  if (single && flags['all-versions'] === true) throw usageFault('--version-id and --all-versions exclude each other', { command: 'st rm' })
  if (single && flags['glob'] === true)
    throw usageFault('--version-id names one version of one object, so it goes without --glob', { command: 'st rm' })
}

async function removeMatches(invocation: Invocation, storage: TargetStorage, pattern: string): Promise<number> {
  const { signal } = invocation.io
  const objects: string[] = []
  const folders: string[] = []
  for await (const match of expandGlob(storage.store, pattern, { signal })) (match.kind === 'object' ? objects : folders).push(match.path)
  let removed = 0
  for (const key of objects) removed += await removeObject(invocation, storage, key)
  for (const folder of folders) removed += await removeFolder(invocation, storage, folder)
  return removed
}

/** An object of exactly this name is meant before a folder, unless the path ends in a slash. */
async function removePath(invocation: Invocation, storage: TargetStorage, path: string): Promise<number> {
  const key = keyOf(path)
  if (!path.endsWith('/') && key !== '') {
    const removed = await removeObject(invocation, storage, key)
    if (removed > 0) return removed
  }
  return await removeFolder(invocation, storage, folderOf(path))
}

async function removeObject(invocation: Invocation, { store, maintenance }: TargetStorage, key: string): Promise<number> {
  const call = { signal: invocation.io.signal }
  const versionId = textFlag(invocation, 'version-id')
  if (versionId !== undefined || invocation.flags['all-versions'] === true) {
    const versions: ObjectVersion[] = []
    for await (const version of maintenance.versions(key, call)) {
      if (version.key === key && (versionId === undefined || version.versionId === versionId)) versions.push(version)
    }
    await maintenance.deleteVersions(versions, call)
    return versions.length
  }
  if ((await objectExists(store, key, call)) === undefined) return 0
  await store.delete([key], call)
  return 1
}

async function removeFolder(invocation: Invocation, { store, maintenance }: TargetStorage, folder: string): Promise<number> {
  const call = { signal: invocation.io.signal }
  if (textFlag(invocation, 'version-id') !== undefined) return 0
  if (invocation.flags['all-versions'] === true) {
    return await inBatches(maintenance.versions(folder, call), (versions) => maintenance.deleteVersions(versions, call))
  }
  return await inBatches(store.list(folder, call), (objects) =>
    store.delete(
      objects.map(({ key }) => key),
      call,
    ),
  )
}

async function inBatches<Item>(items: AsyncIterable<Item>, remove: (batch: readonly Item[]) => Promise<void>): Promise<number> {
  let batch: Item[] = []
  let removed = 0
  const flush = async (): Promise<void> => {
    if (batch.length > 0) await remove(batch)
    removed += batch.length
    batch = []
  }
  for await (const item of items) {
    batch.push(item)
    if (batch.length >= BATCH) await flush()
  }
  await flush()
  return removed
}
