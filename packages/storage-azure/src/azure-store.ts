import { CHUNK_BYTES, createBlockPool, type ByteSource } from '@waltz/bytes'
import { throwIfAborted } from '@waltz/errors'
import {
  checkConditions,
  createPartUploader,
  openPutBody,
  type MaintainedStore,
  type ObjectInfo,
  type PartUploader,
  type PutOptions,
} from '@waltz/storage'
import { checkOptions, serviceUrl } from './check-options.ts'
import { copyObject } from './copy.ts'
import { deleteObjects } from './delete.ts'
import { listObjectGroups, listObjects } from './list.ts'
import { createMaintenance } from './maintenance.ts'
import { checkName } from './names.ts'
import { DEFAULT_BUFFER_BYTES, type AzureStoreOptions } from './options.ts'
import { createPlace } from './place.ts'
import { getObject, headObject } from './read.ts'
import { createUploadTarget, MOST_BLOCKS } from './upload-target.ts'

/** Read blocks that are kept for the next body. */
const SPARE_READ_BLOCKS = 32
/** Keys of one call that fail or succeed together when they are tried again. */
const DELETE_BATCH = 256

/**
 * A store in a container of Azure Blob Storage. Does no I/O and loads no SDK before its first call.
 *
 * A put is one Put Blob, or blocks that become visible with one Put Block List; conditions are the service's own in both cases. Every
 * request carries its MD5, and every download is checked where the service or the names of the blocks tell a sum. Requests are made
 * once, except those of an upload (`retry`): wrap the store in `withRetry` for the others.
 * @throws Fault `invalid` `STORAGE_OPTIONS_INVALID`.
 */
export function createAzureStore(options: AzureStoreOptions): MaintainedStore {
  checkOptions(options)
  serviceUrl(options)
  const place = createPlace(options, createBlockPool(CHUNK_BYTES, { maxSpare: SPARE_READ_BLOCKS }))
  const uploader = createPartUploader(createUploadTarget(place), { budget: options.budget, retry: options.retry })
  return {
    capabilities: {
      copy: true,
      conditionalPut: true,
      conditionalMultipart: 'store',
      ifMatch: true,
      rangedGet: true,
      maxObjectBytes: (options.bufferBytes ?? DEFAULT_BUFFER_BYTES) * MOST_BLOCKS,
      maxDeleteBatch: DELETE_BATCH,
    },
    location: place.location,
    maintenance: createMaintenance(place),
    head: (key, call) => headObject(place, key, call),
    get: (key, call) => getObject(place, key, call),
    put: (key, body, call) => putObject(uploader, key, body, call),
    delete: (keys, call) => deleteObjects(place, keys, call),
    list: (prefix, call) => listObjects(place, prefix, call),
    listGroups: (prefix, call) => listObjectGroups(place, prefix, call),
    copy: (from, to, call) => copyObject(place, from, to, call),
    async [Symbol.asyncDispose]() {
      place.close()
    },
  }
}

async function putObject(uploader: PartUploader, key: string, body: ByteSource, options: PutOptions | undefined): Promise<ObjectInfo> {
  try {
    throwIfAborted(options?.signal)
    checkName(key)
    checkConditions(options)
  } catch (error) {
    await openPutBody(key, body, options).close()
    throw error
  }
  return await uploader.upload(key, body, options)
}
