import { throwIfAborted } from '@waltz/errors'
import type { ByteSource } from '@waltz/bytes'
import {
  checkConditions,
  checkKey,
  createPartUploader,
  openPutBody,
  type ObjectInfo,
  type PutOptions,
  type UploadSurroundings,
} from '@waltz/storage'
import type { Bucket } from './bucket.ts'
import { composedTarget } from './composed-upload.ts'
import { pieceBytes } from './options.ts'
import { refusePieceKey } from './resource.ts'
import { resumableTarget } from './resumable-upload.ts'
import { withinTime } from './time-limit.ts'

/** The uploads of one store. */
export interface Puts {
  /** `ObjectStore.put`. */
  readonly put: (key: string, body: ByteSource, options: PutOptions | undefined) => Promise<ObjectInfo>
  /** Waits a moment for the removal of what uploads have left. */
  readonly close: () => Promise<void>
}

/**
 * Small objects go in one request. Large ones go through a resumable upload, whose pieces follow one another; where it is asked for and no
 * condition is set, as pieces in parallel that are composed.
 */
export function createPuts(bucket: Bucket): Puts {
  const { budget, retry, onLeftover, pieceConcurrency = 1 } = bucket.options
  const around: UploadSurroundings = { budget, retry, ...(onLeftover === undefined ? {} : { onLeftover }) }
  const partBytes = pieceBytes(bucket.options)
  const resumable = createPartUploader(resumableTarget(bucket, partBytes), around)
  const composed = pieceConcurrency > 1 ? createPartUploader(composedTarget(bucket, partBytes, pieceConcurrency), around) : undefined
  const put: Puts['put'] = async (key, body, options) => {
    try {
      throwIfAborted(options?.signal)
      checkKey(key)
      refusePieceKey(bucket, key)
      checkConditions(options)
    } catch (error) {
      await openPutBody(key, body, undefined).close()
      throw error
    }
    const conditional = options?.onlyIfAbsent === true || options?.ifMatch !== undefined
    const uploader = conditional ? resumable : (composed ?? resumable)
    return await withinTime(bucket, { doing: `write of ${key}`, signal: options?.signal }, (signal) =>
      uploader.upload(key, body, { ...options, ...(signal === undefined ? {} : { signal }) }),
    )
  }
  const close = async (): Promise<void> => {
    await Promise.all([resumable.close(), composed?.close()])
  }
  return { put, close }
}
