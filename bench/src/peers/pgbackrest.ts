import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { giveToOrdinaryUser, mustRun } from '@waltz/testkit'
import { codecRow } from '../codecs.ts'
import { bytesBelow, emptyFolder, expectSameFile, expectSameRelations, expectStored, firstLine, onPath, removeTree } from '../files.ts'
import type { BackupJob, Command, Peer } from '../model.ts'

/** With two processes, small files bundled, and no waiting for an archive, since nothing is archived here. */
export const pgBackRest: Peer = {
  name: 'pgBackRest',
  durability: 'syncs every file that it wrote and then the folders in backup, restore and archive-push; archive-get syncs nothing',
  debian: 'pgbackrest',
  find: () => {
    const path = onPath('pgbackrest')
    return path === undefined ? undefined : { path, version: firstLine(path, ['version']) }
  },
  backup: (job) =>
    unusable(job)
      ? undefined
      : {
          prepare: () => renewStanza(job),
          command: run(job, '--type=full', 'backup'),
          stored: () => bytesBelow(join(job.folder, 'repo/backup')),
          check: () => expectStored(join(job.folder, 'repo/backup'), 2 ** 20),
        },
  restore: (job) =>
    unusable(job)
      ? undefined
      : {
          prepare: () => emptyFolder(job.target),
          command: run(job, `--pg1-path=${job.target}`, 'restore'),
          check: () => expectSameRelations(job.cluster.dataDirectory, job.target),
        },
  push: (job) =>
    unusable(job)
      ? undefined
      : {
          prepare: () => (bytesBelow(join(job.folder, 'repo')) === 0 ? renewStanza(job) : forget(job.folder, job.segment)),
          command: { ...run(job, 'archive-push', `pg_wal/${job.segment}`), cwd: job.cluster.dataDirectory },
          stored: () => stored(job.folder, job.segment).reduce((sum, path) => sum + bytesBelow(path), 0),
          check: () => expectStored(job.folder, 100),
        },
  fetch: (job) =>
    unusable(job)
      ? undefined
      : {
          prepare: () => removeTree(job.fetched),
          command: { ...run(job, 'archive-get', job.segment, job.fetched), cwd: job.cluster.dataDirectory },
          check: () => expectSameFile(join(job.cluster.dataDirectory, 'pg_wal', job.segment), job.fetched),
        },
  start: () => ({ prepare: () => undefined, command: { argv: [onPath('pgbackrest') ?? 'pgbackrest', 'version'] } }),
}

const unusable = ({ codec }: BackupJob): boolean => codecRow(codec).pgbackrest === undefined || codec === 'none'

function run({ folder }: BackupJob, ...args: readonly string[]): Command {
  return { argv: [onPath('pgbackrest') ?? 'pgbackrest', `--config=${join(folder, 'pgbackrest.conf')}`, '--stanza=main', ...args] }
}

/** An empty repository that knows the cluster. A stopped server is started for it, and stopped again. */
async function renewStanza(job: BackupJob): Promise<void> {
  emptyFolder(job.folder)
  for (const name of ['repo', 'log', 'lock', 'spool']) emptyFolder(join(job.folder, name))
  const path = join(job.folder, 'pgbackrest.conf')
  writeFileSync(path, configuration(job))
  giveToOrdinaryUser(path)
  const { server } = job.cluster
  const [program = '', ...args] = run(job, server.isRunning() ? '--online' : '--no-online', 'stanza-create').argv
  await mustRun(program, args)
}

function configuration({ cluster, codec, folder }: BackupJob): string {
  const { type, level } = codecRow(codec).pgbackrest ?? { type: 'none', level: undefined }
  return [
    '[global]',
    ...['repo', 'log', 'lock', 'spool'].map((name) => `${name === 'repo' ? 'repo1' : name}-path=${join(folder, name)}`),
    `compress-type=${type}`,
    ...(level === undefined ? [] : [`compress-level=${level}`]),
    'process-max=2',
    'start-fast=y',
    'archive-check=n',
    'repo1-bundle=y',
    'log-level-console=warn',
    'log-level-file=off',
    '[main]',
    `pg1-path=${cluster.dataDirectory}`,
    `pg1-port=${cluster.env['PGPORT']}`,
    `pg1-socket-path=${cluster.env['PGHOST']}`,
    `pg1-user=${cluster.env['PGUSER']}`,
    '',
  ].join('\n')
}

/** Where a segment lies in the repository. */
function stored(folder: string, segment: string): readonly string[] {
  const archive = join(folder, 'repo/archive/main')
  return (readdirSync(archive, { recursive: true }) as string[])
    .filter((name) => name.includes(`${segment}-`))
    .map((name) => join(archive, name))
}

function forget(folder: string, segment: string): void {
  for (const path of stored(folder, segment)) removeTree(path)
}
