import { createBlockPool } from '@waltz/bytes'
import { copyUnsupportedFault, createRemovals, type CallOptions, type MaintainedStore } from '@waltz/storage'
import { deleteObjects } from './delete.ts'
import { listObjectGroups, listObjects } from './list.ts'
import { createMaintenance } from './maintenance.ts'
import { checkOptions, DEFAULT_SSH_PORT, type SshStoreOptions } from './options.ts'
import { operate, type Place } from './place.ts'
import { createSessionPool } from './pool.ts'
import { getObject, headObject, READ_BLOCK_BYTES } from './read.ts'
import { createPut } from './write.ts'

/** Read blocks that are kept for the next body. */
const SPARE_READ_BLOCKS = 16

/** What the server of an SSH store is and can do. */
export interface SshServer {
  /** How it calls itself, such as `OpenSSH_9.2p1`. */
  readonly software: string
  /** Of its host key, as `ssh-keygen -l` prints it. */
  readonly fingerprint: string
  /** Whether anybody vouches for that key: false with `accept-any`. */
  readonly hostKeyChecked: boolean
  /** Whether `put` makes objects durable before it resolves. Without it the server decides when bytes reach its disk. */
  readonly durable: boolean
  /** Whether creating is one step of the server's; otherwise it relies on a rename that refuses to replace. */
  readonly atomicCreate: boolean
  /** Whether replacing is one step; otherwise there is a moment without the object. */
  readonly atomicReplace: boolean
}

/** A store on a server reached by SSH. */
export interface SshStore extends MaintainedStore {
  /** Connects, unless connected. */
  describeServer(options?: CallOptions): Promise<SshServer>
}

/**
 * A store in a folder of a server that speaks SFTP, in the layout of WAL-G's SSH storage: one file per object. Does no I/O itself and
 * loads its libraries with the first call.
 *
 * A put writes `<object>.tmp.<stamp>-<hex>` beside its object, syncs and publishes it; readers never see such files. Faults besides
 * those of the contract: `unavailable` `STORAGE_ROOT_MISSING`; `denied` `STORAGE_HOST_KEY_UNKNOWN`, `STORAGE_HOST_KEY_CHANGED`,
 * `STORAGE_HOST_KEY_REVOKED`; `invalid` `STORAGE_PRIVATE_KEY_INVALID`, `STORAGE_CLOSED`; `corrupt` `STORAGE_SHORT_OBJECT`.
 * @throws Fault `invalid` `STORAGE_OPTIONS_INVALID`.
 */
export function createSshStore(options: SshStoreOptions): SshStore {
  checkOptions(options)
  const location = locationOf(options)
  const pool = createSessionPool(options, location)
  const place: Place = {
    root: options.root,
    location,
    pool,
    budget: options.budget,
    idleTimeoutMs: options.idleTimeoutMs,
    sleep: options.sleep,
    now: options.now,
    randomHex: options.randomHex,
    readBlocks: createBlockPool(READ_BLOCK_BYTES, { maxSpare: SPARE_READ_BLOCKS }),
    unsynced: new Set(),
    removals: createRemovals({ sleep: options.sleep, onLeftover: options.onLeftover }),
    renameRefuses: undefined,
  }
  return {
    capabilities: {
      copy: false,
      conditionalPut: true,
      conditionalMultipart: 'store',
      ifMatch: false,
      rangedGet: true,
      maxObjectBytes: Number.MAX_SAFE_INTEGER,
      maxDeleteBatch: 1000,
    },
    location,
    head: (key, call) => headObject(place, key, call),
    get: (key, call) => getObject(place, key, call),
    put: createPut(place, options),
    delete: (keys, call) => deleteObjects(place, keys, call),
    list: (prefix, call) => listObjects(place, prefix, call),
    listGroups: (prefix, call) => listObjectGroups(place, prefix, call),
    async copy(from, to) {
      throw copyUnsupportedFault({ doing: `a copy of ${from} to ${to}`, location })
    },
    maintenance: createMaintenance(place),
    describeServer: (call) =>
      operate(place, { doing: 'a look at the server', signal: call?.signal }, async ({ session: { traits } }) => ({
        software: traits.software,
        fingerprint: traits.fingerprint,
        hostKeyChecked: options.hostKeys.kind !== 'accept-any',
        durable: traits.fsync,
        atomicCreate: traits.hardlink,
        atomicReplace: traits.posixRename,
      })),
    async [Symbol.asyncDispose]() {
      await place.removals.close()
      await pool.close()
    },
  }
}

function locationOf({ host, port = DEFAULT_SSH_PORT, root }: SshStoreOptions): string {
  const name = host.includes(':') ? `[${host}]` : host
  return `ssh://${name}${port === DEFAULT_SSH_PORT ? '' : `:${port}`}${root}`
}
