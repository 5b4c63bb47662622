import { join } from 'node:path'
import { emptyFolder, expectSameFiles, firstLine, onPath } from '../files.ts'
import type { Peer, TransferJob } from '../model.ts'

/** The usual program for moving files to and from object storages. */
export const rclone: Peer = {
  name: 'rclone',
  durability: 'the server answers for what it stored; downloaded files are not synced',
  debian: 'rclone',
  find: () => {
    const path = onPath('rclone')
    return path === undefined ? undefined : { path, version: firstLine(path, ['version']) }
  },
  upload: (job) => ({
    prepare: () => undefined,
    command: { argv: ['rclone', 'copy', job.local, `bench:${job.bucket}/rclone`, ...flags(job)], env: remote(job) },
  }),
  download: (job) => ({
    prepare: () => emptyFolder(job.target),
    command: { argv: ['rclone', 'copy', `bench:${job.bucket}/rclone`, job.target, ...flags(job)], env: remote(job) },
    check: () => expectSameFiles(job.local, job.target),
  }),
}

/** Everything is sent and fetched again in every round, whatever is there. */
function flags({ transfers, partBytes, partsAtOnce }: TransferJob): readonly string[] {
  const part = `${partBytes}B`
  const copying = `--ignore-times --transfers ${transfers} --multi-thread-streams 0`
  const parts = `--s3-chunk-size ${part} --s3-upload-cutoff ${part} --s3-upload-concurrency ${partsAtOnce}`
  return [...copying.split(' '), ...parts.split(' ')]
}

function remote({ server, folder }: TransferJob): Readonly<Record<string, string>> {
  return {
    RCLONE_CONFIG: join(folder, 'none.conf'),
    RCLONE_CONFIG_BENCH_TYPE: 's3',
    RCLONE_CONFIG_BENCH_PROVIDER: 'Ceph',
    RCLONE_CONFIG_BENCH_ENDPOINT: server.endpoint,
    RCLONE_CONFIG_BENCH_REGION: server.region,
    RCLONE_CONFIG_BENCH_ACCESS_KEY_ID: server.accessKeyId,
    RCLONE_CONFIG_BENCH_SECRET_ACCESS_KEY: server.secretAccessKey,
    RCLONE_CONFIG_BENCH_FORCE_PATH_STYLE: 'true',
  }
}
