/** The servers of a run: PostgreSQL 15 from npm, on unix sockets only, as an ordinary user, the same data every time. */
import { join } from 'node:path'
import { startCluster, startRestored, type ServerSettings, type TemporaryFolder, type TestCluster } from '@waltz/testkit'
import type { BenchCluster, Clusters, WalCluster } from '../model.ts'
import type { Progress } from '../progress.ts'
import { fillRelations, fillSized } from './fill.ts'
import { makeSegments } from './wal-segments.ts'

const MAJOR = 15

/** While a cluster is filled, nothing of it has to last. */
const filling: ServerSettings = {
  wal_level: 'minimal',
  max_wal_senders: 0,
  max_wal_size: '8GB',
  autovacuum: false,
  shared_buffers: '256MB',
  maintenance_work_mem: '256MB',
  max_locks_per_transaction: 1000,
}

/** As servers run, but for autovacuum, which would run by chance. WAL is thrown away: nothing is archived but what is measured. */
const running: ServerSettings = {
  fsync: true,
  wal_level: 'replica',
  archive_mode: false,
  autovacuum: false,
  shared_buffers: '256MB',
  max_wal_size: '8GB',
  checkpoint_timeout: '1h',
  max_locks_per_transaction: 1000,
}

/** Nothing may be recycled before it is measured. */
const writingWal: ServerSettings = { ...running, fsync: false, wal_keep_size: '4GB', max_wal_size: '16GB' }

/** Makes the clusters of a run below `folder`, when they are asked for. */
export function createClusters(folder: TemporaryFolder, progress: Progress): Clusters {
  const made = new Map<string, Promise<BenchCluster>>()
  const servers = new Set<TestCluster>()
  let stopped = false
  const once = <Made extends BenchCluster>(name: string, make: () => Promise<Made>): Promise<Made> => {
    const known = made.get(name) ?? make()
    made.set(name, known)
    return known as Promise<Made>
  }
  const start = async (dataDirectory: string, settings: ServerSettings): Promise<TestCluster> => {
    if (stopped) throw new Error('stopped')
    const server = await startRestored(dataDirectory, MAJOR, { settings, stopped: true })
    servers.add(server)
    await server.start({ timeoutMs: 120_000 })
    return server
  }
  const end = async (server: TestCluster): Promise<void> => {
    await server.stop()
    await server.dispose()
    servers.delete(server)
  }
  const filled = async (name: string, fill: (server: TestCluster) => Promise<void>): Promise<BenchCluster> => {
    progress.now(`making the cluster "${name}" ...`)
    const dataDirectory = await newDirectory(folder, name)
    const first = await start(dataDirectory, filling)
    await fill(first)
    await end(first)
    const server = await start(dataDirectory, running)
    return { dataDirectory, server, env: clientEnvironment(server) }
  }
  return {
    sized: (bytes) => once(`sized-${bytes}`, () => filled(`sized-${bytes}`, (server) => fillSized(server, bytes))),
    relations: (count) => once(`relations-${count}`, () => filled(`relations-${count}`, (server) => fillRelations(server, count))),
    wal: () =>
      once('wal', async (): Promise<WalCluster> => {
        progress.now('making WAL ...')
        const dataDirectory = await newDirectory(folder, 'wal')
        const server = await start(dataDirectory, writingWal)
        const segments = await makeSegments(server)
        return { dataDirectory, server, env: clientEnvironment(server), segments }
      }),
    stop: async () => {
      stopped = true
      for (const server of servers) await server.stop('immediate')
      for (const server of servers) await server.dispose()
      servers.clear()
    },
  }
}

async function newDirectory(folder: TemporaryFolder, name: string): Promise<string> {
  const dataDirectory = join(folder.makeFolder('clusters'), name)
  const cluster = await startCluster({ major: MAJOR, dataDirectory, stopped: true })
  await cluster.dispose()
  return dataDirectory
}

function clientEnvironment(server: TestCluster): Readonly<Record<string, string>> {
  const { host, port, user, database } = server.connection
  return { PGHOST: host, PGPORT: String(port), PGUSER: user, PGDATABASE: database }
}
