import type { BigIntStats, Dirent } from 'node:fs'
import { opendir, stat } from 'node:fs/promises'
import { throwIfAborted } from '@waltz/errors'
import { checkPrefix, compareKeys, createListing, untilAborted } from '@waltz/storage'
import type { CallOptions, ListOptions, ObjectInfo } from '@waltz/storage'
import { fileFault } from './errors.ts'
import { infoOf } from './object-stats.ts'
import { isMissing, pathOf, requireRoot, type Place } from './place.ts'
import { isHiddenName } from './hidden-name.ts'

/** Files looked at together: enough to keep the thread pool busy, few enough to stop early. */
const STATS_AT_ONCE = 64
/** Entries that the system is asked for at once. */
const ENTRIES_AT_ONCE = 4096
/** Names held of one folder: few at first, because many listings end early; more in later passes, because each reads the folder anew. */
const FIRST_NAMES_HELD = 1024
const MOST_NAMES_HELD = 65_536
const NAMES_GROWTH = 8

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
export function listObjects(place: Place, prefix: string, options: ListOptions | undefined): AsyncIterable<ObjectInfo> {
  const signal = options?.signal
  async function* pages(): AsyncGenerator<readonly ObjectInfo[]> {
    throwIfAborted(signal)
    checkPrefix(prefix)
    yield* walkFolder({ place, signal, oneLevel: options?.oneLevel ?? false }, firstLevel(prefix, options?.after))
  }
  return createListing(pages, options)
}

/** `ObjectStore.listGroups`: the folders of one level that hold at least one object at any depth. */
export async function* listObjectGroups(place: Place, prefix: string, options: CallOptions | undefined): AsyncGenerator<string> {
  const walk = { place, signal: options?.signal }
  throwIfAborted(walk.signal)
  checkPrefix(prefix)
  const level = firstLevel(prefix, undefined)
  for await (const { sorted, links } of readNames(walk, level)) {
    for (const name of sorted) {
      throwIfAborted(walk.signal)
      if (isFolder(name) && (await holdsObject(walk, level.folder + name, links.has(name)))) yield level.folder + name
    }
  }
}

function firstLevel(prefix: string, after: string | undefined): Level {
  const slash = prefix.lastIndexOf('/') + 1
  return { folder: prefix.slice(0, slash), namePrefix: prefix.slice(slash), linked: false, after }
}

async function* walkFolder(walk: Walk, level: Level): AsyncGenerator<readonly ObjectInfo[]> {
  for await (const names of readNames(walk, level)) yield* walkNames(walk, level, names)
  throwIfAborted(walk.signal)
}

async function* walkNames(walk: Walk, level: Level, { sorted, links }: Names): AsyncGenerator<readonly ObjectInfo[]> {
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
    // One listener for all of them: adding and removing one costs more than looking at a file does.
    const looking = Promise.all(files.map((file) => infoIfThere({ ...walk, signal: undefined }, level.folder + file)))
    const found = await untilAborted(looking, walk.signal)
    throwIfAborted(walk.signal)
    yield found.filter((info) => info !== undefined)
  }
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

/**
 * The wanted names of a folder in the order of keys; none when the folder is gone. A folder with more names than are held
 * is read several times, the lowest names first, so that memory does not follow the size of the repository.
 */
async function* readNames(walk: Walk, level: Level): AsyncGenerator<Names> {
  const { folder, after } = level
  if (after !== undefined && !after.startsWith(folder) && compareKeys(after, folder) > 0) {
    await requireRoot(walk.place) // nothing to read here, which an absent disk must not pretend
    return
  }
  // Where the listing resumes within this folder; a mark before the whole folder leaves all of it.
  const mark = after?.startsWith(folder) === true ? after.slice(folder.length) : undefined
  let last: string | undefined
  for (let held = FIRST_NAMES_HELD; ; held = Math.min(held * NAMES_GROWTH, MOST_NAMES_HELD)) {
    const { names, complete } = await lowestNames(walk, level, { mark, last, held })
    yield names
    if (complete) return
    last = names.sorted.at(-1)
  }
}

interface Pass {
  readonly mark: string | undefined
  /** The highest name of the passes before. */
  readonly last: string | undefined
  readonly held: number
}

/** One pass over a folder. `complete` when no wanted name was left out. */
async function lowestNames(walk: Walk, level: Level, pass: Pass): Promise<{ readonly names: Names; readonly complete: boolean }> {
  const { folder, namePrefix } = level
  let sorted: string[] = []
  let bound: string | undefined
  const links = new Set<string>()
  const shorten = (): void => {
    sorted.sort(compareKeys)
    if (sorted.length <= pass.held) return
    for (const name of sorted.slice(pass.held)) links.delete(name)
    sorted = sorted.slice(0, pass.held)
    bound = sorted.at(-1)
  }
  for await (const entries of readFolder(walk, folder)) {
    for (const entry of entries) {
      if (!entry.name.startsWith(namePrefix)) continue
      const naming = keyName(walk, folder, entry)
      const name = typeof naming === 'object' ? await naming : naming
      if (name === undefined || !isWanted(name, pass) || (bound !== undefined && compareKeys(name, bound) > 0)) continue
      sorted.push(name)
      if (entry.isSymbolicLink()) links.add(name)
      if (sorted.length >= pass.held * 2) shorten()
    }
  }
  shorten()
  return { names: { sorted, links }, complete: bound === undefined }
}

function isWanted(name: string, { mark, last }: Pass): boolean {
  if (last !== undefined) return compareKeys(name, last) > 0
  return mark === undefined || isPastMark(name, mark)
}

function isPastMark(name: string, mark: string): boolean {
  return compareKeys(name, mark) > 0 || (isFolder(name) && mark.startsWith(name))
}

/** The entries of a folder in batches; none when it is gone. */
async function* readFolder(walk: Walk, folder: string): AsyncGenerator<readonly Dirent[]> {
  const path = pathOf(walk.place, folder)
  try {
    const opening = opendir(path, { bufferSize: ENTRIES_AT_ONCE })
    const directory = await untilAborted(opening, walk.signal).catch((error: unknown) => {
      // After an abort the folder may still come open; nobody else would close it.
      void opening.then((late) => late.close()).catch(() => undefined)
      throw error
    })
    try {
      for (;;) {
        const entry = await untilAborted(directory.read(), walk.signal)
        if (entry === null) return
        const entries = [entry]
        // The rest of the batch is in memory by now: taking it one promise at a time would cost four times as much.
        for (let next = directory.readSync(); next !== null; next = directory.readSync()) {
          entries.push(next)
          if (entries.length === ENTRIES_AT_ONCE) break
        }
        yield entries
      }
    } finally {
      await directory.close().catch(() => undefined)
    }
  } catch (error) {
    await passIfGone(walk, error, path)
  }
}

/** The name of a file, or of a folder with '/'; links count as what they lead to; undefined for what no reader may see. */
function keyName(walk: Walk, folder: string, dirent: Dirent): string | undefined | Promise<string | undefined> {
  if (isHiddenName(dirent.name)) return undefined
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
