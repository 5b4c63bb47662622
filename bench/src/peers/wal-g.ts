import { join } from 'node:path'
import { bytesBelow, emptyFolder, expectSameFile, expectSameRelations, expectStored, firstLine, onPath, removeTree } from '../files.ts'
import type { BackupJob, Command, Peer } from '../model.ts'

/** With its default settings. */
export const walG: Peer = {
  name: 'wal-g',
  durability: 'backup and wal-push sync every object and its folder; a restore syncs every file but no folder; wal-fetch syncs nothing',
  debian: undefined,
  find: () => {
    const path = onPath('wal-g')
    return path === undefined ? undefined : { path, version: firstLine(path, ['--version']) }
  },
  backup: (job) => ({
    prepare: () => emptyFolder(job.folder),
    command: run(job, 'backup-push', job.cluster.dataDirectory),
    stored: () => bytesBelow(job.folder),
    check: () => expectStored(job.folder, 2 ** 20),
  }),
  restore: (job) => ({
    prepare: () => emptyFolder(job.target),
    command: run(job, 'backup-fetch', job.target, 'LATEST'),
    check: () => expectSameRelations(job.cluster.dataDirectory, job.target),
  }),
  push: (job) => ({
    prepare: () => emptyFolder(job.folder),
    command: { ...run(job, 'wal-push', join(job.cluster.dataDirectory, 'pg_wal', job.segment)), cwd: job.cluster.dataDirectory },
    stored: () => bytesBelow(join(job.folder, 'wal_005')),
  }),
  fetch: (job) => ({
    prepare: () => removeTree(job.fetched),
    command: { ...run(job, 'wal-fetch', job.segment, job.fetched), cwd: job.cluster.dataDirectory },
    check: () => expectSameFile(join(job.cluster.dataDirectory, 'pg_wal', job.segment), job.fetched),
  }),
  start: () => ({ prepare: () => undefined, command: { argv: [onPath('wal-g') ?? 'wal-g', '--version'] } }),
}

function run(job: BackupJob, ...args: readonly string[]): Command {
  return {
    argv: [onPath('wal-g') ?? 'wal-g', ...args],
    env: { ...job.cluster.env, WALG_FILE_PREFIX: job.folder, WALG_COMPRESSION_METHOD: job.codec },
  }
}
