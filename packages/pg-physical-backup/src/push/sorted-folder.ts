import { lstatSync, opendirSync, type Dirent } from 'node:fs'
import { initForkNode } from './exclusions.ts'
import type { Spool, SpoolFile } from './spool.ts'

/** Names of one folder held in memory; a larger folder is sorted in runs of this many, on disk. */
const RUN_NAMES = 65_536

/** What a directory entry is, by one letter so that it can stand before its name in the spool. */
export type EntryLetter = 'f' | 'd' | 'l' | 'o'

/** One folder's entries in the byte order of their names, and the unlogged relations among them. */
export interface SortedFolder {
  /** Texts of a letter (`f` file, `d` directory, `l` symbolic link, `o` other) and the name. */
  readonly entries: Iterable<string>
  /** File nodes that have an init fork. */
  readonly unlogged: ReadonlySet<string>
  close(): void
}

/**
 * Lists a folder in the order in which WAL-G walks it (bytewise by name). Memory is bounded however many files the
 * folder holds.
 * @throws the error of the file system when the folder cannot be read.
 */
export function readSortedFolder(path: string, spool: Spool, runNames: number = RUN_NAMES): SortedFolder {
  const unlogged = new Set<string>()
  const runs: SpoolFile[] = []
  let names: string[] = []
  const close = (): void => runs.forEach((run) => run.close())
  const folder = opendirSync(path, { bufferSize: 512 })
  try {
    for (let entry = folder.readSync(); entry !== null; entry = folder.readSync()) {
      const letter = letterOf(path, entry)
      if (letter === undefined) continue
      const node = initForkNode(entry.name)
      if (node !== undefined) unlogged.add(node)
      names.push(letter + entry.name)
      if (names.length < runNames) continue
      runs.push(spoolRun(names, spool))
      names = []
    }
    if (runs.length === 0) return { entries: sortByName(names), unlogged, close }
    runs.push(spoolRun(names, spool))
    return { entries: mergeRuns(runs), unlogged, close }
  } catch (error) {
    close()
    throw error
  } finally {
    folder.closeSync()
  }
}

function letterOf(folder: string, entry: Dirent): EntryLetter | undefined {
  if (entry.isFile()) return 'f'
  if (entry.isDirectory()) return 'd'
  if (entry.isSymbolicLink()) return 'l'
  if (entry.isFIFO() || entry.isSocket() || entry.isBlockDevice() || entry.isCharacterDevice()) return 'o'
  // Some file systems do not tell the type in the listing.
  const stat = lstatSync(`${folder}/${entry.name}`, { throwIfNoEntry: false })
  if (stat === undefined) return undefined
  return stat.isFile() ? 'f' : stat.isDirectory() ? 'd' : stat.isSymbolicLink() ? 'l' : 'o'
}

function spoolRun(names: string[], spool: Spool): SpoolFile {
  const run = spool.open()
  try {
    for (const name of sortByName(names)) run.append(name)
    return run
  } catch (error) {
    run.close()
    throw error
  }
}

/** JavaScript compares UTF-16 units, the format bytes: they differ only from the surrogates on. */
function sortByName(names: string[]): string[] {
  const plain = names.every((name) => !/[\uD800-\uFFFF]/.test(name))
  return plain ? names.sort((a, b) => (a.slice(1) < b.slice(1) ? -1 : 1)) : names.sort(compareBytes)
}

function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a.slice(1)), Buffer.from(b.slice(1)))
}

function* mergeRuns(runs: readonly SpoolFile[]): Generator<string, void, undefined> {
  const heads = runs.map((run) => {
    const texts = run.texts()
    return { texts, head: texts.next().value }
  })
  for (;;) {
    let lowest: (typeof heads)[number] | undefined
    for (const candidate of heads) {
      if (candidate.head === undefined) continue
      if (lowest?.head === undefined || compareBytes(candidate.head, lowest.head) < 0) lowest = candidate
    }
    if (lowest?.head === undefined) return
    yield lowest.head
    lowest.head = lowest.texts.next().value
  }
}
