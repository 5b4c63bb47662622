import { closeSync, ftruncateSync, mkdirSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { giveToOrdinaryUser } from '@waltz/testkit'
import type { BenchOptions } from '../arguments.ts'
import type { Bench, OpenWorkload, Suite, Workload } from '../model.ts'
import { formatBytes } from '../report/units.ts'
import { backupCells, clearWork, restoreCells } from './cells.ts'

const GIB = 2 ** 30
const PAGE = 8192

/** What lies in the data directory beside the cluster; how it is put there and taken away. */
interface Extra {
  readonly content: 'plain' | 'ten times the bytes' | 'many files'
  readonly title: string
  /** Of bytes that a restore writes. */
  readonly bytes: number
  put(folder: string): void
}

/** Whether memory stays where it is when there is ten times as much to do. Waltz alone. */
export const memorySuite: Suite = {
  name: 'memory',
  about: 'peak memory of waltz as bytes (sparse) and files grow tenfold, lz4',
  workloads: (options) =>
    extras(options).flatMap((extra) => (['backup', 'restore'] as const).map((operation) => workload(options, extra, operation))),
}

function extras({ memoryBaseBytes, memoryFiles }: BenchOptions): readonly Extra[] {
  const base = formatBytes(memoryBaseBytes)
  return [
    { content: 'plain', title: base, bytes: memoryBaseBytes, put: () => undefined },
    {
      content: 'ten times the bytes',
      title: `${formatBytes(memoryBaseBytes * 10)}, sparse`,
      bytes: memoryBaseBytes * 10,
      put: (folder) => putSparse(folder, memoryBaseBytes * 9),
    },
    {
      content: 'many files',
      title: `${base} and ${memoryFiles} files`,
      bytes: memoryBaseBytes + memoryFiles * PAGE,
      put: (folder) => putFiles(folder, memoryFiles),
    },
  ]
}

function workload(options: BenchOptions, extra: Extra, operation: 'backup' | 'restore'): Workload {
  return {
    suite: 'memory',
    operation,
    codec: 'lz4',
    content: extra.content,
    title: `memory, ${operation} of ${extra.title}`,
    against: 'waltz',
    rounds: options.memoryRounds,
    warmUps: 0,
    expectedSeconds: 10 + options.memoryRounds * (extra.bytes / GIB) * 4 + (extra.content === 'many files' ? 15 : 0),
    open: async (bench: Bench): Promise<OpenWorkload> => {
      const cluster = await bench.clusters.sized(options.memoryBaseBytes)
      const database = databaseFolder(cluster.dataDirectory)
      const close = (): void => {
        clearWork(bench)
        for (const name of readdirSync(database)) if (/^9\d{6}(\.\d+)?$/.test(name)) rmSync(join(database, name))
      }
      try {
        extra.put(database)
        const cells =
          operation === 'backup' ? backupCells(bench, cluster, 'lz4', 'waltz') : await restoreCells(bench, cluster, 'lz4', 'waltz')
        return { cells, server: operation === 'backup' ? cluster.server : undefined, close }
      } catch (error) {
        close()
        throw error
      }
    },
  }
}

/** The database that holds the data: the last one that was made by initdb. */
function databaseFolder(dataDirectory: string): string {
  const base = join(dataDirectory, 'base')
  const [name] = readdirSync(base).sort((a, b) => Number(b) - Number(a))
  return join(base, name ?? '1')
}

/** One relation in segments of a GiB, with nothing in them. */
function putSparse(folder: string, bytes: number): void {
  for (let segment = 0; segment * GIB < bytes; segment++) {
    const path = join(folder, segment === 0 ? '9000000' : `9000000.${segment}`)
    const file = openSync(path, 'w', 0o600)
    ftruncateSync(file, Math.min(GIB, bytes - segment * GIB))
    closeSync(file)
    giveToOrdinaryUser(path)
  }
}

/** Relations of one page, which differ. */
function putFiles(folder: string, count: number): void {
  mkdirSync(folder, { recursive: true })
  const page = Buffer.alloc(PAGE)
  for (let n = 0; n < count; n++) {
    for (let at = 4096; at < PAGE; at += 16) page.writeUInt32LE((n * 2_654_435_761 + at * 40_503) >>> 0, at)
    const path = join(folder, String(9_000_000 + n))
    const file = openSync(path, 'w', 0o600)
    writeSync(file, page)
    closeSync(file)
    giveToOrdinaryUser(path)
  }
}
