import { join } from 'node:path'
import { codecRow } from '../codecs.ts'
import { bytesBelow, emptyFolder, expectSameRelations, expectStored, firstLine, onPath } from '../files.ts'
import type { CodecName, Peer } from '../model.ts'
import { pipeline, quoted } from '../shell.ts'

const archive = (folder: string, codec: CodecName): string => quoted(join(folder, `all.tar${codecRow(codec).extension}`))

/** tar, and the codec's own program behind it; the other way round, and `sync -f`, for a restore. */
export function tarPeer(codec: CodecName): Peer {
  const { compress, decompress } = codecRow(codec)
  const program = compress?.split(' ')[0]
  return {
    name: compress === undefined ? 'tar' : `tar | ${compress.replace(/ (-q -c|-c)$/, '')}`,
    durability: 'a backup syncs nothing; a restore ends with sync -f, which writes back the whole file system',
    debian: program === undefined ? 'tar' : `tar ${program}`,
    find: () => {
      const path = onPath(program ?? 'tar')
      if (path === undefined || onPath('tar') === undefined) return undefined
      return { path, version: firstLine(path, ['--version']).replaceAll('*', '').trim() }
    },
    backup: (job) =>
      job.codec !== codec
        ? undefined
        : {
            prepare: () => emptyFolder(job.folder),
            command: pipeline(
              `${pack(job.cluster.dataDirectory)} ${compress === undefined ? '' : `| ${compress} `}> ${archive(job.folder, codec)}`,
            ),
            stored: () => bytesBelow(job.folder),
            check: () => expectStored(job.folder, 2 ** 20),
          },
    restore: (job) => {
      if (job.codec !== codec) return undefined
      const from = archive(job.folder, codec)
      const unpack = `tar -C ${quoted(job.target)} -xf`
      const read = decompress === undefined ? `${unpack} ${from}` : `${decompress} ${from} | ${unpack} -`
      return {
        prepare: () => emptyFolder(job.target),
        command: pipeline(`${read}; sync -f ${quoted(job.target)}`),
        check: () => expectSameRelations(job.cluster.dataDirectory, job.target),
      }
    },
  }
}

/** What the others leave out stays out here too. Exit 1 of tar means that a file changed under its hands, as it may. */
function pack(dataDirectory: string): string {
  const tar = `tar -C ${quoted(dataDirectory)} --exclude=./pg_wal/?* --exclude=./postmaster.* -cf - .`
  return `{ ${tar} || [ $? -eq 1 ]; }`
}
