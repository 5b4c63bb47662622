import { throwIfAborted } from '@waltz/errors'
import { coalesce, type ByteSource } from '@waltz/bytes'
import { checkConditions, checkKey, conditionUnsupportedFault, openPutBody, type ObjectInfo, type PutOptions } from '@waltz/storage'
import type { Place } from './place.ts'
import { createSegmentUploader } from './segments.ts'
import { putFromSource } from './put-whole.ts'

/** `ObjectStore.put`. */
export async function putObject(place: Place, key: string, body: ByteSource, options: PutOptions | undefined): Promise<ObjectInfo> {
  const inSegments = place.largeObjects === 'segments' || (options?.size ?? 0) > place.maxWholeBytes
  const source = openPutBody(key, body, options)
  try {
    throwIfAborted(options?.signal)
    checkKey(key)
    checkConditions(options)
    refuseConditions(place, key, options)
    if (!inSegments) return await putFromSource(place, key, { chunks: coalesce(source), options })
    // `size` is watched over by `source` already.
    return await putInSegments(place, key, source, options)
  } catch (error) {
    await source.close()
    throw error
  }
}

async function putInSegments(place: Place, key: string, source: ByteSource, options: PutOptions | undefined): Promise<ObjectInfo> {
  const uploader = createSegmentUploader(place, options?.size)
  try {
    return await uploader.upload(key, source, options)
  } finally {
    const closing = uploader.close()
    place.closing.add(closing)
    void closing.finally(() => place.closing.delete(closing))
  }
}

function refuseConditions({ conditionalPut, location }: Place, key: string, options: PutOptions | undefined): void {
  if (options?.ifMatch !== undefined) throw conditionUnsupportedFault(key, location, 'Swift cannot replace only a certain version')
  if (options?.onlyIfAbsent === true && !conditionalPut)
    throw conditionUnsupportedFault(key, location, 'Swift looks first and then stores, so that two writers at the same time both succeed')
}
