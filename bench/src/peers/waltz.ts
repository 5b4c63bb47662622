import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { bytesBelow, emptyFolder, expectSameFile, expectSameRelations, expectStored, firstLine, removeTree } from '../files.ts'
import type { BackupJob, Command, Peer, Tools, WalJob } from '../model.ts'

/** Waltz as users run it: the shipped folder, default settings, every write synced. */
export const waltz: Peer = {
  name: 'waltz',
  durability:
    'backup and wal-push sync every object and its folder before they are done; a restore syncs all that it wrote before pg_control gets its name; wal-fetch leaves the segment that a server asked for to that server',
  debian: undefined,
  find: ({ distribution, node }) => {
    const path = join(distribution, 'waltz')
    return { path, version: firstLine(path, ['--version'], { WALTZ_NODE: node }) }
  },
  backup: (job, tools) => ({
    prepare: () => emptyFolder(job.folder),
    command: run(job, tools, 'backup-push', job.cluster.dataDirectory),
    stored: () => bytesBelow(job.folder),
    check: () => expectStored(job.folder, 2 ** 20),
  }),
  restore: (job, tools) => ({
    prepare: () => removeTree(job.target),
    command: run(job, tools, 'backup-fetch', job.target, 'LATEST'),
    check: () => expectSameRelations(job.cluster.dataDirectory, job.target),
  }),
  push: (job, tools) => ({
    prepare: () => forget(job),
    command: { ...run(job, tools, 'wal-push', `pg_wal/${job.segment}`), cwd: job.cluster.dataDirectory },
    stored: () => bytesBelow(join(job.folder, 'wal_005')),
    check: () => expectStored(join(job.folder, 'wal_005'), 100),
  }),
  fetch: (job, tools) => ({
    prepare: () => removeTree(job.fetched),
    command: { ...run(job, tools, 'wal-fetch', job.segment, job.fetched), cwd: job.cluster.dataDirectory },
    check: () => expectSameFile(join(job.cluster.dataDirectory, 'pg_wal', job.segment), job.fetched),
  }),
  start: (_folder, { distribution, node }) => ({
    prepare: () => undefined,
    command: { argv: [join(distribution, 'waltz'), '--version'], env: { WALTZ_NODE: node } },
  }),
}

/** An archive that was in use before, without this segment. */
function forget({ folder, segment }: WalJob): void {
  const archive = join(folder, 'wal_005')
  if (!existsSync(archive)) return emptyFolder(folder)
  for (const name of readdirSync(archive)) if (name.startsWith(segment)) removeTree(join(archive, name))
}

function run(job: BackupJob, tools: Tools, ...args: readonly string[]): Command {
  return {
    argv: [join(tools.distribution, 'waltz'), ...args],
    env: { ...job.cluster.env, WALTZ_NODE: tools.node, WALG_FILE_PREFIX: job.folder, WALG_COMPRESSION_METHOD: job.codec },
  }
}
