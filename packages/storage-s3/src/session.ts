import { createHash } from 'node:crypto'
import type { S3Client, S3ClientConfig } from './sdk.ts'
import { createHttpAgents, type HttpAgents } from '@waltz/network'
import { keysFor } from './credentials.ts'
import { regionOfLocation, type S3Endpoint } from './endpoint.ts'
import { addressFrom } from './endpoint-source.ts'
import { createRequestMaker, type RequestMaker } from './http-requests.ts'
import type { S3StoreOptions } from './options.ts'
import type { ProviderKnowledge } from './providers.ts'
import type { Sdk } from './sdk.ts'

/** A client of the SDK, ready to send. */
export interface Session {
  readonly sdk: Sdk
  readonly client: S3Client
  readonly region: string
}

/** Opens the client at the first call, and anew for another region. */
export interface Sessions {
  open(): Promise<Session>
  /** Undefined: ask at the bucket. Harmless when the region was given in the options: then it stays. */
  readonly regionGiven: boolean
  /** The storage told where the bucket lies. */
  moveTo(region: string): void
  close(): Promise<void>
}

/** What sessions are made from. */
export interface SessionSurroundings {
  readonly options: S3StoreOptions
  readonly endpoint: S3Endpoint
  readonly provider: ProviderKnowledge
  readonly connectTimeoutMs: number
}

/** Makes no client yet, and loads nothing. */
export function createSessions(around: SessionSurroundings): Sessions {
  const { options, endpoint } = around
  const agents: HttpAgents[] = []
  let opened: Promise<Session> | undefined
  let region = options.region === undefined || options.region === '' ? undefined : options.region
  const regionGiven = region !== undefined

  const start = async (): Promise<Session> => {
    const sdk = await import('@aws-sdk/client-s3')
    const known =
      region ?? (endpoint.amazon ? await findRegion(await clientFor({ around, sdk, agents }, 'us-east-1'), around, sdk) : 'us-east-1')
    region = known
    return { sdk, region: known, client: await clientFor({ around, sdk, agents }, known) }
  }
  return {
    regionGiven,
    open() {
      opened ??= start().catch((error: unknown) => {
        opened = undefined // the next call tries again
        throw error
      })
      return opened
    },
    moveTo(next) {
      region = next
      opened = undefined
    },
    async close() {
      await opened?.catch(() => undefined)
      for (const agent of agents.splice(0)) agent.destroy()
    },
  }
}

interface Making {
  readonly around: SessionSurroundings
  readonly sdk: Sdk
  readonly agents: HttpAgents[]
}

async function clientFor(making: Making, region: string): Promise<S3Client> {
  const { around, sdk } = making
  const { options, endpoint } = around
  const target = endpoint.url ?? new URL(`https://${options.bucket}.s3.${region}.amazonaws.com`)
  const keys = await keysFor(options.credentials, {
    region,
    now: options.now,
    randomHex: options.randomHex,
    requestMaker: (url) => requestMaker(making, url),
  })
  const config: S3ClientConfig = {
    ...fixed,
    region,
    requestHandler: await requestMaker(making, target),
    forcePathStyle: options.pathStyle ?? false,
    useDualstackEndpoint: options.dualStack ?? false,
    useAccelerateEndpoint: options.accelerate ?? false,
    ...(endpoint.url === undefined ? {} : { endpoint: endpoint.url.href }),
    ...(options.userAgent === undefined ? {} : { customUserAgent: options.userAgent }),
    ...(keys === undefined
      ? { signer: { sign: async (request: object) => request } as never, credentials: NOBODY }
      : { credentials: keys }),
  }
  const client = new sdk.S3Client(config)
  client.middlewareStack.add(beforeSigning(around, client) as never, { step: 'build', name: 'waltzBeforeSigning', priority: 'low' })
  return client
}

const NOBODY = { accessKeyId: 'anonymous', secretAccessKey: 'anonymous' }

