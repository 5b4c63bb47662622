import { firstLine } from '../files.ts'
import type { Peer } from '../model.ts'

/** The same Node with nothing to do: less than this no command of Waltz can take. */
export const nodeItself: Peer = {
  name: 'node -e 0',
  durability: 'writes nothing',
  debian: undefined,
  find: ({ node }) => ({ path: node, version: firstLine(node, ['--version']) }),
  start: (_folder, { node }) => ({ prepare: () => undefined, command: { argv: [node, '-e', '0'] } }),
}
