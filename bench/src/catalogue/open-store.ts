/** The stores of a job, opened as any program would open them: no kit, no settings, nothing around them. */
import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { createByteBudget, type ObjectStore } from '@waltz/storage'

/** Where a repository lies. */
export type StorePlace =
  | { readonly kind: 'file'; readonly root: string }
  | {
      readonly kind: 's3'
      readonly endpoint: string
      readonly region: string
      readonly bucket: string
      readonly accessKeyId: string
      readonly secretAccessKey: string
    }

const randomHex = (digits: number): string =>
  randomBytes(Math.ceil(digits / 2))
    .toString('hex')
    .slice(0, digits)
const now = (): Date => new Date()

/** Opens a store; its package is loaded now. */
export async function openStore(place: StorePlace): Promise<ObjectStore> {
  if (place.kind === 'file') {
    const { createFileStore } = await import('@waltz/storage-file')
    return createFileStore({ root: place.root, now, randomHex })
  }
  const { createS3Store } = await import('@waltz/storage-s3')
  const { endpoint, region, bucket, accessKeyId, secretAccessKey } = place
  const sleep = (ms: number, signal?: AbortSignal): Promise<void> => delay(ms, undefined, { ...(signal && { signal }) })
  return createS3Store({
    bucket,
    endpoint,
    region,
    pathStyle: true,
    credentials: { kind: 'static', accessKeyId, secretAccessKey },
    retry: { maxAttempts: 5, baseDelayMs: 100, maxDelayMs: 5000, random: Math.random, sleep },
    budget: createByteBudget(64 * 2 ** 20),
    now,
    sleep,
    randomHex,
    skipValidation: true,
    putInfo: 'quick',
  })
}
