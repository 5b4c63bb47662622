import type { FileEntry } from 'ssh2'
import { isMissing, statusOf } from './errors.ts'
import { openFolder, type OpenHandle } from './handles.ts'
import { pathOf, requireRoot, statIfThere, type Operation } from './place.ts'
import { isEnd, statsOf, type FoundStats } from './session.ts'

/** Requests for names that are under way at a time, where the server answers in order. */
const READS_AHEAD = 8
/** What stands for bytes that are not UTF-8, among them those that really are this character. */
const REPLACEMENT = '\uFFFD'

/** One name in a folder. */
export interface FolderEntry {
  readonly name: string
  /** Links are followed. */
  readonly found: FoundStats
  readonly linked: boolean
}

/** What an entry is read for: entries that are not wanted cost no request. */
export type WantsName = (name: string) => boolean

/**
 * The files and folders in a folder, in batches as the server gives them; nothing when it is gone. `folder` is a key that is empty or
 * ends in '/'. Names that are not UTF-8 cannot be keys and are left out, as are pipes, devices and links that lead nowhere.
 */
export async function* readFolder(operation: Operation, folder: string, wants: WantsName): AsyncGenerator<readonly FolderEntry[]> {
  const opened = await openIfThere(operation, folder)
  if (opened === undefined) return
  try {
    for await (const entries of readEntries(operation, opened)) {
      const wanted = entries.filter(({ filename }) => filename !== '.' && filename !== '..' && wants(filename))
      const batch: FolderEntry[] = []
      for (const entry of wanted) {
        const seen = await followed(operation, folder, entry)
        if (seen !== undefined) batch.push(seen)
      }
      if (batch.length > 0) yield batch
    }
  } finally {
    opened.drop()
  }
}

async function openIfThere(operation: Operation, folder: string): Promise<OpenHandle | undefined> {
  const path = pathOf(operation.place, folder === '' ? '' : folder.slice(0, -1))
  try {
    return await openFolder(operation, path)
  } catch (error) {
    if (statusOf(error) === undefined) throw error
    if (!isMissing(error)) {
      const found = await statIfThere(operation, path)
      if (found === undefined || found.kind === 'folder') throw error
    }
    await requireRoot(operation)
    return undefined
  }
}

async function* readEntries({ session, call }: Operation, { handle }: OpenHandle): AsyncGenerator<readonly FileEntry[]> {
  const ahead: Promise<readonly FileEntry[] | undefined>[] = []
  const ask = (): void => {
    const answer = call<readonly FileEntry[]>((sftp, answered) => sftp.readdir(handle, answered)).catch((error: unknown) => {
      if (isEnd(error)) return undefined
      throw error
    })
    answer.catch(() => undefined) // thrown when it is its turn
    ahead.push(answer)
  }
  ask()
  for (let answer = ahead.shift(); answer !== undefined; answer = ahead.shift()) {
    const entries = await answer
    if (entries === undefined) return
    while (ahead.length < (session.traits.inOrder ? READS_AHEAD : 1)) ask()
    yield entries
  }
}

async function followed(operation: Operation, folder: string, { filename: name, attrs }: FileEntry): Promise<FolderEntry | undefined> {
  const found = statsOf(attrs)
  const path = pathOf(operation.place, folder + name)
  if (found.kind === 'file' || found.kind === 'folder') {
    // A name that was not UTF-8 looks like another one, which is not there.
    if (name.includes(REPLACEMENT) && (await statIfThere(operation, path)) === undefined) return undefined
    return { name, found, linked: false }
  }
  if (found.kind === 'other') return undefined
  const target = await statIfThere(operation, path).catch((error: unknown) => {
    if (statusOf(error) === undefined) throw error
    return undefined // a circle of links
  })
  return target?.kind === 'file' || target?.kind === 'folder' ? { name, found: target, linked: true } : undefined
}
