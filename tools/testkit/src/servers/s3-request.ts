import { createHash, createHmac } from 'node:crypto'

/** Where an S3 request goes and who signs it. */
export interface S3Access {
  readonly endpoint: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/** A request of S3; the path begins with the bucket. */
export interface S3Request {
  readonly method: string
  readonly path: string
  /** Query, sorted by name. */
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

const hash = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex')
const mac = (key: string | Uint8Array, text: string): Buffer => createHmac('sha256', key).update(text).digest()
const encode = (text: string): string =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)

/**
 * Sends a request signed by signature version 4, with nothing but Node: what a test does to a bucket behind the back of the
 * store under test.
 * @throws Error with the answer when it is no success.
 */
export async function signedS3Request(access: S3Access, request: S3Request): Promise<Response> {
  const { method, query = {}, body = '' } = request
  const path = request.path.split('/').map(encode).join('/')
  const search = Object.entries(query)
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join('&')
  const stamp = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '')
  const headers: Record<string, string> = {
    ...request.headers,
    host: new URL(access.endpoint).host,
    'x-amz-content-sha256': hash(body),
    'x-amz-date': stamp,
  }
  const names = Object.keys(headers).sort()
  const canonical = [method, path, search, ...names.map((name) => `${name}:${headers[name]}`), '', names.join(';'), hash(body)].join('\n')
  const scope = `${stamp.slice(0, 8)}/${access.region}/s3/aws4_request`
  const key = [access.region, 's3', 'aws4_request'].reduce<string | Uint8Array>(
    mac,
    mac(`AWS4${access.secretAccessKey}`, stamp.slice(0, 8)),
  )
  const signature = mac(key, ['AWS4-HMAC-SHA256', stamp, scope, hash(canonical)].join('\n')).toString('hex')
  headers['authorization'] =
    `AWS4-HMAC-SHA256 Credential=${access.accessKeyId}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`
  const response = await fetch(`${access.endpoint}${path}${search === '' ? '' : `?${search}`}`, {
    method,
    headers,
    ...(method === 'GET' || method === 'HEAD' ? {} : { body: Buffer.from(body) }),
  })
  if (!response.ok) throw new Error(`${method} ${path} was answered ${response.status}: ${await response.text()}`)
  return response
}
