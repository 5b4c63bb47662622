import type { Suite, Workload } from '../model.ts'
import { backupCells, clearWork, restoreCells } from './cells.ts'

/** Many small files. */
export const relationsSuite: Suite = {
  name: 'relations',
  about: 'a database of many small relations, backed up and restored with lz4',
  workloads: (options) => {
    const shared = { suite: 'relations', codec: 'lz4', rounds: options.rounds, warmUps: 0 } as const
    const expectedSeconds = (options.rounds + 1) * (options.relations / 20_000) * 22
    const backup: Workload = {
      ...shared,
      operation: 'backup',
      title: `backup of ${options.relations} relations, lz4`,
      against: 'pg_basebackup',
      expectedSeconds,
      open: async (bench) => {
        const cluster = await bench.clusters.relations(options.relations)
        return { cells: backupCells(bench, cluster, 'lz4'), server: cluster.server, close: () => clearWork(bench) }
      },
    }
    const restore: Workload = {
      ...shared,
      operation: 'restore',
      title: `restore of ${options.relations} relations, lz4`,
      against: 'tar | lz4 -1',
      expectedSeconds,
      open: async (bench) => {
        const cluster = await bench.clusters.relations(options.relations)
        return { cells: await restoreCells(bench, cluster, 'lz4'), server: undefined, close: () => clearWork(bench) }
      },
    }
    return [backup, restore]
  },
}
