import type { EngineSurroundings, SessionAnswer, SessionCall } from '../engine.ts'
import { readText } from '../read-text.ts'
import { sendToApi } from './api-request.ts'

/** Bytes for a resumable upload, or a question to it (Cloud Storage documentation, "Performing resumable uploads"). */
export async function putToSession(
  around: EngineSurroundings,
  keyHeaders: Readonly<Record<string, string>>,
  call: SessionCall,
): Promise<SessionAnswer> {
  const { session, from, body, end, crc32c, doing, signal } = call
  const span = from === undefined || body.length === 0 ? '*' : `${from}-${from + body.length - 1}`
  const answer = await sendToApi(around, {
    method: 'PUT',
    // On the endpoint of the store, wherever the server believes to be: credentials go nowhere else.
    path: session.pathname + session.search,
    headers: {
      ...keyHeaders,
      // Then the server compares before anything is visible.
      ...(crc32c === undefined ? {} : { 'x-goog-hash': `crc32c=${crc32c}` }),
      'content-range': `bytes ${span}/${end ?? '*'}`,
    },
    body: body.length === 0 ? [] : [body],
    doing,
    signal,
    alsoFine: [308, 404, 410, 412],
  })
  return { status: answer.status, headers: answer.headers, resource: parsed(await readText(answer)) }
}

/** Only a success has a description; nonsense in its place is refused for what is missing. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}
