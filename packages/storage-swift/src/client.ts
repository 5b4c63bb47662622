import type { Login } from './catalogue.ts'
import { answerFault, type ReadAnswer, type SwiftCall } from './errors.ts'
import { dropAnswer, open, readAnswer, type OpenAnswer, type Outgoing, type Surroundings } from './exchange.ts'
import type { RequestBody } from './send-body.ts'
import type { Session } from './session.ts'
import type { Transport } from './transport.ts'

/** One request to the storage. */
export interface SwiftRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE'
  /** Below the storage URL, from `pathOf`; '' is the account. */
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  /** Makes the body, again for each sending; undefined once that is not possible any more. */
  readonly body?: () => RequestBody | undefined
  /** Statuses that are no failure. */
  readonly accept: readonly number[]
  readonly doing: string
  readonly signal: AbortSignal | undefined
  readonly patience?: number
}

/** The storage, spoken to with a token that is renewed when it was refused. */
export interface SwiftClient {
  /** An answer of an accepted status, its body unread. */
  open(request: SwiftRequest): Promise<OpenAnswer>
  /** An answer of an accepted status. */
  call(request: SwiftRequest): Promise<ReadAnswer>
  /** What the server says about itself (`/info`); undefined where it does not. Asked once. */
  info(signal: AbortSignal | undefined): Promise<Readonly<Record<string, unknown>> | undefined>
  readonly around: Surroundings
}

/** The path of a container or an object, as requests and some headers write it. */
export function pathOf(container: string, key?: string): string {
  return `/${encodeURIComponent(container)}${key === undefined ? '' : `/${key.split('/').map(encodeURIComponent).join('/')}`}`
}

/** What sends a request of a login; undefined: the store's own transport. */
export type ChooseTransport = (request: SwiftRequest, login: Login) => Pick<Transport, 'send'> | undefined

/** Joins a session with the requests. */
export function createSwiftClient(around: Surroundings, session: Session, choose?: ChooseTransport): SwiftClient {
  const send = (request: SwiftRequest, login: Login): Promise<OpenAnswer> => {
    const body = request.body?.()
    const out: Outgoing = {
      method: request.method,
      url: urlOf(login, request),
      headers: { ...request.headers, 'x-auth-token': login.token },
      doing: request.doing,
      signal: request.signal,
      ...(body === undefined ? {} : { body }),
      ...(request.patience === undefined ? {} : { patience: request.patience }),
    }
    return open({ ...around, transport: choose?.(request, login) ?? around.transport }, out)
  }

  const openAccepted = async (request: SwiftRequest): Promise<OpenAnswer> => {
    const login = await session.current(request.signal)
    const answer = await send(request, login)
    if (answer.status !== 401) return accepted(around, request, answer)
    const refused = await readAnswer(answer)
    const fresh = await session.renewed(login, request.signal)
    const sendable = request.body === undefined || request.body() !== undefined
    if (fresh === undefined || !sendable) throw answerFault(refused, callOf(around, request), around.now)
    return accepted(around, request, await send(request, fresh))
  }

  let info: Promise<Readonly<Record<string, unknown>> | undefined> | undefined
  return {
    around,
    open: openAccepted,
    call: async (request) => readAnswer(await openAccepted(request)),
    async info(signal) {
      const login = await session.current(signal)
      info ??= askInfo(around, login, signal)
      info.catch(() => (info = undefined)) // asked again next time
      return info
    },
  }
}

async function accepted(around: Surroundings, request: SwiftRequest, answer: OpenAnswer): Promise<OpenAnswer> {
  if (request.accept.includes(answer.status)) return answer
  // What it says makes the message better; that it cannot be read changes nothing.
  const read = await readAnswer(answer).catch(() => ({ status: answer.status, headers: answer.message.headers, text: '' }))
  throw answerFault(read, callOf(around, request), around.now)
}

function callOf({ location }: Surroundings, { doing }: SwiftRequest): SwiftCall {
  return { doing, location }
}

function urlOf({ storageUrl }: Login, { path, query = {} }: SwiftRequest): URL {
  const url = new URL(`${storageUrl}${path}`)
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
  return url
}

/** It lies beside the version in the storage URL: `/v1/AUTH_x` and `/info`, `/swift/v1` and `/swift/info`. */
async function askInfo(
  around: Surroundings,
  { storageUrl }: Login,
  signal: AbortSignal | undefined,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const url = new URL(storageUrl)
  url.pathname = url.pathname.replace(/\/v1(?:\.0)?(?:\/.*)?$/, '') + '/info'
  const answer = await open(around, { method: 'GET', url, doing: 'question for the abilities of the server', signal })
  if (answer.status !== 200) {
    dropAnswer(answer)
    // Some hide it: then they are taken for servers without any of it.
    return undefined
  }
  try {
    return JSON.parse((await readAnswer(answer)).text) as Readonly<Record<string, unknown>>
  } catch {
    return undefined // a page of something in between: as if it were hidden
  }
}
