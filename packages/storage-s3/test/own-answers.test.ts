import { Readable } from 'node:stream'
import { S3Client } from '@aws-sdk/client-s3'
import { describe, expect, it } from 'vitest'
import { s3Fault } from '../src/errors.ts'
import { newSight, type RequestMaker } from '../src/http-requests.ts'
import type { OwnName } from '../src/own-requests.ts'
import { createOwnSender } from '../src/own-sender.ts'
import { elementText } from '../src/xml.ts'

const sdk = await import('../src/sdk.ts')
const XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
const NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
const errorText = (code: string, message = 'words &amp; &lt;more&gt;'): string =>
  `${XML}<Error><Code>${code}</Code><Message>${message}</Message><RequestId>1</RequestId></Error>`
const object = {
  etag: '"0123456789abcdef0123456789abcdef"',
  'last-modified': 'Sat, 21 Nov 2026 10:00:00 GMT',
  'content-length': '5',
  'x-amz-meta-waltz-put': '00ff',
  'x-amz-checksum-crc32': 'AAAAAA==',
  'x-amz-server-side-encryption': 'AES256',
}

interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

const good: readonly (readonly [OwnName, object, Answer])[] = [
  ['HeadObject', {}, { status: 200, headers: object }],
  ['HeadObject', {}, { status: 200 }],
  ['GetObject', {}, { status: 200, headers: object, body: 'hello' }],
  [
    'GetObject',
    { Range: 'bytes=1-3' },
    { status: 206, headers: { ...object, 'content-range': 'bytes 1-3/5', 'content-length': '3' }, body: 'ell' },
  ],
  [
    'PutObject',
    { Body: Buffer.from('x') },
    { status: 200, headers: { etag: '"1"', 'x-amz-server-side-encryption-customer-algorithm': 'AES256' } },
  ],
  ['UploadPart', { Body: Buffer.from('x'), UploadId: 'u', PartNumber: 1 }, { status: 200, headers: { etag: '"1"' } }],
  [
    'CreateMultipartUpload',
    {},
    {
      status: 200,
      body: `${XML}<InitiateMultipartUploadResult ${NAMESPACE}><Bucket>b</Bucket><UploadId>2~a&amp;b</UploadId></InitiateMultipartUploadResult>`,
    },
  ],
  [
    'CompleteMultipartUpload',
    { UploadId: 'u' },
    {
      status: 200,
      body: `  ${XML}<CompleteMultipartUploadResult ${NAMESPACE}><ETag>&quot;1-2&quot;</ETag></CompleteMultipartUploadResult>`,
    },
  ],
  ['AbortMultipartUpload', { UploadId: 'u' }, { status: 204 }],
  ['DeleteObject', {}, { status: 204 }],
]

const bad: readonly (readonly [OwnName, object, Answer])[] = [
  ...[
    [400, 'AuthorizationHeaderMalformed'],
    [403, 'SignatureDoesNotMatch'],
    [403, 'RequestTimeTooSkewed'],
    [404, 'NoSuchKey'],
    [404, 'NoSuchBucket'],
    [409, 'OperationAborted'],
    [412, 'PreconditionFailed'],
    [416, 'InvalidRange'],
    [500, 'InternalError'],
    [501, 'NotImplemented'],
    [503, 'SlowDown'],
  ].map(([status, code]) => ['GetObject', {}, { status: Number(status), body: errorText(String(code)) }] as const),
  ...[301, 400, 403, 404, 405, 412, 500, 503].map(
    (status) => ['HeadObject', {}, { status, headers: { 'x-amz-bucket-region': 'eu-west-1', 'retry-after': '7' } }] as const,
  ),
  ['PutObject', { Body: Buffer.from('x') }, { status: 400, body: errorText('BadDigest') }],
  ['PutObject', { Body: Buffer.from('x') }, { status: 403, body: '' }],
  ['PutObject', { Body: Buffer.from('x') }, { status: 200, body: errorText('SlowDown') }],
  ['UploadPart', { Body: Buffer.from('x'), UploadId: 'u', PartNumber: 1 }, { status: 200, body: errorText('AccessDenied') }],
  ['CreateMultipartUpload', {}, { status: 200, body: errorText('InternalError') }],
  ['DeleteObject', {}, { status: 200, body: errorText('InternalError') }],
  ['CompleteMultipartUpload', { UploadId: 'u' }, { status: 200, body: errorText('InternalError') }],
  ['CompleteMultipartUpload', { UploadId: 'u' }, { status: 404, body: errorText('NoSuchUpload') }],
]

