import { setTimeout as wait } from 'node:timers/promises'
import { abortedFault, isFault, throwIfAborted, type Fault } from '@waltz/errors'
import { serviceAnswerFault, serviceUnreachableFault } from './service-faults.ts'

/** How services are called over HTTP. */
export interface ServiceCallOptions {
  /** Defaults to the runtime's own. */
  readonly fetch?: typeof fetch
  readonly now: () => Date
  /** Stops every call when it fires. */
  readonly signal?: AbortSignal
  /** How long one request may take, in milliseconds. Default: 10 000. */
  readonly timeoutMs?: number
  /** How often a call is made when the service fails or cannot be reached. Default: 3. */
  readonly attempts?: number
  /** Waits between attempts; rejects when the signal fires. Default: the runtime's timers. */
  readonly sleep?: (ms: number, signal?: AbortSignal) => Promise<void>
}

/** One request whose answer is a JSON document. */
export interface ServiceRequest {
  readonly service: string
  /** As in "could not <doing>". */
  readonly doing: string
  readonly url: string
  readonly method: 'GET' | 'POST'
  readonly headers: Readonly<Record<string, string>>
  /** Sent as JSON. */
  readonly body?: unknown
  /** The fault for an answer that is no success; `text` is the `message` of the document, or its beginning. */
  refused(answer: RefusedAnswer): Fault
}

/** An answer that is no success. */
export interface RefusedAnswer {
  readonly status: number
  /** The gRPC code in the document; 0 where there is none. */
  readonly code: number
  readonly message: string
  readonly requestId: string | undefined
}

const DEFAULT_TIMEOUT_MS = 10_000
const DEFAULT_ATTEMPTS = 3
const FIRST_WAIT_MS = 250
/** Answers of key services are tiny. */
const MAX_ANSWER_BYTES = 1_048_576

/**
 * Asks a service, again when it fails, and returns the document of its answer.
 * @throws Fault `unavailable` `CRYPTO_SERVICE_UNREACHABLE` or `CRYPTO_SERVICE_ANSWER`, `aborted`, and what `refused` makes.
 */
export async function askService(request: ServiceRequest, options: ServiceCallOptions): Promise<Readonly<Record<string, unknown>>> {
  const attempts = options.attempts ?? DEFAULT_ATTEMPTS
  for (let attempt = 1; ; attempt++) {
    try {
      return await askOnce(request, options)
    } catch (error) {
      if (!isFault(error) || !error.retryable || attempt >= attempts) throw error
    }
    await pause(FIRST_WAIT_MS * 2 ** (attempt - 1), options)
  }
}

async function pause(ms: number, { sleep, signal }: ServiceCallOptions): Promise<void> {
  try {
    if (sleep !== undefined) await sleep(ms, signal)
    else await wait(ms, undefined, signal === undefined ? {} : { signal })
  } catch (error) {
    throwIfAborted(signal)
    throw error
  }
}

async function askOnce(request: ServiceRequest, options: ServiceCallOptions): Promise<Readonly<Record<string, unknown>>> {
  const { status, requestId, text } = await exchange(request, options)
  const document = parsed(text)
  if (status >= 200 && status < 300) {
    if (document !== undefined) return document
    throw serviceAnswerFault({ service: request.service, doing: request.doing, status, words: 'its answer is not a JSON document' })
  }
  const code = document?.['code']
  const message = document?.['message']
  throw request.refused({
    status,
    code: typeof code === 'number' ? code : 0,
    message: typeof message === 'string' ? message : '',
    requestId,
  })
}

interface RawAnswer {
  readonly status: number
  readonly requestId: string | undefined
  readonly text: string
}

/** Sends a request and takes the whole answer, whatever it says. */
async function exchange(
  request: ServiceRequest,
  { signal, timeoutMs = DEFAULT_TIMEOUT_MS, ...options }: ServiceCallOptions,
): Promise<RawAnswer> {
  throwIfAborted(signal)
  const timeout = AbortSignal.timeout(timeoutMs)
  const content = request.body === undefined ? {} : { body: JSON.stringify(request.body) }
  try {
    const answer = await (options.fetch ?? fetch)(request.url, {
      method: request.method,
      headers: { ...request.headers, ...(request.body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...content,
      redirect: 'error',
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    })
    return { status: answer.status, requestId: answer.headers.get('x-request-id') ?? undefined, text: await shortText(answer) }
  } catch (error) {
    if (signal?.aborted === true) throw abortedFault(signal)
    throw serviceUnreachableFault({
      service: request.service,
      doing: request.doing,
      words: timeout.aborted ? 'no answer within the time allowed' : networkWords(error),
    })
  }
}

async function shortText(answer: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of answer.body ?? []) {
    length += (chunk as Uint8Array).length
    if (length > MAX_ANSWER_BYTES) throw new Error('the answer is too long')
    chunks.push(chunk as Uint8Array)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const document: unknown = JSON.parse(text)
    return typeof document === 'object' && document !== null && !Array.isArray(document)
      ? (document as Readonly<Record<string, unknown>>)
      : undefined
  } catch {
    return undefined
  }
}

/** The code of the innermost error that has one: messages of `fetch` say next to nothing, and could repeat a URL. */
function networkWords(error: unknown): string {
  let code: string | undefined
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const own = (at as { readonly code?: unknown }).code
    if (typeof own === 'string') code = own
  }
  return code === undefined ? 'the connection failed' : `the connection failed (${code})`
}
