import { randomUUID } from 'node:crypto'
import { answerJson, GcsRefusal, readBody, type FakeRequest } from './gcs-fake-answers.ts'
import { resourceOf, type FakeBucket, type FakeDescription, type FakeVersion } from './gcs-fake-bucket.ts'

/** One session of a resumable upload. */
interface Session {
  readonly bucket: FakeBucket
  readonly name: string
  readonly description: FakeDescription
  readonly keySha256: string | undefined
  readonly ifGenerationMatch: string | null
  /** What is kept so far. */
  bytes: Buffer[]
  length: number
  /** The request that speaks for the session: a newer one takes over, and what an older one still gives is dropped. */
  turn: number
  stored?: FakeVersion
}

/** The upload side of the fake. */
export interface FakeUploads {
  /** Sessions, for names that begin so, that were begun and neither completed nor ended. */
  open(prefix?: string): number
  /** Keeps at most so many bytes of each piece of a session, as the real one may. */
  keepAtMost: number
  answer(request: FakeRequest, bucket: FakeBucket, keySha256: string | undefined): Promise<void>
}

/** Pieces of a session are kept in multiples of so many bytes. */
const STEP_BYTES = 262_144

/** Single-request ("multipart", "media") and resumable uploads. */
export function createFakeUploads(): FakeUploads {
  const sessions = new Map<string, Session>()
  const uploads: FakeUploads = {
    open: (prefix = '') => [...sessions.values()].filter(({ name, stored }) => name.startsWith(prefix) && stored === undefined).length,
    keepAtMost: Number.POSITIVE_INFINITY,
    async answer(request, bucket, keySha256) {
      const { method, url, outgoing, incoming } = request
      const id = url.searchParams.get('upload_id')
      if (id !== null) {
        const session = sessions.get(id)
        if (session === undefined) throw new GcsRefusal(410, 'gone', 'The upload session is gone.')
        if (method === 'DELETE') {
          sessions.delete(id)
          outgoing.writeHead(499).end()
          return
        }
        return await continueSession(request, session, { id, sessions, keepAtMost: uploads.keepAtMost })
      }
      if (method !== 'POST') throw new GcsRefusal(405, 'methodNotAllowed', 'Method not allowed')
      if (url.searchParams.get('uploadType') !== 'resumable') {
        const { description, bytes } = await singleRequest(request)
        const name = url.searchParams.get('name') ?? description.name ?? ''
        const ifGenerationMatch = url.searchParams.get('ifGenerationMatch')
        return answerJson(request, resourceOf(bucket, bucket.write({ name, bytes, description, keySha256, ifGenerationMatch }), true))
      }
      const session = await beginSession(request, bucket, keySha256)
      const newId = randomUUID()
      sessions.set(newId, session)
      const location = `http://${incoming.headers.host}${url.pathname}?uploadType=resumable&upload_id=${newId}`
      outgoing.writeHead(200, { location, 'x-guploader-uploadid': newId }).end()
    },
  }
  return uploads
}

type NamedDescription = FakeDescription & { readonly name?: string }

async function singleRequest({ incoming, url }: FakeRequest): Promise<{ readonly description: NamedDescription; readonly bytes: Buffer }> {
  const body = await readBody(incoming)
  const type = incoming.headers['content-type'] ?? ''
  if (url.searchParams.get('uploadType') === 'media') return { description: { contentType: type }, bytes: body }
  const boundary = /boundary="?([^";]+)"?/.exec(type)?.[1]
  if (boundary === undefined) throw new GcsRefusal(400, 'badRequest', 'Missing multipart boundary')
  const [first, second] = multipartBodies(body, boundary)
  if (first === undefined || second === undefined) throw new GcsRefusal(400, 'badRequest', 'Malformed multipart body.')
  const description = parseDescription(first.content.toString())
  const { contentType = /content-type: *([^\r\n]+)/i.exec(second.head)?.[1] ?? 'application/octet-stream' } = description
  return { description: { ...description, contentType }, bytes: second.content }
}

function multipartBodies(body: Buffer, boundary: string): { readonly head: string; readonly content: Buffer }[] {
  const found: { readonly head: string; readonly content: Buffer }[] = []
  const mark = Buffer.from(`--${boundary}`)
  let start = body.indexOf(mark)
  while (start >= 0) {
    const next = body.indexOf(Buffer.from(`\r\n--${boundary}`), start)
    if (next < 0) break
    const headEnd = body.indexOf('\r\n\r\n', start)
    if (headEnd < 0 || headEnd > next) break
    found.push({ head: body.toString('latin1', start + mark.length, headEnd), content: Buffer.from(body.subarray(headEnd + 4, next)) })
    start = next + 2
  }
  return found
}