/** Everything that the SDK would otherwise look for in the environment or in files of the user. */
const fixed: S3ClientConfig & Record<string, unknown> = {
  maxAttempts: 1,
  retryMode: 'standard',
  useFipsEndpoint: false,
  useArnRegion: false,
  followRegionRedirects: false,
  expectContinueHeader: false,
  defaultsMode: 'standard',
  requestChecksumCalculation: 'WHEN_REQUIRED',
  responseChecksumValidation: 'WHEN_REQUIRED',
  disableS3ExpressSessionAuth: false,
  authSchemePreference: [],
  sigv4aSigningRegionSet: [],
  userAgentAppId: async () => undefined,
  ignoreConfiguredEndpointUrls: true,
}

async function requestMaker({ around, agents }: Making, target: URL): Promise<RequestMaker> {
  const { options, connectTimeoutMs } = around
  const made = await createHttpAgents({
    target,
    ...(options.ca === undefined ? {} : { ca: options.ca }),
    ...(options.onlyOwnAuthorities === undefined ? {} : { onlyOwnAuthorities: options.onlyOwnAuthorities }),
    ...(options.proxy === undefined ? {} : { proxy: options.proxy }),
    ...(options.noProxy === undefined ? {} : { noProxy: options.noProxy }),
    ...(options.maxSockets === undefined ? {} : { maxSockets: options.maxSockets }),
  })
  agents.push(made)
  return createRequestMaker({
    agents: made,
    connectTimeoutMs,
    expectContinue: options.disable100Continue !== true,
    sleep: options.sleep,
    ...(options.endpointSource === undefined ? {} : { addressOf: addressFrom(options.endpointSource, options.onNotice) }),
  })
}

/** Headers that must be signed: those of the options, and the checksums that the provider understands. */
function beforeSigning({ options, provider }: SessionSurroundings, client: S3Client): Middleware {
  return (next, context) => async (args) => {
    const { headers, body, protocol } = args.request as {
      readonly headers: Record<string, string>
      readonly body?: unknown
      readonly protocol: string
    }
    Object.assign(headers, lowered(options.requestHeaders))
    if (options.credentials?.kind === 'instance' && options.credentials.yandexSessionToken === true) {
      const { sessionToken } = await client.config.credentials()
      if (sessionToken !== undefined) headers['x-yacloud-subjecttoken'] = sessionToken
    }
    if (context.commandName === 'DeleteObjectsCommand' && provider.quirks.bulkDeleteMd5) onlyMd5(headers, body)
    // The signature need not cover the bytes when it covers their MD5, or when TLS does.
    if (body instanceof Uint8Array && (protocol === 'https:' || headers['content-md5'] !== undefined))
      headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD'
    return next(args)
  }
}

/** One of the step "build", as far as it concerns us. */
type Middleware = (next: Next, context: { readonly commandName?: string }) => Next
type Next = (args: { readonly request: unknown }) => Promise<unknown>

function onlyMd5(headers: Record<string, string>, body: unknown): void {
  for (const name of Object.keys(headers)) if (/^x-amz-(sdk-)?checksum-/i.test(name)) delete headers[name]
  const bytes = body instanceof Uint8Array ? body : Buffer.from((body ?? '') as string)
  headers['content-md5'] = createHash('md5').update(bytes).digest('base64')
}

function lowered(headers: Readonly<Record<string, string>> | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]))
}

/** Asks the first region where the bucket lies (SET 5.1); a refusal tells it too. */
async function findRegion(client: S3Client, { options }: SessionSurroundings, sdk: Sdk): Promise<string> {
  let region: string | undefined
  try {
    const { LocationConstraint } = await client.send(new sdk.GetBucketLocationCommand({ Bucket: options.bucket }))
    region = regionOfLocation(LocationConstraint)
  } catch (error) {
    const { $response } = error as { readonly $response?: { readonly headers?: Readonly<Record<string, string>> } }
    region = $response?.headers?.['x-amz-bucket-region']
    if (region === undefined) throw error
  }
  options.onNotice?.({ code: 'region-found', message: `the bucket ${options.bucket} lies in ${region}` })
  return region
}
