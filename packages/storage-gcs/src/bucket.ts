import { Fault, throwIfAborted } from '@waltz/errors'
import { createHttpAgents } from '@waltz/network'
import { DEFAULT_CONNECT_TIMEOUT_MS, DEFAULT_IDLE_TIMEOUT_MS } from '@waltz/storage'
import { createTokenSource } from './access-token.ts'
import type { Engine, EngineSurroundings } from './engine.ts'
import type { HttpLine } from './http-call.ts'
import { DEFAULT_API_ENDPOINT, DEFAULT_PIECES_PREFIX, type GcsStoreOptions } from './options.ts'

/** The bucket of a store, and how to speak with it. */
export interface Bucket {
  readonly name: string
  readonly location: string
  readonly options: GcsStoreOptions
  readonly piecesPrefix: string
  /**
   * What speaks with it; made at the first call.
   * @throws Fault `aborted`; `invalid` `GCS_STORE_CLOSED`, `NETWORK_PROXY_INVALID`, `NETWORK_CA_INVALID`.
   */
  open(signal: AbortSignal | undefined): Promise<Engine>
  close(): Promise<void>
}

interface Opened {
  readonly engine: Engine
  readonly line: HttpLine
}

/** Prepares the way to a bucket. No I/O before the first call. */
export function createBucket(options: GcsStoreOptions): Bucket {
  const location = `gs://${options.bucket}`
  let opening: Promise<Opened> | undefined
  let closed = false
  const bucket: Bucket = {
    name: options.bucket,
    location,
    options,
    piecesPrefix: options.piecesPrefix ?? DEFAULT_PIECES_PREFIX,
    async open(signal) {
      throwIfAborted(signal)
      if (!closed) opening ??= openBucket(bucket)
      const opened = await opening
      if (closed || opened === undefined)
        throw new Fault('invalid', 'GCS_STORE_CLOSED', `the store of ${location} was used after it was closed`)
      return opened.engine
    },
    async close() {
      closed = true
      const opened = await opening?.catch(() => undefined) // what could not be opened has nothing to close
      opened?.line.agents.destroy()
    },
  }
  return bucket
}

async function openBucket(bucket: Bucket): Promise<Opened> {
  const { options, location } = bucket
  const { ca, proxy, noProxy, maxSockets, connectTimeoutMs, idleTimeoutMs, sleep, now } = options
  const endpoint = (options.apiEndpoint ?? DEFAULT_API_ENDPOINT).replace(/\/+$/, '')
  const agents = await createHttpAgents({
    target: new URL(endpoint),
    ...(ca === undefined ? {} : { ca }),
    ...(proxy === undefined ? {} : { proxy }),
    ...(noProxy === undefined ? {} : { noProxy }),
    ...(maxSockets === undefined ? {} : { maxSockets }),
  })
  const line: HttpLine = {
    agents,
    connectTimeoutMs: connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS,
    idleTimeoutMs: idleTimeoutMs ?? DEFAULT_IDLE_TIMEOUT_MS,
    sleep,
    location,
  }
  const tokens = createTokenSource(options.credentials ?? { kind: 'default' }, { line, now })
  return { engine: await loadEngine({ bucket, line, tokens, endpoint }), line }
}

/** Only the one that was chosen is loaded. */
async function loadEngine(around: EngineSurroundings): Promise<Engine> {
  if (around.bucket.options.engine === 'google-cloud') {
    const { createGoogleCloudEngine } = await import('./google-cloud/engine.ts')
    return createGoogleCloudEngine(around)
  }
  const { createRequestsEngine } = await import('./requests/engine.ts')
  return createRequestsEngine(around)
}