function answering({ status, headers = {}, body = '' }: Answer): RequestMaker {
  return {
    metadata: { handlerProtocol: 'http/1.1' },
    handle: async () => ({
      response: { statusCode: status, headers: { ...headers }, body: Readable.from(body === '' ? [] : [Buffer.from(body)]) as never },
    }),
    updateHttpClientConfig: () => undefined,
    httpHandlerConfigs: () => ({}),
    destroy: () => undefined,
  }
}

type Asked = readonly [OwnName, object]

function viaOwn([name, input]: Asked, maker: RequestMaker): Promise<object> {
  const send = createOwnSender({
    options: { bucket: 'bucket', pathStyle: true, now: () => new Date() },
    target: new URL('http://127.0.0.1'),
    keys: { accessKeyId: 'key', secretAccessKey: 'secret' },
    region: 'us-east-1',
    maker,
    beforeSigning: () => undefined,
  })
  return send(name, { Bucket: 'bucket', Key: 'key', ...input } as never, { abortSignal: new AbortController().signal, sight: newSight() })
}

function viaSdk([name, input]: Asked, maker: RequestMaker): Promise<object> {
  const client = new S3Client({
    region: 'us-east-1',
    endpoint: 'http://127.0.0.1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'key', secretAccessKey: 'secret' },
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    maxAttempts: 1,
    requestHandler: maker as never,
  })
  const Command = sdk[`${name}Command`] as unknown as new (given: object) => Parameters<S3Client['send']>[0]
  return client.send(new Command({ Bucket: 'bucket', Key: 'key', ...input }))
}

describe('answers to requests of its own are understood as the SDK understands them', () => {
  it.each(good)('%s %j %j', async (name, input, answer) => {
    const [own, official] = await Promise.all([viaOwn([name, input], answering(answer)), viaSdk([name, input], answering(answer))])
    const { Body, ...told } = own as Record<string, unknown>
    const { $metadata: _metadata, Body: officialBody, Metadata = {}, ...theirs } = official as Record<string, unknown>
    const kept = Object.fromEntries(
      Object.entries({ ...theirs, ...(told['Metadata'] === undefined ? {} : { Metadata }) }).filter(([field]) => field in told),
    )
    expect(told).toEqual(kept)
    expect(theirs['ETag'] === undefined || 'ETag' in told).toBe(true)
    if (officialBody !== undefined) expect(await textOf(Body)).toBe(answer.body)
  })

  it.each(bad)('a failure: %s %j %j', async (name, input, answer) => {
    const call = { doing: 'do it', location: 's3://bucket', key: 'key', now: () => new Date(), secrets: [] }
    const [own, official] = await Promise.all(
      [viaOwn, viaSdk].map(async (send) => {
        const error = await send([name, input], answering(answer)).then(
          () => 'no failure',
          (failure: unknown) => failure,
        )
        const { kind, code, retryable, hint, retryAfterMs } = s3Fault(error, call, answer.headers) as never
        return { kind, code, retryable, hint, retryAfterMs }
      }),
    )
    expect(own).toEqual(official)
  })

  it.each(['CompleteMultipartUpload', 'CreateMultipartUpload'] as const)('%s without a word is no success', async (name) => {
    const error = await viaOwn([name, { UploadId: 'u' }], answering({ status: 200 })).catch((failure: unknown) => failure)
    expect(s3Fault(error, { doing: 'x', location: 'y', key: 'key', now: () => new Date(), secrets: [] }, {}).retryable).toBe(true)
  })
})

async function textOf(body: unknown): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of body as AsyncIterable<Uint8Array>) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

it('text of elements: attributes, references, nothing at all', () => {
  expect(elementText('<a x="1">&#65;&#x42;&amp;&unknown;&quot;</a>', 'a')).toBe('AB&&unknown;"')
  expect(elementText('<ab>1</ab><a/>', 'a')).toBe('')
  expect(elementText('<ab>1</ab>', 'a')).toBeUndefined()
})
