/** The table of peers. One more is one more row. */
import { codecs } from '../codecs.ts'
import type { Peer } from '../model.ts'
import { bareListing, listingAndDocuments } from './bare-listing.ts'
import { lz4 } from './lz4.ts'
import { nodeCryptoLoop, sodiumLoop } from './driver.ts'
import { nodeItself } from './node.ts'
import { pgBackRest } from './pgbackrest.ts'
import { pgBasebackup } from './pg-basebackup.ts'
import { gpg, programPeers } from './programs.ts'
import { rclone } from './rclone.ts'
import { tarPeer } from './tar.ts'
import { walG } from './wal-g.ts'
import { waltz } from './waltz.ts'

export const peers: readonly Peer[] = [
  waltz,
  pgBasebackup,
  ...codecs.map(({ name }) => tarPeer(name)),
  pgBackRest,
  lz4,
  ...programPeers,
  sodiumLoop,
  gpg,
  nodeCryptoLoop,
  rclone,
  walG,
  bareListing,
  listingAndDocuments,
  nodeItself,
]

/** How to get a peer that is absent. */
export function installLine({ debian }: Peer): string {
  return debian === undefined ? 'put it on PATH; Debian has no package of it' : `apt-get install ${debian}`
}
