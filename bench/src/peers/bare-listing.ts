/** The packages of the stores without anything around them: what a command of the catalogue has to wait for in any case. */
import { firstLine } from '../files.ts'
import type { Peer } from '../model.ts'

/** Lists what the command lists, and counts. */
export const bareListing: Peer = {
  name: 'bare listing',
  durability: 'writes nothing',
  debian: undefined,
  find: ({ node }) => ({ path: node, version: `Node ${firstLine(node, ['--version'])}, @waltz/storage-file, @waltz/storage-s3` }),
}

/** The same, and reads the small objects that the command needs, as many at once. */
export const listingAndDocuments: Peer = { ...bareListing, name: 'listing, documents' }
