import { createHash } from 'node:crypto'
import { requestRefusedFault, serverFailedFault } from '@waltz/storage'
import type { ComposeCall, Engine, EngineCall, EngineSurroundings, MediaCall, RemoveCall, WriteCall, Written } from '../engine.ts'
import { readText } from '../read-text.ts'
import { RESOURCE_FIELDS } from '../resource.ts'
import { askApi, parseAnswer, sendToApi } from './api-request.ts'
import { putToSession } from './put-to-session.ts'

/** The JSON API by our own requests. No I/O. */
export function createRequestsEngine(around: EngineSurroundings): Engine {
  const { bucket } = around
  const base = `/storage/v1/b/${encodeURIComponent(bucket.name)}/o`
  const pathOf = (key: string): string => `${base}/${encodeURIComponent(key)}`
  const paths: Paths = { base, pathOf, keyHeaders: keyHeaders(bucket.options.encryptionKey) }
  return {
    describe: (call) =>
      askApi(around, { ...call, method: 'GET', path: pathOf(call.key), query: { fields: RESOURCE_FIELDS }, headers: paths.keyHeaders }),
    openMedia: (call) => openMedia(around, paths, call),
    listPage: ({ versions, ...query }, call) =>
      askApi(around, { ...call, method: 'GET', path: base, query: { ...query, versions: versions === true ? 'true' : undefined } }),
    remove: (call) => remove(around, paths, call),
    rewrite: (call) => rewrite(around, paths, call),
    storeWhole: (call) => storeWhole(around, paths, call),
    beginSession: (call) => beginSession(around, paths, call),
    putToSession: (call) => putToSession(around, paths.keyHeaders, call),
    async endSession({ session, doing }) {
      const path = session.pathname + session.search
      // 499: ended by this very request; 404 and 410: there is none (any more).
      await readText(await sendToApi(around, { method: 'DELETE', path, doing, signal: undefined, alsoFine: [404, 410, 499] }))
    },
    compose: (call) => compose(around, paths, call),
  }
}

interface Paths {
  /** Of the listing, and what objects lie below. */
  readonly base: string
  /** Of one object. */
  readonly pathOf: (key: string) => string
  readonly keyHeaders: Readonly<Record<string, string>>
}

const JSON_BODY = { 'content-type': 'application/json; charset=UTF-8' }

async function openMedia(
  around: EngineSurroundings,
  { pathOf, keyHeaders: secret }: Paths,
  call: MediaCall,
): ReturnType<Engine['openMedia']> {
  const { range, generation, packed, ...about } = call
  const whole = range.start === 0 && range.end === undefined
  return await sendToApi(around, {
    ...about,
    method: 'GET',
    path: pathOf(call.key),
    query: { alt: 'media', generation },
    headers: {
      ...secret,
      ...(whole ? {} : { range: `bytes=${range.start}-${range.end === undefined ? '' : range.end - 1}` }),
      // Without it the store unpacks what is marked as packed.
      ...(packed ? { 'accept-encoding': 'gzip' } : {}),
    },
    alsoFine: [416],
  })
}

async function remove(around: EngineSurroundings, { pathOf }: Paths, call: RemoveCall): Promise<boolean> {
  const { generation, ifGeneration, ...about } = call
  const query = { generation, ifGenerationMatch: ifGeneration }
  const alsoFine = ifGeneration === undefined ? [] : [412]
  const answer = await sendToApi(around, { ...about, method: 'DELETE', path: pathOf(call.key), query, alsoFine })
  await readText(answer)
  return answer.status < 300
}

async function rewrite(around: EngineSurroundings, paths: Paths, call: EngineCall & { readonly to: string }): Promise<void> {
  const { to, ...about } = call
  const { location, options } = around.bucket
  const path = `${paths.pathOf(call.key)}/rewriteTo${paths.pathOf(to).slice('/storage/v1'.length)}`
  const headers = { ...keyHeaders(options.encryptionKey, 'copy'), ...paths.keyHeaders }
  let rewriteToken: string | undefined
  for (;;) {
    const value = await askApi(around, { ...about, method: 'POST', path, query: { rewriteToken, fields: 'done,rewriteToken' }, headers })
    const { done, rewriteToken: token } = (value ?? {}) as Record<string, unknown>
    if (done === true) return
    if (typeof token !== 'string' || token === '')
      throw serverFailedFault({ doing: call.doing, location, answer: 'neither done nor to be continued' })
    rewriteToken = token
  }
}

