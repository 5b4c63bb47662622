import type { IncomingMessage } from 'node:http'
import type { S3Endpoint } from './endpoint.ts'
import { escapePart, newSight, type RequestMaker, type SendOptions, type SignedRequest } from './http-requests.ts'
import type { S3StoreOptions } from './options.ts'
import { formOf, lateErrorOf, OWN_REQUESTS, refusalOf, type OwnName } from './own-requests.ts'
import type { InputOf, OutputOf } from './requests.ts'
import { createSigner, type SigningKeys } from './signature.ts'

/**
 * The requests of backup and archive, made and signed without the SDK, whose code alone takes longer to load than a segment to archive
 * (docs/decisions/0019-own-requests-of-s3.md). Only for fixed keys or none, and for addresses that need no rules; for everything else,
 * and for all other requests, the SDK is there.
 */
export type OwnSender = <Name extends OwnName>(name: Name, input: InputOf<Name>, options: SendOptions) => Promise<OutputOf<Name>>

/** What it is made from. */
export interface OwnSurroundings {
  readonly options: Pick<S3StoreOptions, 'bucket' | 'pathStyle' | 'userAgent' | 'now'>
  /** Of the bucket: `https://bucket.example.org`, or of the endpoint with path style. */
  readonly target: URL
  /** Undefined: requests are not signed. */
  readonly keys: SigningKeys | undefined
  readonly region: string
  readonly maker: RequestMaker
  /** Adds what all requests have, the SDK's too, before they are signed. */
  readonly beforeSigning: (request: {
    readonly headers: Record<string, string>
    readonly body?: unknown
    readonly protocol: string
  }) => void
}

/** An answer that tells of a failure, or that a request was done, is short. */
const MOST_TEXT_BYTES = 2 ** 20

/** Loads nothing and makes no connection. */
export function createOwnSender(around: OwnSurroundings): OwnSender {
  const sign = around.keys === undefined ? undefined : createSigner(around.keys, around.region)
  return async (name, input, options) => {
    const request = requestOf(around, name, input)
    const signed = sign === undefined ? request : { ...request, headers: sign(request, around.options.now()) }
    const sight = options.sight ?? newSight()
    const { response } = await around.maker.handle(signed, { ...options, sight })
    const { statusCode, body } = response
    const { method } = request
    if (statusCode < 200 || statusCode >= 300) throw refusalOf(statusCode, method, await textOf(body))
    const text = name === 'GetObject' ? '' : await textOf(body)
    const late = lateErrorOf(name, text)
    if (late !== undefined) throw late
    return OWN_REQUESTS[name].tell({ headers: response.headers, text, body })
  }
}
/** The request without its signature. */
export function requestOf<Name extends OwnName>(
  { options, target, beforeSigning }: OwnSurroundings,
  name: Name,
  input: InputOf<Name>,
): SignedRequest {
  const { headers, ...form } = formOf(name, input)
  const key = (input.Key ?? '').split('/').map(escapePart).join('/')
  headers['host'] = target.host
  headers['user-agent'] = `waltz-s3${options.userAgent === undefined ? '' : ` ${options.userAgent}`}`
  const { protocol, hostname, port } = target
  beforeSigning({ headers, body: form.body, protocol })
  return {
    ...form,
    protocol,
    hostname,
    ...(port === '' ? {} : { port: Number(port) }),
    path: `${options.pathStyle === true ? `/${options.bucket}` : ''}/${key}`,
    headers,
  }
}

/** Buckets whose names mean what they say: no ARN, alias, directory bucket or dots, which need rules of their own. */
const PLAIN_BUCKET = /^(?!xn--|sthree-)(?!.*(-s3alias|--ol-s3|--x-s3|--xa-s3|--op-s3|--table-s3)$)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/
/** Of Amazon's first partition; others have domains of their own. */
const PLAIN_REGION = /^(af|ap|ca|eu|il|me|mx|sa|us)-(central|north|northeast|northwest|south|southeast|southwest|east|west)-\d$/

/** Regions that signatures name as they are. */
const PLAIN_SCOPE = /^(?!.*(fips|aws-global))[a-z0-9-]+$/

/** Where the own requests go to; undefined where that, or the keys, are better left to the SDK. */
export function ownTarget(options: S3StoreOptions, endpoint: S3Endpoint, region: string): URL | undefined {
  const url = endpoint.url ?? amazonUrl(region)
  if (!needsNoRules(options) || url === undefined || !isPlain(url) || !PLAIN_SCOPE.test(region)) return undefined
  if (options.pathStyle === true) return url
  // The SDK addresses these in path style.
  return isAddress(url.hostname) ? undefined : new URL(`${url.protocol}//${options.bucket}.${url.host}`)
}

function needsNoRules({ bucket, credentials, engine, accelerate, dualStack }: S3StoreOptions): boolean {
  const fixed = credentials?.kind === 'static' || credentials?.kind === 'anonymous'
  return engine !== 'aws-sdk' && fixed && accelerate !== true && dualStack !== true && PLAIN_BUCKET.test(bucket)
}

function amazonUrl(region: string): URL | undefined {
  return PLAIN_REGION.test(region) ? new URL(`https://s3.${region}.amazonaws.com`) : undefined
}

function isPlain({ pathname, search, hash, hostname }: URL): boolean {
  return pathname === '/' && search === '' && hash === '' && !hostname.includes('s3express')
}

function isAddress(hostname: string): boolean {
  return /^(\[.*\]|[\d.]+)$/.test(hostname)
}

async function textOf(body: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    bytes += chunk.length
    if (bytes > MOST_TEXT_BYTES) throw new Error('the answer is longer than any that belongs here')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}
