import type { Radosgw } from '@waltz/testkit'
import type { MaintainedStore } from '@waltz/storage'
import { createS3Store, type S3StoreOptions } from '../../src/index.ts'
import { storageFacts } from './facts.ts'
import { networkOptions } from './options.ts'

/** The smallest part that S3 takes. */
export const PART_BYTES: number = storageFacts.partBytes

/** Options for a bucket on radosgw. */
export function radosgwOptions(server: Radosgw, bucket: string): S3StoreOptions {
  return {
    ...networkOptions(),
    bucket,
    endpoint: server.endpoint,
    pathStyle: true,
    credentials: { kind: 'static', accessKeyId: server.accessKeyId, secretAccessKey: server.secretAccessKey },
    partBytes: PART_BYTES,
    uploadConcurrency: 4,
  }
}

/** A store in a new bucket on radosgw. */
export async function radosgwStore(server: Radosgw, options: Partial<S3StoreOptions> = {}): Promise<MaintainedStore> {
  return createS3Store({ ...radosgwOptions(server, await server.createBucket()), ...options })
}

/** Bodies that are not there yet when the file is read. */
export function later<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => (made ??= make())
}
