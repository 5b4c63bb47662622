import { createBlockPool } from '@waltz/bytes'
import type { MaintainedStore } from '@waltz/storage'
import { createSwiftClient, type ChooseTransport } from './client.ts'
import { copyObject } from './copy.ts'
import { DELETE_BATCH, deleteObjects } from './delete.ts'
import type { Surroundings } from './exchange.ts'
import { listObjectGroups, listObjects } from './list.ts'
import { swiftMaintenance } from './maintenance.ts'
import { checkOptions, DEFAULT_CONCURRENCY, DEFAULT_PART_BYTES, MAX_WHOLE_BYTES, type SwiftStoreOptions } from './options.ts'
import type { Place } from './place.ts'
import { putObject } from './put.ts'
import { getObject, headObject, READ_BLOCK_BYTES } from './read.ts'
import { MOST_SEGMENTS } from './segments.ts'
import { createSession, type Session } from './session.ts'
import { createTransport, type Transport } from './transport.ts'

/** Read blocks that are kept for the next body. */
const SPARE_READ_BLOCKS = 16

/**
 * A store in one container of OpenStack Swift, or of what speaks its API (radosgw). Does no I/O itself: it logs in at the first call,
 * and again when its token ends.
 * @throws Fault `invalid` `STORAGE_OPTIONS_INVALID`.
 */
export function createSwiftStore(options: SwiftStoreOptions): MaintainedStore {
  checkOptions(options)
  return createStoreWith(options, { logIn: (around) => createSession(around, options.auth) })
}

/** How a store logs in, and what sends its requests: by itself, unless given. */
export interface Engine {
  logIn(around: Surroundings): Session
  chooseTransport?(own: Transport): ChooseTransport
}

/** The same with another engine. The options must have been checked. */
export function createStoreWith(options: Omit<SwiftStoreOptions, 'auth'>, engine: Engine): MaintainedStore {
  const transport = createTransport(options)
  const location = `swift://${options.container}`
  const around: Surroundings = {
    transport,
    sleep: options.sleep,
    now: options.now,
    idleTimeoutMs: options.idleTimeoutMs,
    location,
  }
  const session = engine.logIn(around)
  const client = createSwiftClient(around, session, engine.chooseTransport?.(transport))
  const place = createPlace(options, { client, location })
  return {
    capabilities: {
      copy: true,
      conditionalPut: place.conditionalPut,
      conditionalMultipart: 'none',
      ifMatch: false,
      rangedGet: true,
      // Of an announced size: a manifest has so many segments at most.
      maxObjectBytes: place.maxWholeBytes * MOST_SEGMENTS,
      maxDeleteBatch: DELETE_BATCH,
    },
    location,
    head: (key, call) => headObject(place, key, call),
    get: (key, call) => getObject(place, key, call),
    put: (key, body, call) => putObject(place, key, body, call),
    delete: (keys, call) => deleteObjects(place, keys, call),
    list: (prefix, call) => listObjects(place, prefix, call),
    listGroups: (prefix, call) => listObjectGroups(place, prefix, call),
    copy: (from, to, call) => copyObject(place, from, to, call),
    maintenance: swiftMaintenance(place),
    async [Symbol.asyncDispose]() {
      await Promise.all(place.closing)
      session.close()
      transport.destroy()
    },
  }
}

function createPlace(options: Omit<SwiftStoreOptions, 'auth'>, given: Pick<Place, 'client' | 'location'>): Place {
  return {
    ...given,
    container: options.container,
    segmentContainer: options.segmentContainer ?? `${options.container}_segments`,
    partBytes: options.partBytes ?? DEFAULT_PART_BYTES,
    concurrency: options.concurrency ?? DEFAULT_CONCURRENCY,
    maxWholeBytes: options.maxWholeBytes ?? MAX_WHOLE_BYTES,
    largeObjects: options.largeObjects ?? 'whole',
    conditionalPut: options.conditionalPut ?? false,
    newest: options.newest ?? false,
    bulkDelete: options.bulkDelete ?? 'find',
    listPageKeys: options.listPageKeys,
    budget: options.budget,
    retry: options.retry,
    now: options.now,
    randomHex: options.randomHex,
    readBlocks: createBlockPool(READ_BLOCK_BYTES, { maxSpare: SPARE_READ_BLOCKS }),
    onLeftover: options.onLeftover,
    closing: new Set(),
  }
}
