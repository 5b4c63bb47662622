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
  /** Not into the folders of the first level. */
  readonly oneLevel?: boolean
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

/** The names in a folder that a walk wants. A folder's name ends in '/', which puts it where its objects belong in the order of keys. */
interface Names {
  readonly sorted: readonly string[]
  /** Those that are symbolic links. */
  readonly links: ReadonlySet<string>
}

/** `ObjectStore.list`: reads only the folders that can hold the prefix, one at a time. */
export async function* listObjects(place: Place, prefix: string, options: ListOptions | undefined): AsyncGenerator<ObjectInfo> {
  const signal = options?.signal
  throwIfAborted(signal)
  checkPrefix(prefix)
  yield* walkFolder({ place, signal, oneLevel: options?.oneLevel ?? false }, firstLevel(prefix, options?.after))
}

/** `ObjectStore.listGroups`: the folders of one level that hold at least one object at any depth. */
export async function* listObjectGroups(place: Place, prefix: string, options: CallOptions | undefined): AsyncGenerator<string> {
  const walk = { place, signal: options?.signal }
  throwIfAborted(walk.signal)
  checkPrefix(prefix)
  const level = firstLevel(prefix, undefined)
  const { sorted, links } = await readNames(walk, level)
  for (const name of sorted) {
    throwIfAborted(walk.signal)
    if (isFolder(name) && (await holdsObject(walk, level.folder + name, links.has(name)))) yield level.folder + name
  }
}

function firstLevel(prefix: string, after: string | undefined): Level {
  const slash = prefix.lastIndexOf('/') + 1
  return { folder: prefix.slice(0, slash), namePrefix: prefix.slice(slash), linked: false, after }
}

async function* walkFolder(walk: Walk, level: Level): AsyncGenerator<ObjectInfo> {
  const { sorted, links } = await readNames(walk, level)
  for (let index = 0; index < sorted.length;) {
    const name = sorted[index] as string
    if (isFolder(name)) {
      index += 1
      if (walk.oneLevel === true) continue
      const folder = level.folder + name
      const linked = level.linked || links.has(name)
      if (linked && (await isCircle(walk, folder))) continue
      // Everything below a folder comes after `after` unless `after` itself lies below it.
      const after = level.after?.startsWith(folder) === true ? level.after : undefined
      yield* walkFolder(walk, { folder, namePrefix: '', linked, after })
      continue
    }
    const files = fileRun(sorted, index)
    index += files.length
    for (const info of await Promise.all(files.map((file) => infoIfThere(walk, level.folder + file)))) {
      throwIfAborted(walk.signal)
      if (info !== undefined) yield info
    }
  }
  throwIfAborted(walk.signal)
}

function isFolder(name: string): boolean {
  return name.endsWith('/')
}

function fileRun(names: readonly string[], from: number): string[] {
  const limit = Math.min(names.length, from + STATS_AT_ONCE)
  let end = from
  while (end < limit && names[end]?.endsWith('/') === false) end += 1
  return names.slice(from, end)
}

async function infoIfThere(walk: Walk, key: string): Promise<ObjectInfo | undefined> {
  const found = await statIfThere(walk, key)
  return found?.isFile() === true ? infoOf(key, found) : undefined
}

/** The wanted names of a folder in the order of keys; none when the folder is gone. Names are all that is held of a folder. */
async function readNames(walk: Walk, level: Level): Promise<Names> {
  const { folder, namePrefix, after } = level
  const sorted: string[] = []
  const links = new Set<string>()
  if (after !== undefined && !after.startsWith(folder) && compareKeys(after, folder) > 0) {
    await requireRoot(walk.place) // nothing to read here, which an absent disk must not pretend
    return { sorted, links }
  }
  // Where the listing resumes within this folder; a mark before the whole folder leaves all of it.
  const mark = after?.startsWith(folder) === true ? after.slice(folder.length) : undefined

  for (const dirent of await readFolder(walk, folder)) {
    const name = dirent.name.startsWith(namePrefix) ? await keyName(walk, folder, dirent) : undefined
    if (name === undefined || (mark !== undefined && !isPastMark(name, mark))) continue
    sorted.push(name)
    if (dirent.isSymbolicLink()) links.add(name)
  }
  sorted.sort(compareKeys)
  return { sorted, links }
}

function isPastMark(name: string, mark: string): boolean {
  return compareKeys(name, mark) > 0 || (isFolder(name) && mark.startsWith(name))
}

async function readFolder(walk: Walk, folder: string): Promise<Dirent[]> {
  const path = pathOf(walk.place, folder)
  try {
    return await untilAborted(readdir(path, { withFileTypes: true }), walk.signal)
  } catch (error) {
    await passIfGone(walk, error, path)
    return []
  }
}

/** The name of a file, or of a folder with '/'; links count as what they lead to; undefined for what no reader may see. */
function keyName(walk: Walk, folder: string, dirent: Dirent): string | undefined | Promise<string | undefined> {
  if (isTemporaryName(dirent.name)) return undefined
  if (dirent.isFile()) return dirent.name
  if (dirent.isDirectory()) return `${dirent.name}/`
  return dirent.isSymbolicLink() ? linkedName(walk, folder, dirent) : undefined
}

async function linkedName(walk: Walk, folder: string, { name }: Dirent): Promise<string | undefined> {
  const target = await statIfThere(walk, folder + name)
  if (target?.isFile() === true) return name
  return target?.isDirectory() === true ? `${name}/` : undefined
}

/** Stops at the first object, so it reads names a few at a time. */
async function holdsObject(walk: Walk, folder: string, linked: boolean): Promise<boolean> {
  if (linked && (await isCircle(walk, folder))) return false
  const path = pathOf(walk.place, folder)
  const folders = new Map<string, boolean>()
  try {
    for await (const dirent of await opendir(path)) {
      throwIfAborted(walk.signal)
      const name = await keyName(walk, folder, dirent)
      if (name !== undefined && !isFolder(name)) return true
      if (name !== undefined) folders.set(name, linked || dirent.isSymbolicLink())
    }
  } catch (error) {
    await passIfGone(walk, error, path)
  }
  for (const [name, isLinked] of folders) if (await holdsObject(walk, folder + name, isLinked)) return true
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
    await passIfGone(walk, error, path)
    return undefined
  }
}

async function passIfGone({ place }: Walk, error: unknown, path: string): Promise<void> {
  if (!isMissing(error)) throw fileFault(error, { doing: 'list', path })
  await requireRoot(place)
}
