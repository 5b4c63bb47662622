import type { IncomingMessage, ServerResponse } from 'node:http'

/** An answer of the fake that is no success, in the form of the JSON API. */
export class GcsRefusal extends Error {
  readonly status: number
  readonly reason: string
  constructor(status: number, reason: string, message: string) {
    super(message)
    this.status = status
    this.reason = reason
  }
}

/** One request to the fake. */
export interface FakeRequest {
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
  readonly method: string
  readonly url: URL
}

/** Answers with JSON, cut to the `fields` that were asked for. */
export function answerJson({ outgoing, url }: FakeRequest, value: Record<string, unknown>): void {
  const fields = url.searchParams.get('fields')
  const shown = fields === null ? value : selectFields(value, fields)
  outgoing.writeHead(200, { 'content-type': 'application/json; charset=UTF-8' })
  outgoing.end(JSON.stringify(shown))
}

/** Answers as the JSON API refuses. */
export function answerRefusal({ outgoing }: FakeRequest, { status, reason, message }: GcsRefusal): void {
  if (outgoing.headersSent) return void outgoing.destroy()
  outgoing.writeHead(status, { 'content-type': 'application/json; charset=UTF-8' })
  outgoing.end(JSON.stringify({ error: { code: status, message, errors: [{ message, domain: 'global', reason }] } }))
}

/** The whole body of a request. */
export async function readBody(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** `a,b,items(c,d)`: one level of parentheses is enough here. */
function selectFields(value: Record<string, unknown>, fields: string): Record<string, unknown> {
  const selected: Record<string, unknown> = {}
  for (const [, name = '', inner] of fields.matchAll(/([^,()]+)(?:\(([^)]*)\))?/g)) {
    const found = value[name]
    if (found === undefined) continue
    selected[name] =
      inner === undefined || !Array.isArray(found) ? found : found.map((item: Record<string, unknown>) => selectFields(item, inner))
  }
  return selected
}
