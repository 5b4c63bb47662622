import { isFault } from '@waltz/errors'
import { filesMetadataKey, readFilesMetadata, sentinelKey, type FileRecord } from '@waltz/repository'
import type { CallOptions, ObjectStore } from '@waltz/storage'

/** Which files are told of. */
export interface ReadBackupFilesOptions extends CallOptions {
  /** Takes the name as it is in the tar; everything unless given. */
  readonly matches?: (name: string) => boolean
}

/**
 * The files of a backup as its file list has them, in batches: from `files_metadata.json`, or, for backups of the first releases, from the
 * sentinel. Memory: one batch, whatever the length of the list. Nothing for a backup without a list.
 * @throws Fault `corrupt` as `readFilesMetadata`; of the store.
 */
export async function* readBackupFiles(
  store: Pick<ObjectStore, 'get'>,
  backup: string,
  { signal, matches }: ReadBackupFilesOptions = {},
): AsyncGenerator<readonly FileRecord[], void, undefined> {
  const call = signal === undefined ? {} : { signal }
  for (const key of [filesMetadataKey(backup), sentinelKey(backup)]) {
    const body = await openIfThere(store, key, call)
    if (body === undefined) continue
    await using open = body
    for await (const events of readFilesMetadata(open, { origin: key, tables: false })) {
      const files = events.filter((event) => event.kind === 'file')
      const wanted = matches === undefined ? files : files.filter(({ name }) => matches(name))
      if (wanted.length > 0) yield wanted
    }
    return
  }
}

async function openIfThere(
  store: Pick<ObjectStore, 'get'>,
  key: string,
  call: CallOptions,
): Promise<Awaited<ReturnType<ObjectStore['get']>> | undefined> {
  try {
    return await store.get(key, call)
  } catch (error) {
    if (isFault(error, 'not-found')) return undefined
    throw error
  }
}
