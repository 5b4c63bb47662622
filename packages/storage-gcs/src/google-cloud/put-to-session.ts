import type { SessionAnswer, SessionCall } from '../engine.ts'
import type { RunClient } from './client.ts'
import { writeAll } from './write-all.ts'

/** Answers of a session that the store understands itself. */
const FINE = [308, 404, 410, 412]

/**
 * Bytes by the client's resumable upload, one piece at a time, each with a stream of its own: so one piece is sent again and not all of them, and the
 * client, which holds a piece until it is stored, holds no more than that. Questions by a plain request.
 */
export async function putToSession(run: RunClient, endpoint: string, call: SessionCall): Promise<SessionAnswer> {
  const { key, session, from, body, end, crc32c, contentType, doing, signal } = call
  // On the endpoint of the store, wherever the server believes to be: credentials go nowhere else.
  const uri = endpoint + session.pathname + session.search
  // Then the server compares before anything is visible.
  const headers: Record<string, string> = crc32c === undefined ? {} : { 'x-goog-hash': `crc32c=${crc32c}` }
  const about = { doing, signal, alsoFine: FINE, headers }
  if (from === undefined || body.length === 0) {
    const range = { 'content-range': `bytes */${end ?? '*'}` }
    const { value, ...answer } = await run(about, ({ request }) => request({ method: 'PUT', uri, headers: range }))
    return { ...answer, resource: value }
  }
  const { value, ...answer } = await run(about, async ({ file: fileOf }) => {
    const file = fileOf(key)
    const stream = file.createWriteStream({
      uri,
      offset: from,
      chunkSize: body.length,
      isPartialUpload: end === undefined,
      resumable: true,
      validation: false,
      metadata: { contentType },
    })
    await writeAll(stream, body, signal)
    return file.metadata
  })
  return { ...answer, resource: value }
}
