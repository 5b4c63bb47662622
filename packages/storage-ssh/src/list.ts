import { throwIfAborted } from '@waltz/errors'
import { checkPrefix, compareKeys, isTemporaryName, type CallOptions, type ListOptions, type ObjectInfo } from '@waltz/storage'
import { isMissing } from './errors.ts'
import { requireRoot, pathOf, watched, type Operation, type Place } from './place.ts'
import { infoOf } from './read.ts'
import { readFolder } from './read-folder.ts'
import type { FoundStats, Session } from './session.ts'

/** Names held of one folder: fewer at first, because many folders are small; more in later passes, because each reads the folder anew. */
const FIRST_NAMES_HELD = 8_192
const MOST_NAMES_HELD = 65_536
const NAMES_GROWTH = 4

interface Walk {
  readonly place: Place
  readonly session: Session
  readonly doing: string
  readonly signal: AbortSignal | undefined
  /** Not into the folders of the first level. */
  readonly oneLevel: boolean
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

/** A name that a walk wants. A folder's name ends in '/', which puts it where its objects belong in the order of keys. */
interface Named {
  readonly name: string
  readonly found: FoundStats
  readonly linked: boolean
}

/** `ObjectStore.list`: reads only the folders that can hold the prefix, one at a time. Sizes and times come with the names. */
export async function* listObjects(place: Place, prefix: string, options: ListOptions | undefined): AsyncGenerator<ObjectInfo> {
  throwIfAborted(options?.signal)
  checkPrefix(prefix)
  const leased = await startWalk(place, prefix, { signal: options?.signal, oneLevel: options?.oneLevel ?? false })
  try {
    yield* walkFolder(leased.walk, firstLevel(prefix, options?.after))
  } finally {
    leased.release()
  }
}

/** `ObjectStore.listGroups`: the folders of one level that hold at least one object at any depth. */
export async function* listObjectGroups(place: Place, prefix: string, options: CallOptions | undefined): AsyncGenerator<string> {
  throwIfAborted(options?.signal)
  checkPrefix(prefix)
  const level = firstLevel(prefix, undefined)
  const { walk, release } = await startWalk(place, prefix, { signal: options?.signal, oneLevel: false })
  try {
    for await (const names of readNames(walk, level)) {
      for (const { name, linked } of names) {
        throwIfAborted(walk.signal)
        if (isFolder(name) && (await holdsObject(walk, level.folder + name, linked))) yield level.folder + name
      }
    }
  } finally {
    release()
  }
}

async function startWalk(
  place: Place,
  prefix: string,
  options: Pick<Walk, 'signal' | 'oneLevel'>,
): Promise<{ readonly walk: Walk; readonly release: () => void }> {
  const doing = `a listing of ${prefix === '' ? 'everything' : prefix}`
  const { session, release } = await place.pool.lease({ doing, location: place.location }, options.signal)
  return { walk: { place, session, doing, ...options }, release }
}

function firstLevel(prefix: string, after: string | undefined): Level {
  const slash = prefix.lastIndexOf('/') + 1
  return { folder: prefix.slice(0, slash), namePrefix: prefix.slice(slash), linked: false, after }
}

async function* walkFolder(walk: Walk, level: Level): AsyncGenerator<ObjectInfo> {
  for await (const names of readNames(walk, level)) {
    for (const { name, found, linked } of names) {
      throwIfAborted(walk.signal)
      if (!isFolder(name)) {
        yield infoOf(level.folder + name, found)
        continue
      }
      if (walk.oneLevel) continue
      const folder = level.folder + name
      if ((level.linked || linked) && (await isCircle(walk, folder))) continue
      // Everything below a folder comes after `after` unless `after` itself lies below it.
      const after = level.after?.startsWith(folder) === true ? level.after : undefined
      yield* walkFolder(walk, { folder, namePrefix: '', linked: level.linked || linked, after })
    }
  }
  throwIfAborted(walk.signal)
}

function isFolder(name: string): boolean {
  return name.endsWith('/')
}

/**
 * The wanted names of a folder in the order of keys; none when the folder is gone. A folder with more names than are held is read
 * several times, the lowest names first, so that memory does not follow the size of the repository.
 */
async function* readNames(walk: Walk, level: Level): AsyncGenerator<readonly Named[]> {
  const { folder, after } = level
  if (after !== undefined && !after.startsWith(folder) && compareKeys(after, folder) > 0) {
    await watched(walk, requireRoot) // nothing to read here, which an absent disk must not pretend
    return
  }
  // Where the listing resumes within this folder; a mark before the whole folder leaves all of it.
  const mark = after?.startsWith(folder) === true ? after.slice(folder.length) : undefined
  let last: string | undefined
  for (let held = FIRST_NAMES_HELD; ; held = Math.min(held * NAMES_GROWTH, MOST_NAMES_HELD)) {
    const { names, complete } = await watched(walk, (operation) => lowestNames(operation, level, { mark, last, held }))
    yield names
    if (complete) return
    last = names.at(-1)?.name
  }
}

interface Pass {
  readonly mark: string | undefined
  /** The highest name of the passes before. */
  readonly last: string | undefined
  readonly held: number
}

/** One pass over a folder. `complete` when no wanted name was left out. */
async function lowestNames(
  operation: Operation,
  { folder, namePrefix }: Level,
  pass: Pass,
): Promise<{ readonly names: readonly Named[]; readonly complete: boolean }> {
  let names: Named[] = []
  let bound: string | undefined
  const shorten = (): void => {
    names.sort((left, right) => compareKeys(left.name, right.name))
    if (names.length <= pass.held) return
    names = names.slice(0, pass.held)
    bound = names.at(-1)?.name
  }
  const wants = (name: string): boolean => name.startsWith(namePrefix) && !isTemporaryName(name)
  for await (const entries of readFolder(operation, folder, wants)) {
    for (const { name: plain, found, linked } of entries) {
      const name = found.kind === 'folder' ? `${plain}/` : plain
      if (!isWanted(name, pass) || (bound !== undefined && compareKeys(name, bound) > 0)) continue
      names.push({ name, found, linked })
      if (names.length >= pass.held * 2) shorten()
    }
  }
  shorten()
  return { names, complete: bound === undefined }
}

function isWanted(name: string, { mark, last }: Pass): boolean {
  if (last !== undefined) return compareKeys(name, last) > 0
  return mark === undefined || compareKeys(name, mark) > 0 || (isFolder(name) && mark.startsWith(name))
}

/** Stops at the first object. */
async function holdsObject(walk: Walk, folder: string, linked: boolean): Promise<boolean> {
  if (linked && (await isCircle(walk, folder))) return false
  const folders = new Map<string, boolean>()
  const found = await watched(walk, async (operation) => {
    for await (const entries of readFolder(operation, folder, (name) => !isTemporaryName(name))) {
      for (const entry of entries) {
        if (entry.found.kind === 'file') return true
        folders.set(`${entry.name}/`, linked || entry.linked)
      }
    }
    return false
  })
  if (found) return true
  for (const [name, isLinked] of folders) if (await holdsObject(walk, folder + name, isLinked)) return true
  return false
}

/** Whether a folder that was reached through a link is one of those above it. */
function isCircle(walk: Walk, folder: string): Promise<boolean> {
  return watched(walk, async (operation) => {
    const here = await realPath(operation, folder.slice(0, -1))
    if (here === undefined) return false
    const parts = folder.split('/').slice(0, -2)
    for (let depth = parts.length; depth >= 0; depth -= 1) {
      if ((await realPath(operation, parts.slice(0, depth).join('/'))) === here) return true
    }
    return false
  })
}

async function realPath({ place, call }: Operation, key: string): Promise<string | undefined> {
  try {
    return await call<string>((sftp, answer) => sftp.realpath(pathOf(place, key), answer))
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}
