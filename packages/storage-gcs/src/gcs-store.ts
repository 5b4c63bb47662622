import type { MaintainedStore } from '@waltz/storage'
import { createBucket } from './bucket.ts'
import { copyObject } from './copy.ts'
import { deleteObjects, type VersionsSeen } from './delete.ts'
import { listObjectGroups, listObjects } from './list.ts'
import { createMaintenance } from './maintenance.ts'
import { checkOptions, type GcsStoreOptions } from './options.ts'
import { createPuts } from './put.ts'
import { getObject, headObject } from './read.ts'
import { MAX_OBJECT_BYTES } from './resumable-upload.ts'

/** Keys of one `delete` that a retry makes again. */
const DELETE_BATCH = 100

/**
 * A store in a bucket of Google Cloud Storage, by its JSON API. Does no I/O itself: credentials are read and connections made with the first
 * call. Calls make one attempt, except those of an upload (`NetworkStoreOptions.retry`): wrap the store in `withRetry`.
 *
 * Objects appear whole or not at all, conditions are kept by the server (`ifGenerationMatch`), an etag is a generation. Faults besides those
 * of the contract: `denied` `GCS_CREDENTIALS_MISSING`; `unavailable` `GCS_TIMED_OUT`; `unsupported` `GCS_CRC_UNAVAILABLE`; `invalid`
 * `GCS_STORE_CLOSED`.
 * @throws Fault `invalid` `STORAGE_OPTIONS_INVALID`.
 */
export function createGcsStore(options: GcsStoreOptions): MaintainedStore {
  checkOptions(options)
  const bucket = createBucket(options)
  const puts = createPuts(bucket)
  const seen: VersionsSeen = { kept: undefined }
  return {
    capabilities: {
      copy: true,
      conditionalPut: true,
      conditionalMultipart: 'store',
      ifMatch: true,
      rangedGet: true,
      maxObjectBytes: MAX_OBJECT_BYTES,
      maxDeleteBatch: DELETE_BATCH,
    },
    location: bucket.location,
    head: async (key, call) => await headObject(bucket, key, call),
    get: async (key, call) => await getObject(bucket, key, call),
    put: puts.put,
    delete: async (keys, call) => await deleteObjects(bucket, keys, { ...call, seen }),
    list: (prefix, call) => listObjects(bucket, prefix, call),
    listGroups: (prefix, call) => listObjectGroups(bucket, prefix, call),
    copy: async (from, to, call) => await copyObject(bucket, from, to, call),
    maintenance: createMaintenance(bucket),
    async [Symbol.asyncDispose]() {
      await puts.close()
      await bucket.close()
    },
  }
}
