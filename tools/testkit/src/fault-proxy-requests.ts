import { STATUS_CODES } from 'node:http'
import type { NetworkFault } from '@waltz/storage/conformance'

/** An answer that is given in the server's place. */
export type MadeUpAnswer = Extract<NetworkFault, { readonly kind: 'answer' }>

/** What is to be done with bytes of a client, in order. */
export type RequestAction =
  | { readonly kind: 'forward'; readonly bytes: Buffer }
  /** `last`: the connection ends with it. */
  | { readonly kind: 'answer'; readonly bytes: Buffer; readonly last: boolean }

/** Follows the requests of one connection. */
export interface RequestWatch {
  /** Takes the next bytes of the client. Heads are held until they are whole; everything else is passed on at once. */
  feed(bytes: Buffer): readonly RequestAction[]
}

const LONGEST_HEAD = 131_072
const HEAD_END = Buffer.from('\r\n\r\n')

/** How far the current request has come. */
type Stage =
  | { readonly kind: 'head'; held: Buffer }
  | { readonly kind: 'body'; left: number }
  | { readonly kind: 'chunk-size'; line: string }
  | { readonly kind: 'chunk'; left: number }
  | { readonly kind: 'trailer'; line: string }
  /** No HTTP, or no longer: everything passes. */
  | { readonly kind: 'opaque' }
  /** The last answer was given: nothing passes. */
  | { readonly kind: 'closed' }

/**
 * Reads HTTP/1.1 requests from the bytes of a client: keep-alive, bodies by length or in chunks, `Expect: 100-continue`. `choose` is asked
 * for each request line; what it gives is answered once the body is in, or at once where the client waits for leave to send it (and the
 * connection ends then). Whatever does not begin like a request is passed on unread. Pipelined requests are not kept in order.
 */
export function watchRequests(choose: (requestLine: string) => MadeUpAnswer | undefined): RequestWatch {
  let stage: Stage = { kind: 'head', held: Buffer.alloc(0) }
  /** Given to the request at hand; undefined: the server's own. */
  let answer: MadeUpAnswer | undefined
  let bodiless = false

  const finished = (actions: RequestAction[]): void => {
    if (answer !== undefined) actions.push(answerAction(answer, bodiless, false))
    stage = answer !== undefined && closes(answer) ? { kind: 'closed' } : { kind: 'head', held: Buffer.alloc(0) }
  }
  const pass = (actions: RequestAction[], bytes: Buffer): void => {
    if (answer === undefined && bytes.length > 0) actions.push({ kind: 'forward', bytes })
  }

  /** Takes as much of `bytes` as belongs to the stage; returns how many. */
  const takeHead = (held: Buffer, bytes: Buffer, actions: RequestAction[]): number => {
    const all = held.length === 0 ? bytes : Buffer.concat([held, bytes])
    const end = all.indexOf(HEAD_END)
    if (!beginsLikeRequest(all) || (end < 0 && all.length > LONGEST_HEAD)) return giveUp(all, bytes, actions)
    if (end < 0) {
      stage = { kind: 'head', held: Buffer.from(all) }
      return bytes.length
    }
    const head = all.subarray(0, end + HEAD_END.length)
    const [line = '', ...fields] = head.toString('latin1', 0, end).split('\r\n')
    if (!/^[A-Z]+ \S+ HTTP\/1\.[01]$/.test(line)) return giveUp(all, bytes, actions)
    answer = choose(line)
    bodiless = line.startsWith('HEAD ')
    pass(actions, head)
    begin(
      fields.map((field) => field.toLowerCase()),
      actions,
    )
    return head.length - held.length
  }
  const giveUp = (all: Buffer, bytes: Buffer, actions: RequestAction[]): number => {
    answer = undefined
    pass(actions, all)
    stage = { kind: 'opaque' }
    return bytes.length
  }
  const begin = (fields: readonly string[], actions: RequestAction[]): void => {
    const field = (name: string): string | undefined =>
      fields
        .find((item) => item.startsWith(`${name}:`))
        ?.slice(name.length + 1)
        .trim()
    const length = Number(field('content-length') ?? 0)
    if (answer !== undefined && field('expect') === '100-continue') {
      actions.push(answerAction(answer, bodiless, true))
      stage = { kind: 'closed' }
    } else if (answer === undefined && field('upgrade') !== undefined) stage = { kind: 'opaque' }
    else if (field('transfer-encoding')?.endsWith('chunked') === true) stage = { kind: 'chunk-size', line: '' }
    else if (length > 0) stage = { kind: 'body', left: length }
    else finished(actions)
  }
  /** A line of the chunked framing, one byte after the other: these are few. */
  const takeLine = (at: Extract<Stage, { kind: 'chunk-size' | 'trailer' }>, bytes: Buffer, actions: RequestAction[]): number => {
    const end = bytes.indexOf(10)
    const taken = end < 0 ? bytes.length : end + 1
    at.line += bytes.toString('latin1', 0, taken)
    pass(actions, bytes.subarray(0, taken))
    if (end < 0) return taken
    const line = at.line.trim()
    if (at.kind === 'trailer') {
      if (line === '') finished(actions)
      else stage = { kind: 'trailer', line: '' }
    } else {
      const size = Number.parseInt(line, 16)
      stage = size > 0 ? { kind: 'chunk', left: size + 2 } : { kind: 'trailer', line: '' }
    }
    return taken
  }
  const takeCounted = (at: Extract<Stage, { kind: 'body' | 'chunk' }>, bytes: Buffer, actions: RequestAction[]): number => {
    const taken = Math.min(at.left, bytes.length)
    at.left -= taken
    pass(actions, bytes.subarray(0, taken))
    if (at.left > 0) return taken
    if (at.kind === 'chunk') stage = { kind: 'chunk-size', line: '' }
    else finished(actions)
    return taken
  }
  const take = (bytes: Buffer, actions: RequestAction[]): number => {
    switch (stage.kind) {
      case 'head':
        return takeHead(stage.held, bytes, actions)
      case 'body':
      case 'chunk':
        return takeCounted(stage, bytes, actions)
      case 'chunk-size':
      case 'trailer':
        return takeLine(stage, bytes, actions)
      case 'opaque':
        actions.push({ kind: 'forward', bytes })
        return bytes.length
      case 'closed':
        return bytes.length
    }
  }
  return {
    feed(bytes) {
      const actions: RequestAction[] = []
      for (let rest = bytes; rest.length > 0;) rest = rest.subarray(take(rest, actions))
      return actions
    },
  }
}

function beginsLikeRequest(bytes: Buffer): boolean {
  return /^[A-Z]{1,16}(?: |$)/.test(bytes.toString('latin1', 0, 17))
}

function closes({ headers = {} }: MadeUpAnswer): boolean {
  return Object.entries(headers).some(([name, value]) => name.toLowerCase() === 'connection' && value.toLowerCase() === 'close')
}

function answerAction(answer: MadeUpAnswer, bodiless: boolean, last: boolean): RequestAction {
  const { status, headers = {}, body = '' } = answer
  const names = new Set(Object.keys(headers).map((name) => name.toLowerCase()))
  const framed = names.has('content-length') || names.has('transfer-encoding')
  const fields = [
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ...(framed ? [] : [`content-length: ${Buffer.byteLength(body)}`]),
    ...(last && !names.has('connection') ? ['connection: close'] : []),
  ]
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\n${fields.join('\r\n')}\r\n\r\n`
  return { kind: 'answer', bytes: Buffer.from(bodiless ? head : head + body), last: last || closes(answer) }
}
