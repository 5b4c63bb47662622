import { join } from 'node:path'
import { bytesBelow, emptyFolder, expectStored, firstLine, isExecutable } from '../files.ts'
import type { Peer } from '../model.ts'

/** The server sends, the client compresses: in lz4 only, which is where it is fastest. With the WAL that the backup needs, as Waltz has it. */
export const pgBasebackup: Peer = {
  name: 'pg_basebackup',
  durability: 'syncs the files that it wrote, and their folder, when it is done',
  debian: 'postgresql-client',
  find: ({ postgresBin }) => {
    const path = postgresBin === undefined ? undefined : join(postgresBin, 'pg_basebackup')
    return path === undefined || !isExecutable(path) ? undefined : { path, version: firstLine(path, ['--version']) }
  },
  backup: ({ cluster, codec, folder }, { postgresBin = '' }) =>
    codec !== 'lz4'
      ? undefined
      : {
          prepare: () => emptyFolder(folder),
          command: {
            argv: [join(postgresBin, 'pg_basebackup'), '-D', folder, '-Ft', '-X', 'fetch', '--compress=client-lz4:1', '-c', 'fast'],
            env: cluster.env,
          },
          stored: () => bytesBelow(folder),
          check: () => expectStored(folder, 2 ** 20),
        },
}
