import type { BigIntStats, Dirent } from 'node:fs'
import { opendir, readdir, stat } from 'node:fs/promises'
import { throwIfAborted } from '@waltz/errors'
import { checkPrefix, compareKeys, untilAborted } from '@waltz/storage'
import type { CallOptions, ListOptions, ObjectInfo } from '@waltz/storage'
import { fileFault } from './errors.ts'
import { infoOf } from './object-stats.ts'
import { isMissing, pathOf, requireRoot, type Place } from './place.ts'
import { isTemporaryName } from './temporary-name.ts'

/** Files looked at together: enough to keep the thread pool busy, few enough to stop early. */
const STATS_AT_ONCE = 64

interface Walk {
  readonly place: Place
  readonly signal: AbortSignal | undefined
}

/** One level of the walk. */
interface Level {
  /** Key of the folder: '' or ending in '/'. */
  readonly folder: string
  /** Beginning of the names wanted; '' below the first level. */
  readonly namePrefix: string
  /** Whether a symbolic link was followed to get here; only then can the walk run in circles. */
  readonly linked: boolean
  readonly after: string | undefined
}

/** A name in a folder. A folder's key ends in '/', which puts it where its objects belong in the order of keys. */
interface Entry {
  readonly key: string
  readonly isFolder: boolean
  readonly linked: boolean
}

/** `ObjectStore.list`: reads only the folders that can hold the prefix, one at a time. */
export async function* listObjects(place: Place, prefix: string, options: ListOptions | undefined): AsyncGenerator<ObjectInfo> {
  const signal = options?.signal
  throwIfAborted(signal)
  checkPrefix(prefix)
  yield* walkFolder({ place, signal }, firstLevel(prefix, options?.after))
}

/** `ObjectStore.listGroups`: the folders of one level that hold at least one object at any depth. */
export async function* listObjectGroups(place: Place, prefix: string, options: CallOptions | undefined): AsyncGenerator<string> {
  const walk = { place, signal: options?.signal }
  throwIfAborted(walk.signal)
  checkPrefix(prefix)
  for (const entry of await readEntries(walk, firstLevel(prefix, undefined))) {
    throwIfAborted(walk.signal)
    if (entry.isFolder && (await holdsObject(walk, entry))) yield entry.key
  }
}

function firstLevel(prefix: string, after: string | undefined): Level {
  const slash = prefix.lastIndexOf('/') + 1
  return { folder: prefix.slice(0, slash), namePrefix: prefix.slice(slash), linked: false, after }
}

async function* walkFolder(walk: Walk, level: Level): AsyncGenerator<ObjectInfo> {
  const entries = await readEntries(walk, level)
  for (let index = 0; index < entries.length;) {
    const entry = entries[index] as Entry
    if (entry.isFolder) {
      index += 1
      if (entry.linked && (await isCircle(walk, entry.key))) continue
      // Everything below a folder comes after `after` unless `after` itself lies below it.
      const after = level.after?.startsWith(entry.key) === true ? level.after : undefined
      yield* walkFolder(walk, { folder: entry.key, namePrefix: '', linked: entry.linked, after })
      continue
    }
    const files = fileRun(entries, index)
    index += files.length
    for (const info of await statFiles(walk, files)) {
      throwIfAborted(walk.signal)
      if (info !== undefined) yield info
    }
  }
  throwIfAborted(walk.signal)
}

function fileRun(entries: readonly Entry[], from: number): Entry[] {
  const limit = Math.min(entries.length, from + STATS_AT_ONCE)
  let end = from
  while (end < limit && entries[end]?.isFolder === false) end += 1
  return entries.slice(from, end)
}

async function statFiles(walk: Walk, files: readonly Entry[]): Promise<(ObjectInfo | undefined)[]> {
  return Promise.all(
    files.map(async ({ key }) => {
      const found = await statIfThere(walk, key)
      return found?.isFile() === true ? infoOf(key, found) : undefined
    }),
  )
}

/** The entries of a folder that the walk may want, in the order of their keys; none when the folder is gone. */
async function readEntries(walk: Walk, level: Level): Promise<Entry[]> {
  const { folder, namePrefix, linked, after } = level
  const path = pathOf(walk.place, folder)
  let names: Dirent[]
  try {
    names = await untilAborted(readdir(path, { withFileTypes: true }), walk.signal)
  } catch (error) {
    return isGone(walk, error, path)
  }
  const wanted = names.filter(({ name }) => name.startsWith(namePrefix) && !isTemporaryName(name))
  const entries: Entry[] = []
  for (const dirent of wanted) {
    const entry = await entryOf(walk, folder, dirent)
    if (entry === undefined) continue
    const isPast = after !== undefined && compareKeys(entry.key, after) <= 0 && !(entry.isFolder && after.startsWith(entry.key))
    if (!isPast) entries.push(linked ? { ...entry, linked } : entry)
  }
  return entries.sort((left, right) => compareKeys(left.key, right.key))
}

/** Files and folders as they are, links as what they lead to, nothing else. */
async function entryOf(walk: Walk, folder: string, dirent: Dirent): Promise<Entry | undefined> {
  const key = folder + dirent.name
  if (dirent.isFile()) return { key, isFolder: false, linked: false }
  if (dirent.isDirectory()) return { key: `${key}/`, isFolder: true, linked: false }
  if (!dirent.isSymbolicLink()) return undefined
  const target = await statIfThere(walk, key)
  if (target?.isFile() === true) return { key, isFolder: false, linked: true }
  return target?.isDirectory() === true ? { key: `${key}/`, isFolder: true, linked: true } : undefined
}

async function holdsObject(walk: Walk, entry: Entry): Promise<boolean> {
  if (entry.linked && (await isCircle(walk, entry.key))) return false
  const path = pathOf(walk.place, entry.key)
  const folders: Entry[] = []
  try {
    for await (const dirent of await opendir(path)) {
      throwIfAborted(walk.signal)
      if (isTemporaryName(dirent.name)) continue
      const found = await entryOf(walk, entry.key, dirent)
      if (found?.isFolder === false) return true
      if (found !== undefined) folders.push({ ...found, linked: found.linked || entry.linked })
    }
  } catch (error) {
    await isGone(walk, error, path)
  }
  for (const folder of folders) if (await holdsObject(walk, folder)) return true
  return false
}

/** Whether a folder that was reached through a link is one of those above it. */
async function isCircle(walk: Walk, folder: string): Promise<boolean> {
  const here = await statIfThere(walk, folder)
  if (here === undefined) return false
  const parts = folder.split('/').slice(0, -2)
  for (let depth = parts.length; depth >= 0; depth -= 1) {
    const above = await statIfThere(walk, parts.slice(0, depth).join('/'))
    if (above !== undefined && above.ino === here.ino && above.dev === here.dev) return true
  }
  return false
}

/** What vanished during the walk is passed over, unless all of it vanished with the disk. */
async function statIfThere(walk: Walk, key: string): Promise<BigIntStats | undefined> {
  const path = pathOf(walk.place, key)
  try {
    return await untilAborted(stat(path, { bigint: true }), walk.signal)
  } catch (error) {
    await isGone(walk, error, path)
    return undefined
  }
}

async function isGone({ place }: Walk, error: unknown, path: string): Promise<[]> {
  if (!isMissing(error)) throw fileFault(error, { doing: 'list', path })
  await requireRoot(place)
  return []
}
