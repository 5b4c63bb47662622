import { Fault, isFault } from '@waltz/errors'
import { alreadyExistsFault } from '@waltz/storage'
import { deleteOne } from './delete.ts'
import { claimKey } from './hidden-keys.ts'
import { PUT_ID } from './object-info.ts'
import { plainObjectParams } from './object-params.ts'
import type { Place } from './place.ts'
import { createOnly, lookAt, replaceOnly, type WholePut } from './put.ts'

/** Whoever holds it may complete an upload in parts under its name. */
export interface Claim {
  readonly key: string
  readonly id: string
}

/** Who holds a claim for so long is dead. */
const STALE_MS = 24 * 3_600_000

interface Claiming {
  readonly key: string
  readonly id: string
  readonly attempt: number
  readonly signal: AbortSignal
}

/**
 * Guards a name with a small object, for storages that complete uploads in parts without heeding a condition. Binds other writers of
 * Waltz's that store large objects under the name; a small object that somebody stores meanwhile is found before the upload is completed.
 * @throws Fault `already-exists` when the name is taken or another writer holds the claim.
 */
export async function takeClaim(place: Place, claiming: Claiming): Promise<Claim> {
  const { key, id, signal } = claiming
  const put = claimPut(place, claiming)
  try {
    await createOnly(place, put)
  } catch (error) {
    if (!isFault(error, 'already-exists')) throw error
    await takeOver(place, claiming, put)
  }
  const claim: Claim = { key, id }
  // Its last holder may have completed the object between the look at the name and the claim.
  if ((await lookAt(place, key, signal)) === undefined) return claim
  await releaseClaim(place, claim)
  throw alreadyExistsFault(key, place.location)
}

/** Makes sure, right before an upload is completed, that nobody took the claim over and nobody stored the object. */
export async function checkClaim(place: Place, { key, id }: Claim, signal: AbortSignal): Promise<void> {
  const held = await lookAt(place, claimKey(key), signal)
  if (held?.metadata[PUT_ID] !== id) throw busyFault(place, key)
  if ((await lookAt(place, key, signal)) !== undefined) throw alreadyExistsFault(key, place.location)
}

/** Removes the claim if it is still held. A failure is told as a leftover: the object is what counts. */
export async function releaseClaim(place: Place, { key, id }: Claim): Promise<void> {
  const name = claimKey(key)
  try {
    const held = await lookAt(place, name, undefined)
    if (held?.metadata[PUT_ID] === id) await deleteOne(place, { key: name }, undefined)
  } catch (error) {
    place.options.onLeftover?.({ key: name, error })
  }
}

async function takeOver(place: Place, claiming: Claiming, put: WholePut): Promise<void> {
  const { key, id, signal } = claiming
  const held = await lookAt(place, put.key, signal)
  if (held === undefined) return void (await createOnly(place, put)) // given back in this moment
  if (held.metadata[PUT_ID] === id) return
  const age = place.options.now().getTime() - held.info.modifiedAt.getTime()
  if (age < STALE_MS || held.info.etag === undefined) throw busyFault(place, key)
  try {
    await replaceOnly(place, put, held.info.etag)
  } catch (error) {
    throw isFault(error, 'conflict') ? busyFault(place, key) : error
  }
  place.options.onNotice?.({
    code: 'claim-taken-over',
    message: `the claim on ${key} was ${Math.round(age / 3_600_000)} hours old and was taken over`,
  })
}

function claimPut(place: Place, { key, id, attempt, signal }: Claiming): WholePut {
  const body = new TextEncoder().encode(`${JSON.stringify({ format: 'waltz-claim', id, since: place.options.now().toISOString() })}\n`)
  return { key: claimKey(key), body, id, params: { ...plainObjectParams(place), Metadata: { [PUT_ID]: id } }, attempt, signal }
}

/** The kind is that of a lost race, which is what it is. */
function busyFault({ location }: Place, key: string): Fault {
  return new Fault('already-exists', 'STORAGE_ALREADY_EXISTS', `another writer is storing ${key} in ${location}`, {
    hint: `if that writer is dead, remove ${claimKey(key)}, or try again a day later`,
    context: { key, location },
  })
}
