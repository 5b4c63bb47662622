import { throwIfAborted } from '@waltz/errors'
import type { ByteSource } from '@waltz/bytes'
import {
  checkConditions,
  conditionUnsupportedFault,
  createPartUploader,
  openPutBody,
  type MaintainedStore,
  type ObjectInfo,
  type PartUploader,
  type PutOptions,
  type StoreCapabilities,
} from '@waltz/storage'
import { copyObject } from './copy.ts'
import { batchSize, deleteObjects } from './delete.ts'
import { checkTarget } from './hidden-keys.ts'
import { listObjectGroups, listObjects } from './list.ts'
import { createMaintenance } from './maintenance.ts'
import type { S3StoreOptions } from './options.ts'
import { createPlace, MAX_PARTS, type Place } from './place.ts'
import { getObject, headObject } from './read.ts'
import { createUploadTarget } from './upload.ts'

/**
 * A store in one bucket of Amazon's S3 or of what speaks its protocol. Does no I/O and loads nothing of the SDK before its first call.
 *
 * Every method makes one attempt, but for the parts of an upload: wrap the store in `withRetry`. What the provider can do is taken from a
 * table, or found out at the first use: so `capabilities` may change once, from "will be tried" (true) to what was found. Faults besides
 * those of the contract: `conflict` `S3_UPLOAD_GONE`, `unavailable` `S3_OBJECT_ARCHIVED`, and those of the network, see `@waltz/storage`.
 * @throws Fault `invalid` `STORAGE_OPTIONS_INVALID`.
 */
export function createS3Store(options: S3StoreOptions): MaintainedStore {
  const place = createPlace(options)
  const uploader = createPartUploader(createUploadTarget(place), {
    budget: options.budget,
    retry: options.retry,
    ...(options.onLeftover === undefined ? {} : { onLeftover: options.onLeftover }),
  })
  return {
    capabilities: capabilitiesOf(place),
    location: place.location,
    maintenance: createMaintenance(place),
    head: (key, call) => headObject(place, key, call),
    get: (key, call) => getObject(place, key, call),
    put: (key, body, call) => putObject(place, uploader, { key, body, options: call }),
    delete: (keys, call) => deleteObjects(place, keys, call),
    list: (prefix, call) => listObjects(place, prefix, call),
    listGroups: (prefix, call) => listObjectGroups(place, prefix, call),
    copy: (from, to, call) => copyObject(place, from, to, call),
    async [Symbol.asyncDispose]() {
      await uploader.close()
      await place.sessions.close()
    },
  }
}

/** Read from what is known now. */
function capabilitiesOf(place: Place): StoreCapabilities {
  const { provider, partBytes } = place
  return {
    get copy() {
      return provider.quirks.copy
    },
    get conditionalPut() {
      return provider.quirks.createOnlyWhole !== 'no'
    },
    get conditionalMultipart() {
      if (provider.quirks.createOnlyMultipart === 'yes') return 'store'
      return provider.quirks.createOnlyWhole === 'no' ? 'none' : 'claim'
    },
    get ifMatch() {
      return provider.quirks.ifMatch !== 'no'
    },
    rangedGet: true,
    maxObjectBytes: partBytes * MAX_PARTS,
    get maxDeleteBatch() {
      return batchSize(place)
    },
  }
}

interface Putting {
  readonly key: string
  readonly body: ByteSource
  readonly options: PutOptions | undefined
}

async function putObject(place: Place, uploader: PartUploader, { key, body, options }: Putting): Promise<ObjectInfo> {
  try {
    throwIfAborted(options?.signal)
    checkTarget(key)
    checkConditions(options)
    const { createOnlyWhole, ifMatch } = place.provider.quirks
    const hopeless = (options?.onlyIfAbsent === true && createOnlyWhole === 'no') || (options?.ifMatch !== undefined && ifMatch === 'no')
    if (hopeless) throw conditionUnsupportedFault(key, place.location, `this storage (${place.provider.name}) does not heed the condition`)
  } catch (error) {
    await openPutBody(key, body, undefined).close()
    throw error
  }
  return uploader.upload(key, body, options)
}
