import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile, statfs } from 'node:fs/promises'

const syncPrograms = ['/usr/bin/sync', '/bin/sync']

/** Since this version of Linux `syncfs` reports what could not be written (syncfs(2), "errors"). */
const firstReportingLinux = [5, 8] as const

/**
 * File systems on which `syncfs` reports every byte that was lost: ext2 to ext4, xfs, btrfs (statfs(2)). An overlay is not among
 * them: it syncs the file system below and does not ask it for lost writes.
 */
const reportingFileSystems: ReadonlySet<number> = new Set([0xef53, 0x58465342, 0x9123683e])

/** What decides, for tests; by default it is found out. */
export interface SyncSurroundings {
  readonly linuxRelease?: string
  readonly fileSystemTypes?: readonly number[]
  readonly programs?: readonly string[]
}

/** The sync program of the system, whatever it is worth. */
export function findSyncProgram(): string | undefined {
  return syncPrograms.find((path) => existsSync(path))
}

/**
 * A program whose `-f` is as safe for these folders as an fsync of every file, or undefined when there is none: the kernel and the
 * file systems must report lost writes, and the program must pass the report on. GNU's does; that of BusyBox and that of
 * uutils ignore what the kernel answers.
 */
export async function findTrustedSyncProgram(roots: readonly string[], given: SyncSurroundings = {}): Promise<string | undefined> {
  const release = given.linuxRelease ?? (await readFile('/proc/sys/kernel/osrelease', 'latin1').catch(() => ''))
  if (!reportsLostWrites(release)) return undefined
  const types = given.fileSystemTypes ?? (await Promise.all(roots.map(typeOf)))
  if (!types.every((type) => reportingFileSystems.has(type))) return undefined
  const program = (given.programs ?? syncPrograms).find((path) => existsSync(path))
  return program !== undefined && (await isGnu(program)) ? program : undefined
}

function reportsLostWrites(linuxRelease: string): boolean {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(linuxRelease) ?? []
  const [firstMajor, firstMinor] = firstReportingLinux
  return Number(major) > firstMajor || (Number(major) === firstMajor && Number(minor) >= firstMinor)
}

async function typeOf(path: string): Promise<number> {
  try {
    return (await statfs(path)).type >>> 0
  } catch {
    return 0
  }
}

function isGnu(program: string): Promise<boolean> {
  return new Promise((resolve) => {
    execFile(program, ['--version'], { env: {} }, (error, output) => resolve(error === null && output.startsWith('sync (GNU coreutils)')))
  })
}
