import { readAll, sourceOf } from '@waltz/bytes'
import { isFault } from '@waltz/errors'
import { decodeClusterIdentity, encodeClusterIdentity } from '../cluster-identity.ts'
import { clusterIdentityKey } from '../layout.ts'
import type { RotationContext } from './rotate-object.ts'

const IDENTITY_LIMIT_BYTES = 65_536

/**
 * Makes the record of the cluster, where there is one, say that the repository holds encrypted objects: from then on nothing is
 * stored as it is. Resolves to whether that was new.
 */
export async function noteEncryption({ store, call }: RotationContext): Promise<boolean> {
  try {
    await using body = await store.get(clusterIdentityKey, call)
    const identity = decodeClusterIdentity(await readAll(body, IDENTITY_LIMIT_BYTES), { origin: clusterIdentityKey })
    if (identity.encrypted) return false
    const bytes = encodeClusterIdentity({ ...identity, encrypted: true })
    const { etag } = body.info
    const ifMatch = store.capabilities.ifMatch && etag !== undefined ? { ifMatch: etag } : {}
    await store.put(clusterIdentityKey, sourceOf(bytes), { ...call, ...ifMatch, size: bytes.length })
    return true
  } catch (error) {
    if (isFault(error, 'not-found')) return false
    throw error
  }
}
