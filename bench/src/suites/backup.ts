import type { BenchOptions } from '../arguments.ts'
import type { Bench, OpenWorkload, Suite, Workload } from '../model.ts'
import { formatBytes } from '../report/units.ts'
import { backupCells, clearWork, restoreCells } from './cells.ts'

/** pg_basebackup compresses with lz4 only; for the others the pipe is what to compare with. */
export const againstOf = { lz4: 'pg_basebackup', zstd: 'tar | zstd -3', brotli: 'tar | brotli -q 3', none: 'tar' } as const
export const pipeOf = { lz4: 'tar | lz4 -1', zstd: 'tar | zstd -3', brotli: 'tar | brotli -q 3', none: 'tar' } as const

/** Backups of clusters of several sizes with every codec. */
export const backupSuite: Suite = {
  name: 'backup',
  about: 'a running server, about two thirds pgbench and one third that hardly compresses, stored in a directory',
  workloads: (options) => matrix(options, 'backup'),
}

/** Restores of those backups, each peer its own. */
export const restoreSuite: Suite = {
  name: 'restore',
  about: 'the same data restored into an empty directory, by each peer from its own backup',
  workloads: (options) => matrix(options, 'restore'),
}

function matrix(options: BenchOptions, suite: 'backup' | 'restore'): readonly Workload[] {
  return options.sizes.flatMap((bytes) =>
    options.codecs.map((codec): Workload => {
      const operation = suite
      const against = suite === 'backup' ? againstOf[codec] : pipeOf[codec]
      const perRound = (codec === 'brotli' ? 14 : codec === 'zstd' ? 12 : 10) * (bytes / 2 ** 30) + 1
      return {
        suite,
        operation,
        codec,
        bytes,
        against,
        title: `${suite} ${codec}, ${formatBytes(bytes)}`,
        rounds: options.rounds,
        warmUps: 0,
        expectedSeconds: options.rounds * perRound + (suite === 'restore' ? perRound : 12 * (bytes / 2 ** 30)),
        open: async (bench: Bench): Promise<OpenWorkload> => {
          const cluster = await bench.clusters.sized(bytes)
          const cells = suite === 'backup' ? backupCells(bench, cluster, codec) : await restoreCells(bench, cluster, codec)
          return { cells, server: suite === 'backup' ? cluster.server : undefined, close: () => clearWork(bench) }
        },
      }
    }),
  )
}