/** Bytes that no JSON holds: a boundary needs to differ from the content only where lines begin, and its length is sent along. */
const BOUNDARY_DIGITS = 40

/** Description and bytes in one request ("multipart upload"). */
async function storeWhole(
  around: EngineSurroundings,
  { base, keyHeaders: secret }: Paths,
  call: WriteCall & { readonly body: Uint8Array },
): Promise<Written<unknown>> {
  const { description, ifGeneration, body, ...about } = call
  const boundary = `waltz-${around.bucket.options.randomHex(BOUNDARY_DIGITS)}`
  const head =
    `--${boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n${JSON.stringify(description)}\r\n` +
    `--${boundary}\r\nContent-Type: ${description.contentType}\r\n\r\n`
  const answer = await sendToApi(around, {
    ...about,
    method: 'POST',
    path: `/upload${base}`,
    query: { uploadType: 'multipart', name: call.key, ifGenerationMatch: ifGeneration, fields: RESOURCE_FIELDS },
    headers: { ...secret, 'content-type': `multipart/related; boundary=${boundary}` },
    body: [Buffer.from(head), body, Buffer.from(`\r\n--${boundary}--\r\n`)],
    alsoFine: [412],
  })
  const text = await readText(answer)
  return { written: answer.status === 412 ? undefined : parseAnswer(around, call, text) }
}

async function beginSession(
  around: EngineSurroundings,
  { base, keyHeaders: secret }: Paths,
  call: WriteCall & { readonly size: number | undefined },
): Promise<Written<URL>> {
  const { description, ifGeneration, size, ...about } = call
  const answer = await sendToApi(around, {
    ...about,
    method: 'POST',
    path: `/upload${base}`,
    query: { uploadType: 'resumable', name: call.key, ifGenerationMatch: ifGeneration, fields: RESOURCE_FIELDS },
    headers: {
      ...secret,
      ...JSON_BODY,
      'x-upload-content-type': description.contentType,
      ...(size === undefined ? {} : { 'x-upload-content-length': String(size) }),
    },
    body: [Buffer.from(JSON.stringify(description))],
    alsoFine: [412],
  })
  await readText(answer)
  if (answer.status === 412) return { written: undefined }
  const place = URL.parse(answer.headers.location ?? '')
  if (place !== null) return { written: place }
  throw requestRefusedFault({ doing: call.doing, location: around.bucket.location, answer: 'the answer names no upload session' })
}

async function compose(around: EngineSurroundings, { pathOf, keyHeaders: secret }: Paths, call: ComposeCall): Promise<unknown> {
  const { description, sources, ...about } = call
  const order = {
    kind: 'storage#composeRequest',
    destination: description,
    sourceObjects: sources.map(({ name, generation }) => ({ name, generation })),
  }
  return await askApi(around, {
    ...about,
    method: 'POST',
    path: `${pathOf(call.key)}/compose`,
    query: { fields: RESOURCE_FIELDS },
    headers: { ...secret, ...JSON_BODY },
    body: [Buffer.from(JSON.stringify(order))],
  })
}

/** Headers of the customer-supplied key, if there is one; with `copy`, those of the source of a copy. */
function keyHeaders(key: Uint8Array | undefined, use?: 'copy'): Readonly<Record<string, string>> {
  if (key === undefined) return {}
  const name = use === 'copy' ? 'x-goog-copy-source-encryption' : 'x-goog-encryption'
  return {
    [`${name}-algorithm`]: 'AES256',
    [`${name}-key`]: Buffer.from(key).toString('base64'),
    [`${name}-key-sha256`]: createHash('sha256').update(key).digest('base64'),
  }
}