function parseDescription(text: string): NamedDescription {
  try {
    return text === '' ? {} : (JSON.parse(text) as NamedDescription)
  } catch {
    throw new GcsRefusal(400, 'parseError', 'Parse Error')
  }
}

async function beginSession({ incoming, url }: FakeRequest, bucket: FakeBucket, keySha256: string | undefined): Promise<Session> {
  const given = parseDescription((await readBody(incoming)).toString())
  const contentType = incoming.headers['x-upload-content-type']
  const description = { ...given, ...(typeof contentType === 'string' ? { contentType } : {}) }
  const name = url.searchParams.get('name') ?? given.name ?? ''
  const ifGenerationMatch = url.searchParams.get('ifGenerationMatch')
  bucket.checkGeneration(name, ifGenerationMatch)
  return { bucket, name, description, keySha256, ifGenerationMatch, bytes: [], length: 0, turn: 0 }
}

interface Sessions {
  readonly id: string
  readonly sessions: Map<string, Session>
  readonly keepAtMost: number
}

/** `bytes 0-99/100`, `bytes 0-99/*`, `bytes 0-*` + `/*` (to the end of this request), `bytes *` + `/100` (a question, or the end). */
const CONTENT_RANGE = /^bytes (?:(?<first>\d+)-(?<last>\d+|\*)|\*)\/(?<total>\d+|\*)$/

async function continueSession(request: FakeRequest, session: Session, around: Sessions): Promise<void> {
  const { incoming } = request
  const range = incoming.headers['content-range']
  const { first, last, total } = CONTENT_RANGE.exec(range ?? 'bytes 0-*/*')?.groups ?? {}
  if (total === undefined) throw new GcsRefusal(400, 'invalid', `Failed to parse Content-Range header: ${range}`)
  if (session.stored !== undefined) {
    await readBody(incoming)
    return answerJson(request, resourceOf(session.bucket, session.stored, true))
  }
  session.turn += 1
  cutToStep(session)
  const final = total !== '*' || last === '*'
  if (first !== undefined && Number(first) > session.length) throw new GcsRefusal(400, 'invalid', 'There is a gap before this piece.')
  if (first !== undefined) await takeBytes(request, session, { first: Number(first), final, keepAtMost: around.keepAtMost })
  const complete = final && (total === '*' ? around.keepAtMost === Number.POSITIVE_INFINITY : session.length === Number(total))
  if (complete) return finish(request, session, around)
  request.outgoing.writeHead(308, session.length === 0 ? {} : { range: `bytes=0-${session.length - 1}` }).end()
}

/** Keeps what arrives, also of a request that breaks off in the middle. */
async function takeBytes(
  { incoming }: FakeRequest,
  session: Session,
  { first, final, keepAtMost }: { readonly first: number; readonly final: boolean; readonly keepAtMost: number },
): Promise<void> {
  let skip = session.length - first
  let left = keepAtMost
  const { turn } = session
  const keep = (chunk: Buffer): void => {
    if (session.turn !== turn) throw new Error('a newer request has taken over')
    const fresh = chunk.subarray(Math.min(skip, chunk.length))
    skip -= chunk.length - fresh.length
    const kept = fresh.subarray(0, left)
    left -= kept.length
    session.bytes.push(kept)
    session.length += kept.length
  }
  let whole = false
  try {
    for await (const chunk of incoming as AsyncIterable<Buffer>) keep(chunk)
    whole = incoming.complete
  } finally {
    if (session.turn === turn && (!whole || !final || left === 0)) cutToStep(session)
  }
}

function cutToStep(session: Session): void {
  const bytes = Buffer.concat(session.bytes)
  session.bytes = [bytes.subarray(0, bytes.length - (bytes.length % STEP_BYTES))]
  session.length = session.bytes[0]?.length ?? 0
}

function finish(request: FakeRequest, session: Session, { id, sessions }: Sessions): void {
  const { bucket, name, description, keySha256, ifGenerationMatch } = session
  const hashes = String(request.incoming.headers['x-goog-hash'] ?? '')
  const [, crc32c] = /crc32c=([^,]+)/.exec(hashes) ?? []
  const [, md5Hash] = /md5=([^,]+)/.exec(hashes) ?? []
  try {
    const sums = { ...(crc32c === undefined ? {} : { crc32c }), ...(md5Hash === undefined ? {} : { md5Hash }) }
    const bytes = Buffer.concat(session.bytes)
    session.stored = bucket.write({ name, bytes, description: { ...description, ...sums }, keySha256, ifGenerationMatch })
    session.bytes = []
  } catch (error) {
    sessions.delete(id)
    throw error
  }
  answerJson(request, resourceOf(bucket, session.stored, true))
}
