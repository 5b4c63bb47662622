import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { giveToOrdinaryUser } from '@waltz/testkit'
import {
  bytesBelow,
  emptyFolder,
  expectSameFile,
  expectSameFiles,
  expectSameRelations,
  expectStored,
  firstLine,
  removeTree,
} from '../files.ts'
import type { Action, BackupJob, Command, Peer, Tools, TransferJob, WalJob } from '../model.ts'
import { driverAction } from './driver.ts'

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
  upload: (job, tools) => copyAction(job, tools, 'up'),
  download: (job, tools) => copyAction(job, tools, 'down'),
  transform: (job, tools) => driverAction(job, tools),
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

/** `st copy` between two config files: a folder and a bucket are two storages. */
function copyAction(job: TransferJob, tools: Tools, direction: 'up' | 'down'): Action {
  const { server, bucket, local, target, folder, partBytes, partsAtOnce } = job
  const s3 = writeConfig(folder, 's3', {
    WALG_S3_PREFIX: `s3://${bucket}/waltz`,
    AWS_ENDPOINT: server.endpoint,
    AWS_REGION: server.region,
    AWS_S3_FORCE_PATH_STYLE: 'true',
    AWS_ACCESS_KEY_ID: server.accessKeyId,
    AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
    S3_MAX_PART_SIZE: String(partBytes),
    UPLOAD_CONCURRENCY: String(partsAtOnce),
  })
  const files = writeConfig(folder, `files-${direction}`, { WALG_FILE_PREFIX: direction === 'up' ? local : target })
  const [from, to] = direction === 'up' ? [files, s3] : [s3, files]
  return {
    prepare: () => {
      if (direction === 'down') emptyFolder(target)
    },
    command: { argv: [join(tools.distribution, 'waltz'), 'st', 'copy', '--from', from, '--to', to], env: { WALTZ_NODE: tools.node } },
    check: () => {
      if (direction === 'down') expectSameFiles(local, target)
    },
  }
}

function writeConfig(folder: string, name: string, values: Readonly<Record<string, string>>): string {
  const path = join(folder, `${name}.json`)
  writeFileSync(path, JSON.stringify(values))
  giveToOrdinaryUser(path)
  return path
}
