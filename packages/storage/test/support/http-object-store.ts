import { createHash } from 'node:crypto'
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { abortedFault, Fault, isFault, throwIfAborted } from '@waltz/errors'
import {
  accessDeniedFault,
  alreadyExistsFault,
  checkConditions,
  checkKey,
  checkPrefix,
  checkRange,
  checksumFault,
  copyUnsupportedFault,
  createObjectBody,
  createPartUploader,
  networkFault,
  notFoundFault,
  objectReplacedFault,
  requestRefusedFault,
  retryAfterMs,
  serverFailedFault,
  throttledFault,
  unreachableFault,
  watchForStall,
  type CallOptions,
  type MultipartTarget,
  type NetworkStoreOptions,
  type ObjectInfo,
  type ObjectStore,
  type StallWatch,
  type UploadCall,
} from '../../src/index.ts'

/** Ways to be wrong, which the fault cases must find out. */
export type Defect =
  | 'no watchdog'
  | 'time-out on the whole'
  | 'no retries of its own'
  | 'broken is missing'
  | 'refused is missing'
  | 'no checksum up'
  | 'no checksum down'
  | 'retry-after unread'
  | 'condition dropped'
  | 'beaten by itself'
  | 'keeps connections'
  | 'keeps parts'
  | 'keeps hanging connections'
  | 'short is whole'
  | 'any 200 is success'
  | 'no etag'
  | 'failed put leaves its bytes'

export interface HttpObjectStoreOptions extends NetworkStoreOptions {
  readonly host: string
  readonly port: number
  readonly partBytes: number
  readonly defects?: readonly Defect[]
}

interface Ask {
  readonly method: string
  readonly path: string
  readonly doing: string
  readonly headers?: Record<string, string>
  readonly body?: Uint8Array
  readonly signal: AbortSignal | undefined
}

interface Answer {
  readonly response: IncomingMessage
  readonly watch: StallWatch
  /** Lets go of the connection. */
  readonly drop: () => void
}

const md5 = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('base64')
const pathOf = (key: string): string => `/${encodeURIComponent(key)}`

