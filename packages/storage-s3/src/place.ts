import { CHUNK_BYTES, createBlockPool, type BlockPool } from '@waltz/bytes'
import { DEFAULT_CONNECT_TIMEOUT_MS, DEFAULT_IDLE_TIMEOUT_MS, optionsFault } from '@waltz/storage'
import { secretsOf } from './credentials.ts'
import { parseEndpoint, type S3Endpoint } from './endpoint.ts'
import type { S3Encryption, S3StoreOptions } from './options.ts'
import { createProviderKnowledge, type ProviderKnowledge } from './providers.ts'
import { createSessions, type Sessions } from './session.ts'

/** One bucket: what all calls of a store share. */
export interface Place {
  readonly options: S3StoreOptions
  readonly bucket: string
  readonly location: string
  readonly endpoint: S3Endpoint
  readonly partBytes: number
  readonly pageSize: number
  readonly connectTimeoutMs: number
  readonly idleTimeoutMs: number
  readonly provider: ProviderKnowledge
  readonly sessions: Sessions
  /** What no message may hold. */
  readonly secrets: readonly string[]
  readonly known: Known
  /** What chunks of bodies are made in. */
  readonly bodyBlocks: BlockPool
}

/** What was learned about the bucket. */
export interface Known {
  /** The storage has said something about the inside of the bucket, so it exists. */
  bucketSeen: boolean
  /** Whether the bucket keeps versions; undefined: not asked yet. */
  versioned: boolean | undefined
  validated: Promise<void> | undefined
}

export const MIN_PART_BYTES: number = 5 * 2 ** 20
const MAX_PART_BYTES = 5 * 2 ** 30
const DEFAULT_PART_BYTES = 20 * 2 ** 20
export const MAX_PARTS = 10_000
/** Kept for the next bodies: as many as a restore has under way. */
const SPARE_BODY_BLOCKS = 32

/**
 * Reads the options. No I/O.
 * @throws Fault `invalid` `STORAGE_OPTIONS_INVALID`.
 */
export function createPlace(options: S3StoreOptions): Place {
  checkOptions(options)
  const endpoint = parseEndpoint(options.endpoint)
  const partBytes = options.partBytes ?? DEFAULT_PART_BYTES
  const provider = createProviderKnowledge(options.provider, endpoint.url?.hostname)
  const secrets = [...secretsOf(options.credentials), ...secretsOfOptions(options)]
  const connectTimeoutMs = options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS
  const place: Omit<Place, 'sessions'> = {
    options,
    bucket: options.bucket,
    location: `s3://${options.bucket}`,
    endpoint,
    partBytes,
    pageSize: Math.min(1000, Math.max(1, options.pageSize ?? 1000)),
    connectTimeoutMs,
    idleTimeoutMs: options.idleTimeoutMs ?? DEFAULT_IDLE_TIMEOUT_MS,
    provider,
    secrets,
    bodyBlocks: createBlockPool(CHUNK_BYTES, { maxSpare: SPARE_BODY_BLOCKS }),
    known: { bucketSeen: false, versioned: undefined, validated: undefined },
  }
  return { ...place, sessions: createSessions({ options, endpoint, provider, connectTimeoutMs }) }
}

function checkOptions(options: S3StoreOptions): void {
  const { bucket, partBytes = DEFAULT_PART_BYTES, uploadConcurrency = 1, encryption, tags = {} } = options
  const mistakes: readonly (readonly [wrong: boolean, message: string, hint?: string])[] = [
    [bucket === '' || /[/\s?#]/.test(bucket), `${JSON.stringify(bucket)} is not the name of a bucket`],
    [!isPartSize(partBytes), `parts of ${partBytes} bytes are not possible`, 'S3 takes parts from 5 MiB to 5 GiB'],
    [!(Number.isInteger(uploadConcurrency) && uploadConcurrency >= 1), 'at least one part must be in flight'],
    [isKeyless(encryption), 'encryption by aws:kms needs the id of a key', 'set S3_SSE_KMS_ID'],
    [isOddKey(encryption), 'the customer key for encryption has not 32 bytes', 'S3 encrypts with AES256, whose keys have 32 bytes'],
    [options.accelerate === true && options.pathStyle === true, 'accelerated endpoints do not take path style requests'],
    [Object.keys(tags).length > 10, 'an object has at most 10 tags'],
  ]
  for (const [wrong, message, hint] of mistakes) if (wrong) throw optionsFault(message, hint)
}

function isKeyless(encryption: S3Encryption | undefined): boolean {
  return encryption?.kind === 'aws:kms' && encryption.keyId === ''
}

function isOddKey(encryption: S3Encryption | undefined): boolean {
  return encryption?.kind === 'customer' && Buffer.from(encryption.key).length !== 32
}

function isPartSize(bytes: number): boolean {
  return Number.isInteger(bytes) && bytes >= MIN_PART_BYTES && bytes <= MAX_PART_BYTES
}

function secretsOfOptions({ encryption, requestHeaders = {}, proxy }: S3StoreOptions): readonly string[] {
  const password = proxy !== undefined && URL.canParse(proxy) ? decodeURIComponent(new URL(proxy).password) : ''
  const key =
    encryption?.kind === 'customer' ? [Buffer.from(encryption.key).toString(), Buffer.from(encryption.key).toString('base64')] : []
  return [...Object.values(requestHeaders), password, ...key].filter((secret) => secret !== '')
}
