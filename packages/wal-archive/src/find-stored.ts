import { isFault } from '@waltz/errors'
import { walFolder } from '@waltz/repository'
import type { ObjectInfo } from '@waltz/storage'
import { callOptions, type StoreAndFormat } from './context.ts'
import { matchStoredName, readableNames } from './stored-name.ts'

/** An object that holds a wanted file. */
export interface StoredFile {
  readonly key: string
  /** The key without its folder, as the format expects it. */
  readonly storedName: string
  readonly info: ObjectInfo
}

/** Every form in which a file is stored. */
export interface StoredForms {
  /** In the order in which a reader prefers them. */
  readonly readable: readonly StoredFile[]
  /** Names of objects that hold the file in a form that cannot be read here. */
  readonly unreadable: readonly string[]
}

/**
 * Looks for a file under every extension with one listing.
 * @throws Fault of the store.
 */
export async function findStored(parts: StoreAndFormat, name: string, signal?: AbortSignal): Promise<StoredForms> {
  const ranked: { readonly rank: number; readonly file: StoredFile }[] = []
  const unreadable: string[] = []
  for await (const info of parts.store.list(walFolder + name, { oneLevel: true, ...callOptions(signal) })) {
    const storedName = info.key.slice(walFolder.length)
    const match = matchStoredName(name, storedName, parts.format.extensions)
    if (match.kind === 'readable') ranked.push({ rank: match.rank, file: { key: info.key, storedName, info } })
    else if (match.kind === 'unreadable') unreadable.push(storedName)
  }
  ranked.sort((a, b) => a.rank - b.rank)
  return { readable: ranked.map(({ file }) => file), unreadable }
}

/**
 * The readable forms of a file, in the order in which a reader prefers them. Each is asked for by its name: unlike a
 * listing this takes no longer in a large archive, but it cannot see forms that nothing here reads.
 * @throws Fault of the store.
 */
export async function findReadable(parts: StoreAndFormat, name: string, signal?: AbortSignal): Promise<readonly StoredFile[]> {
  const look = async (storedName: string): Promise<StoredFile | undefined> => {
    const key = walFolder + storedName
    try {
      return { key, storedName, info: await parts.store.head(key, callOptions(signal)) }
    } catch (error) {
      if (isFault(error, 'not-found')) return undefined
      throw error
    }
  }
  const found = await Promise.all(readableNames(name, parts.format.extensions).map(look))
  return found.filter((file) => file !== undefined)
}
