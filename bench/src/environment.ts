/** Where a run took place. */
import { readFileSync, statfsSync } from 'node:fs'
import { availableParallelism, cpus, release, totalmem } from 'node:os'
import type { BenchOptions } from './arguments.ts'
import { formatBytes } from './report/units.ts'

export interface Environment {
  readonly cores: number
  readonly processor: string
  readonly memoryBytes: number
  readonly kernel: string
  /** Of the temporary folder. */
  readonly fileSystem: string
}

export function describeEnvironment(folder: string): Environment {
  return {
    cores: availableParallelism(),
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    memoryBytes: totalmem(),
    kernel: release(),
    fileSystem: fileSystemOf(folder, readFileSync('/proc/mounts', 'utf8')),
  }
}

/** Type of the file system that holds `path`, out of the text of `/proc/mounts`. */
export function fileSystemOf(path: string, mounts: string): string {
  let best = { place: '', type: 'unknown' }
  for (const line of mounts.split('\n')) {
    const [, place = '', type = ''] = line.split(' ')
    const holds = place === '/' || path === place || path.startsWith(`${place}/`)
    if (place !== '' && holds && place.length >= best.place.length) best = { place, type }
  }
  return best.type
}

/** Bytes that a run needs at most: all clusters, four archives of the largest, one restored copy. */
export function bytesNeeded(options: BenchOptions): number {
  const has = (name: string): boolean => options.suites.includes(name)
  const sized = has('backup') || has('restore') ? options.sizes : []
  const clusters = [...sized, ...(has('memory') ? [options.memoryBaseBytes] : [])].reduce((sum, size) => sum + size * 1.4, 2 ** 30)
  const work = Math.max(0, ...sized) * 5
  const memory = has('memory') ? options.memoryBaseBytes * 12 + options.memoryFiles * 16_384 : 0
  return (
    clusters +
    Math.max(work, memory) +
    (has('relations') ? options.relations * 80_000 : 0) +
    (has('wal') || has('codecs') ? 2 ** 31 : 0) +
    (has('codecs') ? 6 * 2 ** 30 : 0)
  )
}

/** @throws Error when the file system of `folder` has no room for the run. */
export function expectRoom(folder: string, options: BenchOptions): void {
  const { bavail, bsize } = statfsSync(folder)
  const needed = bytesNeeded(options)
  if (bavail * bsize >= needed) return
  const room = `${formatBytes(bavail * bsize)} are free in ${folder}, and this run may need ${formatBytes(needed)}`
  throw new Error(`${room}: name another place in TMPDIR, or smaller --sizes`)
}
