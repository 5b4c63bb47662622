import { createHash, createHmac } from 'node:crypto'
import { queryText, type SignedRequest } from './http-requests.ts'

/** Keys that do not change. */
export interface SigningKeys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

/**
 * Gives the headers of a request with its signature. Names of headers are in lower case, and `host` is there. Where
 * `x-amz-content-sha256` is not, it is that of the body.
 */
export type Signer = (request: SignedRequest, at: Date) => Record<string, string>

const ALGORITHM = 'AWS4-HMAC-SHA256'
/** What proxies may change, and what the SDK does not sign either. */
const UNSIGNED =
  /^(authorization|cache-control|connection|expect|from|keep-alive|max-forwards|pragma|referer|te|trailer|transfer-encoding|upgrade|user-agent|x-amzn-trace-id|(proxy|sec)-.*)$/

/** Signature version 4 in its form for S3, whose paths are not encoded twice (AWS documents, "Signature Version 4 signing process"). */
export function createSigner(keys: SigningKeys, region: string): Signer {
  let day = ''
  let dayKey: Buffer | undefined
  const keyOf = (date: string): Buffer => {
    if (dayKey === undefined || day !== date) {
      day = date
      dayKey = [date, region, 's3', 'aws4_request'].reduce(
        (key: Buffer, text) => hmac(key, text),
        Buffer.from(`AWS4${keys.secretAccessKey}`),
      )
    }
    return dayKey
  }
  return (request, at) => {
    const time = at.toISOString().replaceAll(/[-:]|\.\d+/g, '')
    const date = time.slice(0, 8)
    const hash = request.headers['x-amz-content-sha256'] ?? sha256Hex((request.body as Uint8Array | string | undefined) ?? '')
    const headers: Record<string, string> = {
      ...request.headers,
      'x-amz-content-sha256': hash,
      'x-amz-date': time,
      ...(keys.sessionToken === undefined ? {} : { 'x-amz-security-token': keys.sessionToken }),
    }
    const names = Object.keys(headers)
      .filter((name) => !UNSIGNED.test(name))
      .toSorted()
    const lines = names.map((name) => `${name}:${(headers[name] ?? '').trim().replaceAll(/\s+/g, ' ')}\n`).join('')
    const query = queryText(request.query).replace('?', '')
    const canonical = [request.method, request.path, query, lines, names.join(';'), hash].join('\n')
    const scope = `${date}/${region}/s3/aws4_request`
    const signature = hmac(keyOf(date), [ALGORITHM, time, scope, sha256Hex(canonical)].join('\n')).toString('hex')
    headers['authorization'] =
      `${ALGORITHM} Credential=${keys.accessKeyId}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`
    return headers
  }
}

function sha256Hex(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('hex')
}

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}
