import { createHash } from 'node:crypto'
import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3'
import { createHttpAgents, type HttpAgents } from '@waltz/network'
import { keysFor, keysOf } from './credentials.ts'
import { regionOfLocation, type S3Endpoint } from './endpoint.ts'
import { addressFrom } from './endpoint-source.ts'
import { createRequestMaker, newSight, type RequestMaker } from './http-requests.ts'
import type { S3StoreOptions } from './options.ts'
import { isOwn } from './own-requests.ts'
import { createOwnSender, ownTarget } from './own-sender.ts'
import type { ProviderKnowledge } from './providers.ts'
import type { RequestName, SendRequest } from './requests.ts'

/** Ready to send. */
export interface Session {
  readonly send: SendRequest
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
    const making: Making = { around, agents }
    region ??= endpoint.amazon ? await findRegion(await openSdk(making, 'us-east-1', undefined), around) : 'us-east-1'
    return openSession(making, region)
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
  readonly agents: HttpAgents[]
}

/** Makes requests of its own where it can, and loads the SDK for the first that it cannot. */
async function openSession(making: Making, region: string): Promise<Session> {
  const { options, endpoint } = making.around
  const target = ownTarget(options, endpoint, region)
  if (target === undefined) return { send: (await openSdk(making, region, undefined)).send, region }
  // One pool of connections, whoever makes the request.
  const maker = await requestMaker(making, target)
  let sdk: Promise<Sdk> | undefined
  const viaSdk: SendRequest = async (name, input, sent) => {
    sdk ??= openSdk(making, region, maker).catch((error: unknown) => {
      sdk = undefined // the next call tries again
      throw error
    })
    return (await sdk).send(name, input, sent)
  }
  const own = createOwnSender({
    options,
    target,
    region,
    keys: options.credentials?.kind === 'static' ? keysOf(options.credentials) : undefined,
    maker,
    beforeSigning: (request) => addHeaders(options, request),
  })
  const send: SendRequest = (name, input, sent) => {
    const ours: RequestName = name
    return isOwn(ours) ? (own(ours, input as never, sent) as Promise<never>) : viaSdk(name, input, sent)
  }
  return { send, region }
}

/** The SDK with a client of it. */
interface Sdk {
  readonly send: SendRequest
}

async function openSdk(making: Making, region: string, maker: RequestMaker | undefined): Promise<Sdk> {
  const { around } = making
  const { options, endpoint } = around
  const sdk = await import('./sdk.ts')
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
    requestHandler: maker ?? (await requestMaker(making, target)),
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
  return {
    send: (name, input, sent) => {
      const Command = sdk[`${name}Command`] as unknown as new (given: object) => Parameters<S3Client['send']>[0]
      return client.send(new Command(input), sent) as never
    },
  }
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
    const request = args.request as UnsignedParts
    const { headers, body } = request
    if (options.credentials?.kind === 'instance' && options.credentials.yandexSessionToken === true) {
      const { sessionToken } = await client.config.credentials()
      if (sessionToken !== undefined) headers['x-yacloud-subjecttoken'] = sessionToken
    }
    if (context.commandName === 'DeleteObjectsCommand' && provider.quirks.bulkDeleteMd5) onlyMd5(headers, body)
    addHeaders(options, request)
    return next(args)
  }
}

interface UnsignedParts {
  readonly headers: Record<string, string>
  readonly body?: unknown
  readonly protocol: string
}

/** What every request has, whoever makes it. */
export function addHeaders({ requestHeaders }: Pick<S3StoreOptions, 'requestHeaders'>, { headers, body, protocol }: UnsignedParts): void {
  Object.assign(headers, lowered(requestHeaders))
  // The signature need not cover the bytes when it covers their MD5, or when TLS does.
  if (body instanceof Uint8Array && (protocol === 'https:' || headers['content-md5'] !== undefined))
    headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD'
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
async function findRegion({ send }: Sdk, { options }: SessionSurroundings): Promise<string> {
  let region: string | undefined
  try {
    const quiet = { abortSignal: new AbortController().signal, sight: newSight() }
    const { LocationConstraint } = await send('GetBucketLocation', { Bucket: options.bucket }, quiet)
    region = regionOfLocation(LocationConstraint)
  } catch (error) {
    const { $response } = error as { readonly $response?: { readonly headers?: Readonly<Record<string, string>> } }
    region = $response?.headers?.['x-amz-bucket-region']
    if (region === undefined) throw error
  }
  options.onNotice?.({ code: 'region-found', message: `the bucket ${options.bucket} lies in ${region}` })
  return region
}
