import { throwIfAborted } from '@waltz/errors'
import {
  checkPrefix,
  isTemporaryKey,
  optionsFault,
  parseTemporaryName,
  versionsUnsupportedFault,
  type CallOptions,
  type StoreMaintenance,
  type UnfinishedUpload,
} from '@waltz/storage'
import { isMissing } from './errors.ts'
import { pruneFolders } from './folders.ts'
import { operate, pathOf, type Operation, type Place } from './place.ts'
import { readFolder, type FolderEntry } from './read-folder.ts'

/** `StoreMaintenance` of a folder on a server: temporary files are what a broken upload leaves, and there are no versions. */
export function createMaintenance(place: Place): StoreMaintenance {
  const unsupported = (): never => {
    throw versionsUnsupportedFault({ doing: 'looking at versions', location: place.location })
  }
  return {
    unfinishedUploads: (prefix, options) => unfinishedUploads(place, prefix, options),
    abandonUpload: (upload, options) => abandonUpload(place, upload, options),
    // eslint-disable-next-line require-yield -- there is nothing to give, and the fault belongs to the iteration
    async *versions() {
      unsupported()
    },
    deleteVersions: async () => unsupported(),
  }
}

/** Temporary files below the prefix, folder by folder. */
async function* unfinishedUploads(place: Place, prefix: string, options: CallOptions | undefined): AsyncGenerator<UnfinishedUpload> {
  throwIfAborted(options?.signal)
  checkPrefix(prefix)
  const slash = prefix.lastIndexOf('/') + 1
  const waiting = [prefix.slice(0, slash)]
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    const here = folder
    const entries = await operate(
      place,
      { doing: `a search for unfinished uploads below ${prefix}`, signal: options?.signal },
      (operation) => interesting(operation, here),
    )
    for (const { name, found, linked } of entries) {
      const key = here + name
      if (found.kind === 'folder') {
        // Links are not followed: what they lead to is searched where it lies.
        if (!linked && `${key}/`.startsWith(prefix.slice(0, key.length + 1))) waiting.push(`${key}/`)
        continue
      }
      const told = parseTemporaryName(name)
      if (told === undefined || !key.startsWith(prefix)) continue
      yield { key: here + told.object, id: key, startedAt: told.startedAt ?? found.modifiedAt, bytes: found.size }
    }
  }
}

/** The folders in a folder, and the temporary files. */
async function interesting(operation: Operation, folder: string): Promise<readonly FolderEntry[]> {
  const all: FolderEntry[] = []
  for await (const entries of readFolder(operation, folder, () => true)) {
    all.push(...entries.filter(({ name, found }) => found.kind === 'folder' || parseTemporaryName(name) !== undefined))
  }
  return all
}

async function abandonUpload(place: Place, { id }: UnfinishedUpload, options: CallOptions | undefined): Promise<void> {
  if (!isTemporaryKey(id)) throw optionsFault(`${id} is not the temporary file of an upload`)
  await operate(place, { doing: `the removal of ${id}`, signal: options?.signal }, async (operation) => {
    try {
      await operation.call<void>((sftp, answer) => sftp.unlink(pathOf(place, id), answer))
    } catch (error) {
      if (!isMissing(error)) throw error
    }
    await pruneFolders(operation, id)
  })
}
