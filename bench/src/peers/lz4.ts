import { join } from 'node:path'
import { bytesBelow, emptyFolder, expectSameFile, firstLine, onPath, removeTree } from '../files.ts'
import type { Peer } from '../model.ts'
import { lz4Transform } from './programs.ts'

/** What compressing one segment takes at least (no archive, no check, no sync), and the reference of the codec. */
export const lz4: Peer = {
  name: 'lz4 -1',
  durability: 'syncs nothing',
  debian: 'lz4',
  find: () => {
    const path = onPath('lz4')
    return path === undefined ? undefined : { path, version: firstLine(path, ['--version']).replaceAll('*', '').trim() }
  },
  push: ({ cluster, codec, folder, segment }) =>
    codec !== 'lz4'
      ? undefined
      : {
          prepare: () => emptyFolder(folder),
          command: { argv: ['lz4', '-1', '-q', join(cluster.dataDirectory, 'pg_wal', segment), join(folder, `${segment}.lz4`)] },
          stored: () => bytesBelow(folder),
        },
  fetch: ({ cluster, codec, folder, segment, fetched }) =>
    codec !== 'lz4'
      ? undefined
      : {
          prepare: () => removeTree(fetched),
          command: { argv: ['lz4', '-d', '-q', join(folder, `${segment}.lz4`), fetched] },
          check: () => expectSameFile(join(cluster.dataDirectory, 'pg_wal', segment), fetched),
        },
  transform: lz4Transform,
}
