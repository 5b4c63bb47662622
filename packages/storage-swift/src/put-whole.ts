import { createHash, type Hash } from 'node:crypto'
import { giveBack } from '@waltz/bytes'
import { checksumFault, retried, startAttempts, type AttemptedCall, type ObjectInfo, type PutOptions } from '@waltz/storage'
import { pathOf } from './client.ts'
import { tooLargeFault, type ReadAnswer } from './errors.ts'
import { agrees, md5Of, putHeaders, putInfo, refusePut, sendWhole } from './put-request.ts'
import type { Place } from './place.ts'
import { findFacts } from './read.ts'
import type { RequestBody } from './send-body.ts'

/** The bytes of a put, in chunks of a good size. */
export interface PutSource {
  readonly chunks: AsyncGenerator<Uint8Array>
  readonly options: PutOptions | undefined
}

/**
 * Stores an object in one request. What fits into one part is held in memory, sent with its MD5 and sent again when that fails. What
 * is larger is streamed: made again only until the first byte behind that part was taken, and its MD5 compared at the end.
 */
export async function putFromSource(place: Place, key: string, { chunks, options }: PutSource): Promise<ObjectInfo> {
  const { partBytes } = place
  const grant = await place.budget.acquire(Math.max(1, Math.min(options?.size ?? partBytes, partBytes)), options?.signal)
  try {
    const held: Uint8Array[] = []
    let bytes = 0
    let ended = false
    while (bytes <= partBytes && !ended) {
      const step = await chunks.next()
      if (step.done === true) ended = true
      else {
        held.push(step.value)
        bytes += step.value.length
      }
    }
    if (!ended) return await putStreamed(place, key, { held, chunks, options })
    const info = await putHeld(place, key, { chunks: held, options })
    for (const chunk of held) giveBack(chunk)
    return info
  } finally {
    grant.release()
  }
}

/** Stores bytes at hand, making the request again while its fault is retryable. */
export async function putHeld(
  place: Place,
  key: string,
  { chunks, options }: { readonly chunks: readonly Uint8Array[]; readonly options: PutOptions | undefined },
): Promise<ObjectInfo> {
  const md5 = md5Of(chunks)
  const size = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  const attempts = startAttempts(place.retry, attempted(key, options))
  for (let attempt = 1; ; attempt += 1) {
    try {
      const object = { container: place.container, key, chunks, md5 }
      const answer = await sendWhole(place, object, { options, signal: options?.signal })
      if (answer.status === 412 && attempt > 1) return await ownEarlier(place, key, { md5, answer, options })
      refusePut(place, key, answer)
      return await infoAfter(place, { key, size, etag: md5, answer }, options)
    } catch (error) {
      await attempts.failed(error)
    }
  }
}

/** The name is taken at a later attempt: perhaps by the first one, whose answer did not arrive. */
async function ownEarlier(
  place: Place,
  key: string,
  { md5, answer, options }: { readonly md5: string; readonly answer: ReadAnswer; readonly options: PutOptions | undefined },
): Promise<ObjectInfo> {
  const found = await findFacts(place, key, options?.signal)
  if (found?.info.etag !== md5) refusePut(place, key, answer)
  return (found as NonNullable<typeof found>).info
}

function infoAfter(place: Place, stored: Parameters<typeof putInfo>[1], options: PutOptions | undefined): Promise<ObjectInfo> {
  return retried(place.retry, attempted(stored.key, options), () => putInfo(place, stored, options))
}

function attempted(key: string, options: PutOptions | undefined): AttemptedCall {
  return { operation: 'put', key, signal: options?.signal }
}

interface Stream {
  readonly held: readonly Uint8Array[]
  readonly chunks: AsyncGenerator<Uint8Array>
  readonly options: PutOptions | undefined
}

async function putStreamed(place: Place, key: string, stream: Stream): Promise<ObjectInfo> {
  const { options } = stream
  const doing = `upload of ${key}`
  const body = createStreamBody(place, doing, stream)
  const attempts = startAttempts(place.retry, attempted(key, options))
  for (;;) {
    try {
      const answer = await place.client.call({
        method: 'PUT',
        path: pathOf(place.container, key),
        headers: putHeaders(options),
        body: body.restart,
        accept: [201, 202, 404, 412],
        doing,
        signal: options?.signal,
      })
      refusePut(place, key, answer)
      const { md5, bytes } = body.sum()
      if (!agrees(answer, md5)) throw await removeDamaged(place, key, answer)
      return await infoAfter(place, { key, size: bytes, etag: md5, answer }, options)
    } catch (error) {
      const own = body.failure()
      if (own !== undefined) throw own.error
      if (body.touched()) throw error
      await attempts.failed(error)
    }
  }
}

/** Bytes that changed on their way are visible by now: they go, unless somebody has replaced them. */
async function removeDamaged(place: Place, key: string, answer: ReadAnswer): Promise<Error> {
  const doing = `upload of ${key}`
  const damaged = checksumFault({ doing, location: place.location }, { retryable: true })
  try {
    const found = await findFacts(place, key, undefined)
    if (found !== undefined && agrees(answer, found.info.etag ?? ''))
      await place.client.call({ method: 'DELETE', path: pathOf(place.container, key), accept: [200, 204, 404], doing, signal: undefined })
  } catch (error) {
    place.onLeftover?.({ key, error })
  }
  return damaged
}

interface StreamBody {
  /** The body for one sending; undefined once something was taken that cannot be had again. */
  readonly restart: () => RequestBody | undefined
  readonly touched: () => boolean
  /** Of all bytes that were taken. */
  readonly sum: () => { readonly md5: string; readonly bytes: number }
  /** That of the source, or a size that is too large: not to be mistaken for one of the connection. */
  readonly failure: () => { readonly error: unknown } | undefined
}

function createStreamBody(place: Place, doing: string, { held, chunks, options }: Stream): StreamBody {
  let hash: Hash = createHash('md5')
  let bytes = 0
  let touched = false
  let failure: { readonly error: unknown } | undefined
  /** Taken behind the part in memory, and written by the time the next one is asked for. */
  let written: Uint8Array | undefined

  const pull = async (): Promise<Uint8Array | undefined> => {
    touched = true
    if (written !== undefined) giveBack(written)
    try {
      const step = await chunks.next()
      written = step.done === true ? undefined : step.value
      if (written !== undefined && bytes + written.length > place.maxWholeBytes) throw tooLargeFault({ doing, location: place.location })
      return written
    } catch (error) {
      failure = { error }
      throw error
    }
  }
  const expectEnd = async (): Promise<void> => {
    touched = true
    try {
      await chunks.next()
    } catch (error) {
      failure = { error }
      throw error
    }
  }
  const restart = (): RequestBody | undefined => {
    if (touched) return undefined
    const again = held.values()
    hash = createHash('md5')
    bytes = 0
    return {
      length: options?.size,
      ask: true,
      async next() {
        const chunk = again.next().value ?? (await pull())
        if (chunk === undefined) return undefined
        hash.update(chunk)
        bytes += chunk.length
        // The server takes an object for whole with its last announced byte: that one waits until the source has ended there.
        if (bytes === options?.size) await expectEnd()
        return chunk
      },
    }
  }
  return { restart, touched: () => touched, sum: () => ({ md5: hash.digest('hex'), bytes }), failure: () => failure }
}
