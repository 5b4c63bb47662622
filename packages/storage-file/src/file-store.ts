import { createBlockPool } from '@waltz/bytes'
import { Fault } from '@waltz/errors'
import type { MaintainedStore } from '@waltz/storage'
import { deleteObjects } from './delete.ts'
import { listObjectGroups, listObjects } from './list.ts'
import { fileMaintenance } from './maintenance.ts'
import type { Place } from './place.ts'
import { getObject, headObject, READ_BLOCK_BYTES } from './read.ts'
import { copyObject, putObject } from './write.ts'

/** Read blocks that are kept for the next body: enough for the few large objects that a restore reads at a time. */
const SPARE_READ_BLOCKS = 16

/** What a file store is made from. */
export interface FileStoreOptions {
  /** The folder of the repository. It must exist: a missing one is taken for an unmounted disk and never created. */
  readonly root: string
  /** Stamps the names of uploads in progress. */
  readonly now: () => Date
  /** As many random lower-case hexadecimal digits as asked for; keeps the names of uploads apart. */
  readonly randomHex: (digits: number) => string
  /** True unless given. Off only where a power failure may lose what `put` reported as stored, such as in tests. */
  readonly sync?: boolean
}

/**
 * A store in a folder of a local disk or network mount. Does no I/O itself.
 *
 * A put writes `<object>.tmp.<stamp>-<hex>` beside its object, syncs, renames and syncs the folder; a crash leaves
 * only such files, which every reader ignores. Sub-folders are made when something is written into them and removed
 * with their last object. Faults besides those of the contract: `unavailable` `STORAGE_ROOT_MISSING`, `STORAGE_FULL`,
 * `STORAGE_IO`; `denied` `STORAGE_DENIED`, `STORAGE_MOUNT_READ_ONLY`; `corrupt` `STORAGE_SHORT_OBJECT`; `unsupported`
 * `STORAGE_CONDITIONAL_PUT_UNSUPPORTED`.
 * @throws Fault `invalid` `STORAGE_ROOT_INVALID` for a root that is no path.
 */
export function createFileStore({ root, now, randomHex, sync = true }: FileStoreOptions): MaintainedStore {
  if (root === '' || root.includes('\0')) {
    throw new Fault('invalid', 'STORAGE_ROOT_INVALID', `${JSON.stringify(root)} is not the path of a folder`, {
      hint: 'give the folder of the repository',
    })
  }
  const readBlocks = createBlockPool(READ_BLOCK_BYTES, { maxSpare: SPARE_READ_BLOCKS })
  const place: Place = { root, location: `file://${root}`, now, randomHex, sync, unsynced: new Set(), readBlocks }
  return {
    capabilities: {
      copy: true,
      conditionalPut: true,
      conditionalMultipart: 'store',
      ifMatch: false,
      rangedGet: true,
      maxObjectBytes: Number.MAX_SAFE_INTEGER,
      maxDeleteBatch: 1000,
    },
    location: place.location,
    head: (key, options) => headObject(place, key, options),
    get: (key, options) => getObject(place, key, options),
    put: (key, body, options) => putObject(place, key, body, options),
    delete: (keys, options) => deleteObjects(place, keys, options),
    list: (prefix, options) => listObjects(place, prefix, options),
    listGroups: (prefix, options) => listObjectGroups(place, prefix, options),
    copy: (from, to, options) => copyObject(place, from, to, options),
    maintenance: fileMaintenance(place),
    async [Symbol.asyncDispose]() {},
  }
}