/** A store over the small HTTP server of these tests. */
export function createHttpObjectStore(options: HttpObjectStoreOptions): ObjectStore {
  const { host, port, partBytes, retry, budget, sleep, now, idleTimeoutMs = 60_000 } = options
  const has = (defect: Defect): boolean => options.defects?.includes(defect) === true
  const agent = new Agent({ keepAlive: true })
  const location = `http://${host}:${port}`

  const ask = (asked: Ask): Promise<Answer> => {
    const { method, path, doing, headers = {}, body = new Uint8Array(0), signal } = asked
    throwIfAborted(signal)
    const watch = watchForStall({ idleMs: has('no watchdog') ? 1e9 : idleTimeoutMs, sleep, doing, location, signal })
    return new Promise((resolve, reject) => {
      const request = httpRequest({ host, port, agent, method, path, headers: { ...headers, 'content-length': body.length } })
      const drop = (): void => void request.destroy()
      const onStop = (): void => {
        if (!has('keeps hanging connections')) request.destroy(new Error('stopped'))
        fail(new Error('stopped'))
      }
      const fail = (error: unknown): void => {
        watch.stop()
        reject(faultOf(error, watch, doing))
      }
      if (has('time-out on the whole')) setTimeout(onStop, idleTimeoutMs).unref()
      watch.signal.addEventListener('abort', onStop, { once: true })
      request.on('error', fail)
      request.on('response', (response) => {
        watch.progressed()
        resolve({ response, watch, drop })
      })
      let sent = 0
      const send = (): void => {
        watch.progressed()
        while (sent < body.length) {
          const piece = body.subarray(sent, sent + 65_536)
          sent += piece.length
          if (!request.write(piece)) {
            request.once('drain', send)
            return
          }
        }
        request.end()
      }
      send()
    })
  }
  const faultOf = (error: unknown, watch: StallWatch, doing: string): unknown => {
    const told = watch.faultOf(error)
    if (isFault(told)) {
      return told
    }
    if (has('broken is missing')) return notFoundFault('something', location)
    return networkFault(error, { doing, location }) ?? unreachableFault({ doing, location }, 'the connection broke')
  }
  const refuse = ({ response, drop, watch }: Answer, { doing }: Ask, key: string): Fault => {
    drop()
    watch.stop()
    const call = { doing, location, answer: `status ${response.statusCode}` }
    const status = response.statusCode ?? 0
    const after = has('retry-after unread') ? undefined : retryAfterMs(response.headers['retry-after'], now)
    if (status === 404) return notFoundFault(key, location)
    if (status === 401 || status === 403) return has('refused is missing') ? notFoundFault(key, location) : accessDeniedFault(call)
    if (status === 429 || status === 503) {
      return has('broken is missing') ? notFoundFault(key, location) : throttledFault(call, after)
    }
    if (status >= 500 || [408, 409, 425, 499].includes(status)) {
      return has('broken is missing') ? notFoundFault(key, location) : serverFailedFault(call, after)
    }
    return requestRefusedFault(call)
  }
  /** A request with a small answer. */
  const call = async (asked: Ask, key: string): Promise<{ readonly response: IncomingMessage; readonly text: string }> => {
    const answer = await ask(asked)
    const { response, watch } = answer
    if ((response.statusCode ?? 0) >= 300 && ![412, 400, 410].includes(response.statusCode ?? 0)) throw refuse(answer, asked, key)
    try {
      let text = ''
      for await (const chunk of response) {
        watch.progressed()
        text += String(chunk)
      }
      return { response, text }
    } catch (error) {
      if (has('short is whole')) return { response, text: '"end"\n' }
      throw faultOf(error, watch, asked.doing)
    } finally {
      watch.stop()
    }
  }
  const infoOf = (key: string, { headers }: IncomingMessage): ObjectInfo => ({
    key,
    size: Number(headers['x-size']),
    modifiedAt: new Date(has('no etag') ? 0 : Number(headers['x-modified'])),
    ...(has('no etag') ? {} : { etag: String(headers.etag) }),
  })
  const head = async (key: string, signal: AbortSignal | undefined): Promise<ObjectInfo> => {
    checkKey(key)
    const { response } = await call({ method: 'HEAD', path: pathOf(key), doing: `look at ${key}`, signal }, key)
    return infoOf(key, response)
  }

  /** An own earlier attempt may have been the one that took the name. */
  const isOwn = async (key: string, bytes: Uint8Array | undefined, { attempt, signal }: UploadCall): Promise<ObjectInfo | undefined> => {
    if (attempt === 1 || has('beaten by itself')) return undefined
    const info = await head(key, signal).catch(() => undefined)
    return info !== undefined && (bytes === undefined || info.etag === `"${md5(bytes)}"`) ? info : undefined
  }
  const conditions = ({ options }: UploadCall): Record<string, string> => ({
    ...(options?.onlyIfAbsent === true ? { 'if-none-match': '*' } : {}),
    ...(options?.ifMatch === undefined ? {} : { 'if-match': options.ifMatch }),
  })
  const stored = async (sent: UploadCall, response: IncomingMessage, bytes?: Uint8Array): Promise<ObjectInfo> => {
    if (response.statusCode === 400) throw checksumFault({ doing: `store ${sent.key}`, location }, { retryable: true })
    if (response.statusCode === 412 || response.statusCode === 410) {
      const own = await isOwn(sent.key, bytes, sent)
      if (own !== undefined) return own
      throw sent.options?.onlyIfAbsent === true ? alreadyExistsFault(sent.key, location) : objectReplacedFault(sent.key, location)
    }
    if (response.headers.etag === undefined && !has('any 200 is success')) {
      throw serverFailedFault({ doing: `store ${sent.key}`, location, answer: 'a success without an etag' })
    }
    if (response.headers.etag === undefined) return { key: sent.key, size: bytes?.length ?? 0, modifiedAt: now() }
    return infoOf(sent.key, response)
  }
  const target: MultipartTarget<string, number> = {
    partBytes,
    maxParts: 1000,
    concurrency: 3,
    async putWhole(body, sent) {
      const { key, signal } = sent
      const doing = `store ${key}`
      const headers = { ...conditions(sent), ...(has('no checksum up') ? {} : { 'content-md5': md5(body) }) }
      const asked = { method: 'PUT', path: pathOf(key), doing, headers, body, signal }
      const { response } = await call(asked, key).catch(async (error: unknown) => {
        if (!has('condition dropped') || !isFault(error)) throw error
        return call({ ...asked, headers: {} }, key)
      })
      return stored(sent, response, body)
    },
    async begin({ key, signal }) {
      return (await call({ method: 'POST', path: `${pathOf(key)}?uploads`, doing: `begin ${key}`, signal }, key)).text
    },
    async putPart(upload, { index, body }, { key, signal }) {
      const headers: Record<string, string> = has('no checksum up') ? {} : { 'content-md5': md5(body) }
      const path = `${pathOf(key)}?upload=${upload}&part=${index}`
      const { response } = await call({ method: 'PUT', path, doing: `store a part of ${key}`, headers, body, signal }, key)
      if (response.statusCode === 400) throw checksumFault({ doing: `store a part of ${key}`, location }, { retryable: true })
      return index
    },
    async complete(upload, _parts, sent) {
      const { key, signal } = sent
      const asked = { method: 'POST', path: `${pathOf(key)}?complete=${upload}`, doing: `end ${key}`, headers: conditions(sent), signal }
      return stored(sent, (await call(asked, key)).response)
    },
    async abort(upload, { key }) {
      if (has('keeps parts')) return
      await call({ method: 'DELETE', path: `${pathOf(key)}?upload=${upload}`, doing: `leave ${key}`, signal: undefined }, key)
    },
  }
  const uploads = createPartUploader(target, { budget, retry: has('no retries of its own') ? { ...retry, maxAttempts: 1 } : retry })

  async function* list(prefix: string, options: (CallOptions & { after?: string }) | undefined): AsyncGenerator<ObjectInfo> {
    checkPrefix(prefix)
    let after = options?.after ?? ''
    for (;;) {
      const query = new URLSearchParams({ prefix, after })
      const asked = { method: 'GET', path: `/?${query}`, doing: `list ${prefix}`, signal: options?.signal }
      const lines = (await call(asked, prefix)).text.trimEnd().split('\n')
      const last = lines.pop()
      if (last !== '"end"' && last !== '"more"') throw unreachableFault({ doing: asked.doing, location }, 'the answer is not whole')
      for (const line of lines) {
        throwIfAborted(options?.signal)
        const { key, size, etag, modified } = JSON.parse(line) as { key: string; size: number; etag: string; modified: number }
        after = key
        yield { key, size, modifiedAt: new Date(modified), etag }
      }
      if (last === '"end"') return
    }
  }

  return {
    location,
    capabilities: {
      copy: false,
      conditionalPut: true,
      conditionalMultipart: 'store',
      ifMatch: true,
      rangedGet: true,
      maxObjectBytes: partBytes * target.maxParts,
      maxDeleteBatch: 100,
    },
    head: (key, callOptions) => head(key, callOptions?.signal),
    async get(key, getOptions) {
      checkKey(key)
      const { start, end } = checkRange(getOptions?.range)
      const signal = getOptions?.signal
      const nothing = end !== undefined && end <= start
      if (nothing) return createObjectBody({ info: await head(key, signal), read: () => empty(), close: async () => undefined })
      const ranged = getOptions?.range !== undefined
      const headers: Record<string, string> = ranged ? { range: `bytes=${start}-${end === undefined ? '' : end - 1}` } : {}
      const asked = { method: 'GET', path: pathOf(key), doing: `read ${key}`, headers, signal }
      const answer = await ask(asked)
      const { response, watch, drop } = answer
      const close = async (): Promise<void> => {
        watch.stop()
        drop()
      }
      if (response.statusCode === 416) {
        await close()
        return createObjectBody({ info: infoOf(key, response), read: () => empty(), close })
      }
      if ((response.statusCode ?? 0) >= 300) throw refuse(answer, asked, key)
      const info = infoOf(key, response)
      async function* read(): AsyncGenerator<Uint8Array> {
        const digest = createHash('md5')
        try {
          for await (const chunk of response as AsyncIterable<Buffer>) {
            watch.progressed()
            digest.update(chunk)
            yield new Uint8Array(chunk)
            throwIfAborted(signal)
          }
        } catch (error) {
          if (has('short is whole') && !watch.signal.aborted) return
          throw faultOf(error, watch, asked.doing)
        }
        const wrong = !ranged && !has('no checksum down') && !has('no etag') && `"${digest.digest('base64')}"` !== info.etag
        if (wrong) throw checksumFault({ doing: asked.doing, location }, { retryable: false })
      }
      return createObjectBody({ info, read, close })
    },
    async put(key, body, putOptions) {
      try {
        checkKey(key)
        checkConditions(putOptions)
      } catch (error) {
        await body[Symbol.asyncIterator]()
          .return?.()
          .catch(() => undefined)
        throw error
      }
      try {
        return await uploads.upload(key, body, putOptions)
      } catch (error) {
        if (has('failed put leaves its bytes')) {
          await call({ method: 'PUT', path: pathOf(key), doing: `store ${key}`, body: new Uint8Array(3), signal: undefined }, key)
        }
        throw error
      }
    },
    async delete(keys, callOptions) {
      for (const key of keys) {
        checkKey(key)
        await call({ method: 'DELETE', path: pathOf(key), doing: `delete ${key}`, signal: callOptions?.signal }, key)
      }
      throwIfAborted(callOptions?.signal)
    },
    async *list(prefix, listOptions) {
      throwIfAborted(listOptions?.signal)
      for await (const info of list(prefix, listOptions)) {
        if (listOptions?.oneLevel !== true || !info.key.includes('/', prefix.length)) yield info
      }
    },
    async *listGroups(prefix, callOptions) {
      throwIfAborted(callOptions?.signal)
      let last: string | undefined
      for await (const { key } of list(prefix, callOptions)) {
        const slash = key.indexOf('/', prefix.length)
        const group = slash < 0 ? undefined : key.slice(0, slash + 1)
        if (group !== undefined && group !== last) yield group
        last = group ?? last
      }
      if (callOptions?.signal?.aborted === true) throw abortedFault(callOptions.signal)
    },
    async copy(_from, to, callOptions) {
      throwIfAborted(callOptions?.signal)
      throw copyUnsupportedFault({ doing: `copy to ${to}`, location })
    },
    async [Symbol.asyncDispose]() {
      if (!has('keeps connections')) agent.destroy()
    },
  }
}

async function* empty(): AsyncGenerator<Uint8Array> {}
