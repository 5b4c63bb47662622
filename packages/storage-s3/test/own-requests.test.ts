import { S3Client } from '@aws-sdk/client-s3'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { parseEndpoint } from '../src/endpoint.ts'
import { newSight, queryText, type RequestMaker, type SignedRequest } from '../src/http-requests.ts'
import type { S3StoreOptions } from '../src/options.ts'
import { formOf, type OwnName } from '../src/own-requests.ts'
import { createOwnSender, ownTarget } from '../src/own-sender.ts'
import { addHeaders } from '../src/session.ts'
import { networkOptions } from './support/options.ts'

const sdk = await import('../src/sdk.ts')
const keys = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' }
const bytes = new Uint8Array(300).map((_, index) => index % 251)
const Bucket = 'backups'
const customer = { SSECustomerAlgorithm: 'AES256', SSECustomerKey: Buffer.alloc(32, 7).toString('base64') }
const Key = 'wal_005/000000010000000000000001.lz4'
const UploadId = '2~a/b+c=d&e f'

const requests: readonly (readonly [OwnName, object])[] = [
  ['HeadObject', { Key }],
  ['HeadObject', { Key, ...customer, RequestPayer: 'requester' }],
  ...['plain', 'a b', 'a+b', 'a%20b', 'a%', 'ü/日本/🙂', "!'()*~-_.", '..a/.b/c..', 'a?b#c', 'a&b=c;d:e@f$g,h', '[x]{y}|z\\"<>^`'].map(
    (odd) => ['GetObject', { Key: `folder/${odd}` }] as const,
  ),
  ['HeadObject', { Key, VersionId: 'a/b+c', ...customer }],
  ['GetObject', { Key, Range: 'bytes=5-', ...customer }],
  ['GetObject', { Key, ChecksumMode: 'ENABLED' }],
  ['PutObject', { Key, Body: bytes, ContentLength: 300, ChecksumCRC32: 'AAAAAA==', Metadata: {} }],
  ['PutObject', { Key, Body: new Uint8Array(0), ContentLength: 0, ContentMD5: '1B2M2Y8AsgTpgAmY7PhCfg==', Metadata: {} }],
  ['PutObject', { Key, Body: bytes, ContentLength: 300, ContentMD5: '1B2M2Y8AsgTpgAmY7PhCfg==', IfMatch: '"0123"', ...customer }],
  [
    'PutObject',
    {
      Key,
      Body: bytes,
      ContentLength: 300,
      ContentType: 'application/json',
      ChecksumCRC32: 'AAAAAA==',
      IfNoneMatch: '*',
      ACL: 'bucket-owner-full-control',
      StorageClass: 'STANDARD_IA',
      Tagging: 'team=a+b%26c&x=%C3%BC',
      ObjectLockMode: 'COMPLIANCE',
      ObjectLockRetainUntilDate: new Date('2027-01-02T03:04:05.678Z'),
      ServerSideEncryption: 'aws:kms',
      SSEKMSKeyId: 'arn:aws:kms:eu-west-1:1:key/2',
      RequestPayer: 'requester',
      Metadata: { 'waltz-put': '00ff', 'Waltz-Other': '  two  spaces ' },
    },
  ],
  ['CreateMultipartUpload', { Key, ServerSideEncryption: 'AES256', ObjectLockRetainUntilDate: new Date('2027-01-02T03:04:05Z') }],
  ['CreateMultipartUpload', { Key, ChecksumAlgorithm: 'CRC32', Metadata: { 'waltz-part-bytes': '5' }, ...customer }],
  ['UploadPart', { Key, UploadId, PartNumber: 10_000, Body: bytes, ContentLength: 300, ChecksumCRC32: 'AAAAAA==', ...customer }],
  [
    'CompleteMultipartUpload',
    {
      Key,
      UploadId,
      IfNoneMatch: '*',
      MultipartUpload: {
        Parts: [
          { PartNumber: 1, ETag: '"a&b"' },
          { PartNumber: 2, ETag: '"<c>"', ChecksumCRC32: 'AAAAAA==' },
        ],
      },
      ...customer,
    },
  ],
  ['AbortMultipartUpload', { Key, UploadId, RequestPayer: 'requester' }],
  ['DeleteObject', { Key }],
  ['DeleteObject', { Key, VersionId: 'a/b+c' }],
]

const places: readonly (readonly [string, Partial<S3StoreOptions>, string])[] = [
  ['path style', { endpoint: 'http://127.0.0.1:9000', pathStyle: true }, 'us-east-1'],
  ['a bucket in the host name', { endpoint: 'https://s3.example.org' }, 'eu-x'],
  ['a port, a token and headers', { endpoint: 'http://s3.example.org:8080', requestHeaders: { 'X-Own': ' a  b ' } }, 'us-east-1'],
  ['Amazon', {}, 'eu-west-1'],
  ['Amazon with path style', { pathStyle: true }, 'ap-southeast-2'],
]

describe.each(places)('requests of its own are those of the SDK: %s', (name, place, region) => {
  const credentials = { kind: 'static', ...keys, ...(name.includes('token') ? { sessionToken: 'a/token+=' } : {}) } as const
  const options: S3StoreOptions = { ...networkOptions(), bucket: Bucket, credentials, ...place }
  const now = new Date('2026-11-21T12:34:56.789Z')
  beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now }))
  afterEach(() => void vi.useRealTimers())

  it.each(requests)('%s %j', async (request, input) => {
    const full = { Bucket, ...input }
    expect(told(await own(options, region, [request, full]))).toEqual(told(await official(options, region, [request, full])))
  })
})

