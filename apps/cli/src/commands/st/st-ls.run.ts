import type { ObjectInfo } from '@waltz/storage'
import { expandGlob } from '@waltz/storage/tools'
import type { Invocation } from '../../command.ts'
import { createRowPrinter, objectRow, folderRow, versionRow, type EntryRow } from './entry-rows.ts'
import { folderOf, onEachTarget, type TargetStorage } from './targets.ts'

/**
 * Lists a folder, or all folders that a pattern names (CMD 8). Resolves to 0; a folder without anything in it is no error.
 * @throws Fault of the storage.
 */
export async function runStLs(invocation: Invocation): Promise<number> {
  const { args, flags } = invocation
  const [path = ''] = args
  return await onEachTarget(invocation, async (storage) => {
    if (flags['glob'] !== true) return await printFolder(invocation, storage, folderOf(path))
    for await (const match of expandGlob(storage.store, path, { signal: invocation.io.signal })) {
      if (match.kind !== 'folder') continue
      if (!invocation.json) invocation.io.stdout(`${match.path}:\n`)
      await printFolder(invocation, storage, match.path)
      if (!invocation.json) invocation.io.stdout('\n')
    }
  })
}

async function printFolder(invocation: Invocation, storage: TargetStorage, folder: string): Promise<void> {
  const printer = createRowPrinter(invocation)
  for await (const row of rowsOf(invocation, storage, folder)) printer.add(row)
  printer.end()
}

async function* rowsOf({ flags, io }: Invocation, { store, maintenance }: TargetStorage, folder: string): AsyncGenerator<EntryRow> {
  const call = { signal: io.signal }
  const recursive = flags['recursive'] === true
  const nameOf = (key: string): string => key.slice(folder.length)
  if (!recursive) for await (const group of store.listGroups(folder, call)) yield folderRow(nameOf(group))
  if (flags['all-versions'] === true) {
    for await (const version of maintenance.versions(folder, call)) {
      if (recursive || !nameOf(version.key).includes('/')) yield versionRow(version, nameOf(version.key))
    }
    return
  }
  const objects: AsyncIterable<ObjectInfo> = store.list(folder, recursive ? call : { ...call, oneLevel: true })
  for await (const info of objects) yield objectRow(info, nameOf(info.key))
}
