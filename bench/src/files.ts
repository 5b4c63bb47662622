/** What the harness does with files outside of the timing. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { accessSync, closeSync, constants, lstatSync, mkdirSync, openSync, readFileSync, readSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { giveToOrdinaryUser } from '@waltz/testkit'

/** Makes `path` an empty folder of the ordinary user. */
export function emptyFolder(path: string): void {
  rmSync(path, { recursive: true, force: true })
  mkdirSync(path, { recursive: true, mode: 0o700 })
  giveToOrdinaryUser(path)
}

export function removeTree(path: string): void {
  rmSync(path, { recursive: true, force: true })
}

/** Bytes of all files below a folder, or of one file; 0 when there is nothing. */
export function bytesBelow(path: string): number {
  return tally(path, () => true).bytes
}

export interface FileTally {
  readonly files: number
  readonly bytes: number
}

/** Counts files below a folder whose names `counts` takes. */
export function tally(path: string, counts: (name: string) => boolean): FileTally {
  const total = { files: 0, bytes: 0 }
  const look = (place: string, name: string): void => {
    const found = lstatSync(place, { throwIfNoEntry: false })
    if (found?.isDirectory() === true) for (const entry of readdirSync(place)) look(join(place, entry), entry)
    else if (found?.isFile() === true && counts(name)) {
      total.files += 1
      total.bytes += found.size
    }
  }
  look(path, '')
  return total
}

/** Files of relations: all of `base` but what a server makes anew when it starts, which backups may leave out. */
export function relationFiles(dataDirectory: string): FileTally {
  return tally(join(dataDirectory, 'base'), (name) => /^\d/.test(name))
}

/** @throws Error when the restored relations are not as many, or not as large, as those of the source. */
export function expectSameRelations(source: string, restored: string): void {
  const [wanted, got] = [relationFiles(source), relationFiles(restored)]
  if (wanted.files === got.files && wanted.bytes === got.bytes) return
  throw new Error(`${got.files} relation files of ${got.bytes} bytes were restored, not ${wanted.files} of ${wanted.bytes}`)
}

/** @throws Error when two files differ. */
export function expectSameFile(wanted: string, got: string): void {
  if (!readFileSync(wanted).equals(readFileSync(got))) throw new Error(`${got} is not the same as ${wanted}`)
}

/** @throws Error when two flat folders do not hold the same files. */
export function expectSameFiles(wanted: string, got: string): void {
  const names = readdirSync(wanted)
  if (names.join() !== readdirSync(got).join()) throw new Error(`${got} does not hold the files of ${wanted}`)
  for (const name of names)
    if (digestOf(join(wanted, name)) !== digestOf(join(got, name))) throw new Error(`${got}/${name} is another file`)
}

/** In blocks: some files are larger than what a Buffer should be. */
function digestOf(path: string): string {
  const hash = createHash('sha1')
  const block = Buffer.allocUnsafe(2 ** 22)
  const file = openSync(path, 'r')
  for (let count = readSync(file, block); count > 0; count = readSync(file, block)) hash.update(block.subarray(0, count))
  closeSync(file)
  return hash.digest('hex')
}

/** @throws Error when less than `bytes` lie stored in `folder`. */
export function expectStored(folder: string, bytes: number): void {
  const stored = bytesBelow(folder)
  if (stored < bytes) throw new Error(`only ${stored} bytes lie in ${folder}`)
}

/** The first executable file of this name on PATH. */
export function onPath(name: string): string | undefined {
  const candidates = (process.env['PATH'] ?? '').split(':').map((folder) => join(folder, name))
  return candidates.find(isExecutable)
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined
  } catch {
    return false
  }
}

/** The first line that a program prints; `unknown` when it prints nothing. */
export function firstLine(program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): string {
  try {
    const text = execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } })
    return text.trim().split('\n')[0] ?? 'unknown'
  } catch {
    return 'unknown'
  }
}

/** Everything dirty goes to the disk, so that no run pays for the one before. */
export function syncAll(): void {
  execFileSync('sync')
}
