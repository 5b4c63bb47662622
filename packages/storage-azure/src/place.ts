import type { ContainerClient } from '@azure/storage-blob'
import { Fault, throwIfAborted } from '@waltz/errors'
import { createHttpAgents, type HttpAgents } from '@waltz/network'
import type { BlockPool } from '@waltz/bytes'
import {
  DEFAULT_CONNECT_TIMEOUT_MS,
  DEFAULT_IDLE_TIMEOUT_MS,
  watchForStall,
  type CallOptions,
  type StallWatch,
  type StallWatchOptions,
} from '@waltz/storage'
import { serviceUrl } from './check-options.ts'
import { sasQuery, sdkCredential } from './credentials.ts'
import { azureFault, type AzureCall } from './errors.ts'
import { createHttpClient } from './http-client.ts'
import type { AzureStoreOptions } from './options.ts'
import type { Section } from './sections.ts'
import type { HalfSection } from './verified-body.ts'

/** One container and the way to it. */
export interface Place {
  readonly options: AzureStoreOptions
  readonly location: string
  /** For chunks of downloads. */
  readonly readBlocks: BlockPool
  /** Loads the SDK when called for the first time. */
  readonly container: () => Promise<ContainerClient>
  /** Whether the account keeps versions; undefined until a deletion has shown it. */
  versioned: boolean | undefined
  /** Bytes that move for a request with this signal are told to the watch that it belongs to. */
  readonly watches: WeakMap<AbortSignal, StallWatch>
  /** Sums of downloads that broke off, by version and byte of the object. */
  readonly halves: Map<string, HalfSection>
  /** Blocks of objects that were read lately, by version. */
  readonly sections: Map<string, readonly Section[]>
  readonly close: () => void
}

/** A place that does no I/O until it is asked for its container. */
export function createPlace(options: AzureStoreOptions, readBlocks: BlockPool): Place {
  const watches = new WeakMap<AbortSignal, StallWatch>()
  let connection: Promise<Connection> | undefined
  let closed = false
  const connect = (): Promise<Connection> => {
    if (closed) throw new Fault('invalid', 'AZURE_STORE_CLOSED', 'this store was disposed of already')
    if (connection === undefined) {
      connection = openConnection(options, watches)
      connection.catch(() => (connection = undefined)) // tried again by the next call; this one tells
    }
    return connection
  }
  return {
    options,
    location: `azure://${options.container}`,
    readBlocks,
    container: async () => (await connect()).container,
    versioned: undefined,
    watches,
    halves: new Map(),
    sections: new Map(),
    close() {
      closed = true
      // One that could not be made has failed the call that asked for it.
      connection?.then(({ agents }) => agents.destroy()).catch(() => undefined)
    },
  }
}

interface Connection {
  readonly container: ContainerClient
  readonly agents: HttpAgents
}

async function openConnection(options: AzureStoreOptions, watches: WeakMap<AbortSignal, StallWatch>): Promise<Connection> {
  const service = serviceUrl(options)
  const { proxy, noProxy, ca, apiVersion } = options
  const agents = await createHttpAgents({
    target: service,
    // Requests are limited elsewhere; one that waits for a socket would look as if it stood still.
    maxSockets: Number.POSITIVE_INFINITY,
    ...(ca === undefined ? {} : { ca }),
    ...(proxy === undefined ? {} : { proxy }),
    ...(noProxy === undefined ? {} : { noProxy }),
  })
  const [{ ContainerClient, newPipeline }, credential] = await Promise.all([import('@azure/storage-blob'), sdkCredential(options, service)])
  const pipeline = newPipeline(credential, {
    retryOptions: { maxTries: 1 },
    userAgentOptions: { userAgentPrefix: 'waltz' },
    httpClient: createHttpClient({
      agents,
      connectTimeoutMs: options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS,
      sleep: options.sleep,
      watchOf: (signal) => (signal instanceof AbortSignal ? watches.get(signal) : undefined),
    }),
  })
  if (apiVersion !== undefined) {
    pipeline.factories.push({
      create: (next) => ({
        sendRequest(request) {
          request.headers.set('x-ms-version', apiVersion)
          return next.sendRequest(request)
        },
      }),
    })
  }
  const sas = sasQuery(options)
  const base = `${service.href.replace(/\/$/, '')}/${options.container}`
  return { container: new ContainerClient(sas === '' ? base : `${base}?${sas}`, pipeline), agents }
}

/** A watch over one request to this place. */
export function watchRequest(
  place: Place,
  doing: string,
  options: CallOptions | undefined,
  sleep?: StallWatchOptions['sleep'],
): StallWatch {
  const watch = watchForStall({
    idleMs: place.options.idleTimeoutMs ?? DEFAULT_IDLE_TIMEOUT_MS,
    sleep: sleep ?? place.options.sleep,
    doing,
    location: place.location,
    signal: options?.signal,
  })
  place.watches.set(watch.signal, watch)
  return watch
}

/**
 * Makes one request: watched, limited to the time of one try, with its failures as faults.
 * @throws Fault of `azureFault`; `unavailable` `STORAGE_STALLED`; `aborted`.
 */
export async function attempt<T>(
  place: Place,
  call: AzureCall,
  options: CallOptions | undefined,
  run: (container: ContainerClient, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  throwIfAborted(options?.signal)
  const container = await place.container().catch((error: unknown) => {
    throw azureFault(error, call, place)
  })
  const limited = limitTry(place, call, options)
  const watch = watchRequest(place, call.doing, { ...options, signal: limited.signal })
  try {
    return await run(container, watch.signal)
  } catch (error) {
    throw azureFault(watch.faultOf(error), call, place)
  } finally {
    watch.stop()
    limited.end()
  }
}

/** The caller's signal, which also fires when one try has taken too long. */
export function limitTry(
  place: Place,
  { doing }: AzureCall,
  options: CallOptions | undefined,
): { readonly signal: AbortSignal; readonly end: () => void } {
  const { tryTimeoutMs, sleep } = place.options
  const controller = new AbortController()
  const timer = new AbortController()
  const signal = options?.signal === undefined ? controller.signal : AbortSignal.any([options.signal, controller.signal])
  if (tryTimeoutMs !== undefined) {
    sleep(tryTimeoutMs, timer.signal).then(
      () => {
        if (!timer.signal.aborted) controller.abort(tryTimeoutFault(place, doing, tryTimeoutMs))
      },
      () => undefined, // the wait was ended: the try was done in time
    )
  }
  return { signal, end: () => timer.abort() }
}

function tryTimeoutFault({ location }: Place, doing: string, tryTimeoutMs: number): Fault {
  return new Fault(
    'unavailable',
    'STORAGE_STALLED',
    `the ${doing} in ${location} was not done after ${Math.round(tryTimeoutMs / 1000)} s`,
    {
      hint: 'it is tried again; if this persists, raise AZURE_TRY_TIMEOUT or lower AZURE_BUFFER_SIZE',
      context: { location, tryTimeoutMs },
    },
  )
}
