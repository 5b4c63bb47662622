import type { BigIntStats, Dirent } from 'node:fs'
import { readdir, readlink, stat, unlink } from 'node:fs/promises'
import { throwIfAborted } from '@waltz/errors'
import { checkKey, checkPrefix, optionsFault, parseTemporaryName, untilAborted, versionsUnsupportedFault } from '@waltz/storage'
import type { CallOptions, StoreMaintenance, UnfinishedUpload } from '@waltz/storage'
import { fileFault } from './errors.ts'
import { pruneFolders } from './folders.ts'
import { isMissing, pathOf, requireRoot, type Place } from './place.ts'

/** What a kill leaves of uploads: temporary files. A file system keeps no versions. */
export function fileMaintenance(place: Place): StoreMaintenance {
  const unsupported = (doing: string): Error => versionsUnsupportedFault({ doing, location: place.location })
  return {
    unfinishedUploads: (prefix, options) => unfinishedUploads(place, prefix, options),
    abandonUpload: (upload, options) => abandonUpload(place, upload, options),
    // oxlint-disable-next-line require-yield -- it only ever throws
    async *versions(prefix) {
      throw unsupported(`listing versions below ${prefix}`)
    },
    async deleteVersions() {
      throw unsupported('removing versions')
    },
  }
}

/** `id` is the key of the temporary file; the key of a very long name is only its beginning. */
async function* unfinishedUploads(place: Place, prefix: string, options: CallOptions | undefined): AsyncGenerator<UnfinishedUpload> {
  checkPrefix(prefix)
  const walk: Walk = { place, prefix, signal: options?.signal }
  throwIfAborted(walk.signal)
  const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1)
  yield* walkFolder(walk, folder, [])
}

interface Walk {
  readonly place: Place
  readonly prefix: string
  readonly signal: AbortSignal | undefined
}

/** `above` are the folders on the way down, so that links cannot lead in circles. */
async function* walkFolder(walk: Walk, folder: string, above: readonly string[]): AsyncGenerator<UnfinishedUpload> {
  const here = await statIfThere(walk, folder)
  const mark = here === undefined ? '' : `${here.dev}:${here.ino}`
  if (here === undefined || above.includes(mark)) return
  const entries = await entriesOf(walk, folder)
  const published = await linkTargets(walk.place, folder, entries)
  for (const entry of entries) {
    throwIfAborted(walk.signal)
    const upload = published.has(entry.name) ? undefined : await uploadOf(walk, folder, entry)
    if (upload !== undefined) yield upload
    else if (await leadsOn(walk, folder, entry)) yield* walkFolder(walk, `${folder}${entry.name}/`, [...above, mark])
  }
}

async function uploadOf(walk: Walk, folder: string, entry: Dirent): Promise<UnfinishedUpload | undefined> {
  const parsed = entry.isFile() ? parseTemporaryName(entry.name) : undefined
  if (parsed === undefined || !(folder + parsed.object).startsWith(walk.prefix)) return undefined
  const id = folder + entry.name
  const found = await statIfThere(walk, id)
  return found === undefined ? undefined : { key: folder + parsed.object, id, startedAt: parsed.startedAt, bytes: Number(found.size) }
}

/** Whether an entry is a folder, or a link to one, with keys that can start with the prefix. */
async function leadsOn(walk: Walk, folder: string, entry: Dirent): Promise<boolean> {
  const path = `${folder}${entry.name}/`
  if (!path.startsWith(walk.prefix) && !walk.prefix.startsWith(path)) return false
  return entry.isDirectory() || (entry.isSymbolicLink() && (await statIfThere(walk, folder + entry.name))?.isDirectory() === true)
}

async function abandonUpload(place: Place, { id }: UnfinishedUpload, options: CallOptions | undefined): Promise<void> {
  throwIfAborted(options?.signal)
  checkKey(id)
  const slash = id.lastIndexOf('/') + 1
  const [folder, name] = [id.slice(0, slash), id.slice(slash)]
  if (parseTemporaryName(name) === undefined) throw optionsFault(`${id} is not the name of an unfinished upload`)
  const walk: Walk = { place, prefix: folder, signal: options?.signal }
  const published = await linkTargets(place, folder, await entriesOf(walk, folder))
  if (published.has(name)) return
  const path = pathOf(place, id)
  try {
    await unlink(path)
  } catch (error) {
    if (!isMissing(error)) throw fileFault(error, { doing: 'remove the unfinished upload', path })
    await requireRoot(place)
  }
  await pruneFolders(place, id)
}

/**
 * What the symbolic links of a folder lead to. Where there are no hard links a crash may leave an object as a link to its temporary
 * file (see `publishIfAbsent`): that file is the object.
 */
async function linkTargets(place: Place, folder: string, entries: readonly Dirent[]): Promise<ReadonlySet<string>> {
  const links = entries.filter((entry) => entry.isSymbolicLink())
  const targets = await Promise.all(links.map(({ name }) => readlink(pathOf(place, folder + name)).catch(() => '')))
  return new Set(targets)
}

async function entriesOf({ place, signal }: Walk, folder: string): Promise<readonly Dirent[]> {
  const path = pathOf(place, folder)
  try {
    return await untilAborted(readdir(path, { withFileTypes: true }), signal)
  } catch (error) {
    if (!isMissing(error)) throw fileFault(error, { doing: 'list', path })
    await requireRoot(place)
    return []
  }
}

async function statIfThere({ place, signal }: Walk, key: string): Promise<BigIntStats | undefined> {
  const path = pathOf(place, key)
  try {
    return await untilAborted(stat(path, { bigint: true }), signal)
  } catch (error) {
    if (!isMissing(error)) throw fileFault(error, { doing: 'look at', path })
    await requireRoot(place)
    return undefined
  }
}
