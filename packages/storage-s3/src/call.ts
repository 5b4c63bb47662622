import { throwIfAborted } from '@waltz/errors'
import { watchForStall, type CallOptions, type StallWatch } from '@waltz/storage'
import { codeOf, regionOf, s3Fault, type S3Call } from './errors.ts'
import { newSight, type RequestInSight, type SendOptions } from './http-requests.ts'
import type { Place } from './place.ts'
import type { Session } from './session.ts'

/** What a request is for. */
export interface Purpose {
  /** Reads like `read base/part_001.tar`. */
  readonly doing: string
  /** The object whose absence is `not-found`. */
  readonly key?: string
  readonly options: CallOptions | undefined
}

/** Sends one command. */
export type Send<Out> = (session: Session, options: SendOptions) => Promise<Out>

/** A request that was answered and may still deliver a body. */
export interface OpenCall<Out> {
  readonly output: Out
  readonly sight: RequestInSight
  readonly watch: StallWatch
  /** The fault for a failure of the body. */
  faultOf(error: unknown): unknown
}

/**
 * Makes one request, watched over, and ends the watch with its answer.
 * @throws Fault, see `errors.ts`; `STORAGE_STALLED`; `aborted`.
 */
export async function call<Out>(place: Place, purpose: Purpose, send: Send<Out>): Promise<Out> {
  const open = await openCall(place, purpose, send)
  open.watch.stop()
  return open.output
}

/** The same for an answer whose body is yet to be read: the caller stops the watch. */
export async function openCall<Out>(place: Place, purpose: Purpose, send: Send<Out>): Promise<OpenCall<Out>> {
  throwIfAborted(purpose.options?.signal)
  await validated(place, purpose.options)
  try {
    return await attempt(place, purpose, send)
  } catch (error) {
    if (!moved(place, error)) throw error
    return await attempt(place, purpose, send)
  }
}

async function attempt<Out>(place: Place, purpose: Purpose, send: Send<Out>): Promise<OpenCall<Out>> {
  const sight = newSight()
  sight.waiting = true // for the session, and for credentials
  const watch = watched(place, purpose, sight)
  const told: S3Call = {
    doing: purpose.doing,
    location: place.location,
    key: purpose.key,
    now: place.options.now,
    secrets: place.secrets,
  }
  const faultOf = (error: unknown): unknown => watch.faultOf(s3Fault(error, told, sight.headers))
  try {
    const session = await untilStopped(place.sessions.open(), watch)
    const output = await send(session, { abortSignal: watch.signal, sight })
    learn(place, sight)
    return { output, sight, watch, faultOf }
  } catch (error) {
    watch.stop()
    learn(place, sight)
    throw faultOf(error)
  }
}

/** A first answer that tells another region than the one assumed moves the store there, once. */
function moved(place: Place, error: unknown): boolean {
  const { sessions, provider } = place
  const region = WRONG_REGION.test(codeOf(error) ?? '') ? regionOf(error) : undefined
  if (region === undefined || sessions.regionGiven || provider.name !== 'aws') return false
  sessions.moveTo(region)
  place.options.onNotice?.({ code: 'region-found', message: `the bucket ${place.bucket} lies in ${region}` })
  return true
}

const WRONG_REGION = /^(PermanentRedirect|AuthorizationHeaderMalformed|301|BadRequest)$/

function learn({ provider, options }: Place, { headers }: RequestInSight): void {
  if (headers === undefined) return
  const found = provider.learnFrom(headers)
  if (found !== undefined) options.onNotice?.({ code: 'provider-found', message: `the storage is known as ${found}` })
}

/**
 * Progress is what the connection has moved; while nobody waits for bytes, standing still is none of the network's doing. The system
 * takes up to some MiB at once and sends them unseen: so the wait for the answer to a large body is as long again.
 */
function watched(place: Place, { doing, options }: Purpose, sight: RequestInSight): StallWatch {
  let before = -1
  let patienceMs = place.idleTimeoutMs
  const look = (ms: number): boolean => {
    const { socket, waiting, handedOver } = sight
    const now = socket === undefined ? 0 : socket.bytesRead + socket.bytesWritten
    const progressed = !waiting || now !== before
    before = now
    if (progressed || !handedOver || patienceMs <= 0) return progressed
    patienceMs -= ms
    return true
  }
  const watch = watchForStall({
    idleMs: place.idleTimeoutMs,
    doing: `request to ${doing}`,
    location: place.location,
    signal: options?.signal,
    sleep: async (ms, signal) => {
      await place.options.sleep(ms, signal)
      if (look(ms)) watch.progressed()
    },
  })
  return watch
}

/** Opening a session can hang in ways of its own: metadata services, STS. */
function untilStopped<T>(promise: Promise<T>, watch: StallWatch): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(watch.signal.reason as Error)
    if (watch.signal.aborted) onAbort()
    watch.signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => watch.signal.removeEventListener('abort', onAbort))
  })
}

/** With `skipValidation: false`, one listing comes before everything else. */
async function validated(place: Place, options: CallOptions | undefined): Promise<void> {
  if (place.options.skipValidation !== false) return
  place.known.validated ??= attempt(place, { doing: 'listing the bucket to make sure that it can be', options }, ({ send }, sent) =>
    send('ListObjectsV2', { Bucket: place.bucket, MaxKeys: 1 }, sent),
  ).then(
    ({ watch }) => watch.stop(),
    (error: unknown) => {
      place.known.validated = undefined
      throw error
    },
  )
  await place.known.validated
}