/** The request as it leaves: what is signed, the signature included. */
function told({ headers, body, query, ...rest }: SignedRequest): unknown {
  const { 'user-agent': _agent, ...kept } = headers
  const text = body === undefined ? '' : Buffer.from(body as Uint8Array).toString('latin1')
  const { method, protocol, hostname, port, path } = rest
  return { method, protocol, hostname, port, path, query: queryText(query), headers: kept, text }
}

class Captured extends Error {
  readonly request: SignedRequest
  constructor(request: SignedRequest) {
    super('captured')
    this.request = request
  }
}

const capturing: RequestMaker = {
  metadata: { handlerProtocol: 'http/1.1' },
  handle: async (request) => {
    throw new Captured(request as SignedRequest)
  },
  updateHttpClientConfig: () => undefined,
  httpHandlerConfigs: () => ({}),
  destroy: () => undefined,
}

async function captured(sending: Promise<unknown>): Promise<SignedRequest> {
  const error = await sending.catch((failure: unknown) => failure)
  if (error instanceof Captured) return error.request
  throw error instanceof Error ? error : new Error('it was not sent')
}

type Asked = readonly [OwnName, object]

function own(options: S3StoreOptions, region: string, [name, input]: Asked): Promise<SignedRequest> {
  const target = ownTarget(options, parseEndpoint(options.endpoint), region)
  if (target === undefined) throw new Error('left to the SDK')
  const { kind: _kind, ...signing } = options.credentials as Extract<S3StoreOptions['credentials'], { kind: 'static' }>
  const send = createOwnSender({
    options: { ...options, now: () => new Date() },
    target,
    keys: signing,
    region,
    maker: capturing,
    beforeSigning: (request) => addHeaders(options, request),
  })
  return captured(send(name, input as never, { abortSignal: new AbortController().signal, sight: newSight() }))
}

function official(options: S3StoreOptions, region: string, [name, input]: Asked): Promise<SignedRequest> {
  const { kind: _kind, ...credentials } = options.credentials as Extract<S3StoreOptions['credentials'], { kind: 'static' }>
  const client = new S3Client({
    region,
    credentials,
    forcePathStyle: options.pathStyle ?? false,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    expectContinueHeader: false,
    maxAttempts: 1,
    requestHandler: capturing as never,
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
  })
  const trim = (next: (args: object) => Promise<unknown>) => async (args: { readonly request: SignedRequest }) => {
    const { headers } = args.request as { readonly headers: Record<string, string> }
    for (const header of Object.keys(headers)) if (/^(amz-sdk-|x-amz-user-agent)/.test(header)) Reflect.deleteProperty(headers, header)
    addHeaders(options, args.request as Parameters<typeof addHeaders>[1])
    return next(args)
  }
  // Right before the signature, which comes late in this step.
  client.middlewareStack.addRelativeTo(trim as never, { relation: 'before', toMiddleware: 'httpSigningMiddleware', name: 'trim' })
  const Command = sdk[`${name}Command`] as unknown as new (given: object) => Parameters<S3Client['send']>[0]
  return captured(client.send(new Command(input)))
}

it('an input that has no place in a request is no silent loss', () => {
  expect(() => formOf('GetObject', { Bucket, Key, VersionId: '1', PartNumber: 1, IfModifiedSince: new Date(0) })).toThrow('IfModifiedSince')
})

describe('which addresses and keys need the SDK', () => {
  const fixed = { kind: 'static', ...keys } as const
  it.each<readonly [string, Partial<S3StoreOptions>, string, string | undefined]>([
    ['fixed keys', {}, 'us-east-1', 'https://backups.s3.us-east-1.amazonaws.com/'],
    ['no keys', { credentials: { kind: 'anonymous' } }, 'us-east-1', 'https://backups.s3.us-east-1.amazonaws.com/'],
    ['a chain', { credentials: { kind: 'chain' } }, 'us-east-1', undefined],
    ['by choice', { engine: 'aws-sdk' }, 'us-east-1', undefined],
    ['acceleration', { accelerate: true }, 'us-east-1', undefined],
    ['dual stack', { dualStack: true }, 'us-east-1', undefined],
    ['China', {}, 'cn-north-1', undefined],
    ['the government', {}, 'us-gov-west-1', undefined],
    ['FIPS', { endpoint: 'https://x.org', pathStyle: true }, 'fips-us-east-1', undefined],
    ['a bucket with dots', { bucket: 'a.b' }, 'us-east-1', undefined],
    ['a directory bucket', { bucket: 'base--use1-az5--x-s3' }, 'us-east-1', undefined],
    ['an access point', { bucket: 'arn:aws:s3:us-west-2:1:accesspoint' }, 'us-east-1', undefined],
    ['an address without path style', { endpoint: 'http://127.0.0.1:9000' }, 'us-east-1', undefined],
    ['an endpoint with a path', { endpoint: 'http://x.org/s3', pathStyle: true }, 'us-east-1', undefined],
    ['path style', { endpoint: 'http://[::1]:9000', pathStyle: true }, 'us-east-1', 'http://[::1]:9000/'],
  ])('%s', (_name, changed, region, expected) => {
    const options: S3StoreOptions = { ...networkOptions(), bucket: Bucket, credentials: fixed, ...changed }
    expect(ownTarget(options, parseEndpoint(options.endpoint), region)?.href).toBe(expected)
  })
})
