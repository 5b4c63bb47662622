import type { S3ProviderChoice, S3ProviderName, S3Quirks } from './options.ts'

/** What every clone of the last ten years can do; the rows below tell how they differ from it. */
const COMMON: S3Quirks = {
  crc: false,
  createOnlyWhole: 'probe',
  createOnlyMultipart: 'no',
  ifMatch: 'probe',
  unquotedIfMatch: false,
  bulkDelete: true,
  bulkDeleteMd5: true,
  listV2: true,
  md5Etags: true,
  returnsChecksums: false,
  maxUploadConcurrency: Number.MAX_SAFE_INTEGER,
  maxDeleteBatch: 1000,
  versions: true,
  copy: true,
  maxCopyBytes: 5 * 2 ** 30,
}

/**
 * What is known of providers. An entry is `yes` only where the provider's documents promise it or a test against its server proved it;
 * everything else is found out at the first use. `crc` is `false` wherever some version accepts a wrong CRC32: all verify `Content-MD5`.
 */
export const PROVIDERS: Readonly<Record<S3ProviderName, S3Quirks>> = {
  aws: {
    ...COMMON,
    crc: true,
    createOnlyWhole: 'yes',
    createOnlyMultipart: 'yes',
    ifMatch: 'yes',
    bulkDeleteMd5: false,
    returnsChecksums: true,
  },
  r2: { ...COMMON, createOnlyWhole: 'yes', ifMatch: 'yes', versions: false },
  b2: { ...COMMON },
  // Version 16 accepts a wrong CRC32, ignores conditions when an upload is completed, and compares `If-Match` without quotes.
  ceph: { ...COMMON, createOnlyWhole: 'yes', ifMatch: 'yes', unquotedIfMatch: true },
  minio: { ...COMMON, returnsChecksums: true },
  wasabi: { ...COMMON },
  // The XML interface takes keys one by one in older projects, and composed objects have no MD5 as etag (which shows by its form).
  gcs: { ...COMMON, bulkDelete: false, versions: false },
  oss: { ...COMMON },
  yandex: { ...COMMON },
  digitalocean: { ...COMMON, unquotedIfMatch: true },
  swift: { ...COMMON, versions: false, ifMatch: 'no' },
  'old-clone': { ...COMMON, createOnlyWhole: 'no', ifMatch: 'no', bulkDelete: false, listV2: false, versions: false },
  unknown: { ...COMMON },
}

const HOSTS: readonly (readonly [pattern: RegExp, name: S3ProviderName])[] = [
  [/(^|\.)amazonaws\.com(\.cn)?$/, 'aws'],
  [/\.r2\.cloudflarestorage\.com$/, 'r2'],
  [/\.backblazeb2\.com$/, 'b2'],
  [/(^|\.)wasabisys\.com$/, 'wasabi'],
  [/(^|\.)storage\.googleapis\.com$/, 'gcs'],
  [/\.aliyuncs\.com$/, 'oss'],
  [/(^|\.)storage\.(yandexcloud\.net|yandexcloud\.kz)$/, 'yandex'],
  [/\.digitaloceanspaces\.com$/, 'digitalocean'],
]

/** The provider that a host name belongs to, if it tells. */
export function providerOfHost(host: string | undefined): S3ProviderName | undefined {
  if (host === undefined) return 'aws'
  return HOSTS.find(([pattern]) => pattern.test(host.toLowerCase()))?.[1]
}

const SERVERS: readonly (readonly [pattern: RegExp, name: S3ProviderName])[] = [
  [/^AmazonS3$/i, 'aws'],
  [/^cloudflare$/i, 'r2'],
  [/^MinIO/i, 'minio'],
  [/^WasabiS3/i, 'wasabi'],
  [/^AliyunOSS$/i, 'oss'],
  [/^Ceph Object Gateway/i, 'ceph'],
  [/^UploadServer$/i, 'gcs'],
]

/** What radosgw calls a request: `tx`, 21 digits, the time, the instance, the zone. */
const CEPH_REQUEST = /^tx[0-9a-f]{21}-[0-9a-f]{10}-[0-9a-f]+-/
/** The same of Swift, whose last part is missing or a zone of another form. */
const SWIFT_REQUEST = /^tx[0-9a-f]{21}-[0-9a-f]{10}$/

/** The provider that the headers of an answer (names in lower case) give away, if they do. */
export function providerOfAnswer(headers: Readonly<Record<string, string>>): S3ProviderName | undefined {
  const named = SERVERS.find(([pattern]) => pattern.test(headers['server'] ?? ''))?.[1]
  if (named !== undefined) return named
  if (headers['x-minio-deployment-id'] !== undefined) return 'minio'
  const request = headers['x-amz-request-id'] ?? ''
  if (SWIFT_REQUEST.test(headers['x-trans-id'] ?? request)) return 'swift'
  return CEPH_REQUEST.test(request) ? 'ceph' : undefined
}

/** What is known of the provider at the moment; `probe` becomes `yes` or `no` when it was tried. */
export interface ProviderKnowledge {
  readonly name: S3ProviderName
  readonly quirks: S3Quirks
  /** An answer came in: the first that tells settles an unknown provider. Returns the name when this one did. */
  learnFrom(headers: Readonly<Record<string, string>>): S3ProviderName | undefined
  /** Something was found out by trying. */
  learned(proven: Partial<S3Quirks>): void
}

/** Starts with what the options or the host tell. */
export function createProviderKnowledge(
  choice: S3ProviderName | S3ProviderChoice | undefined,
  host: string | undefined,
): ProviderKnowledge {
  const { name: chosen, quirks: overrides = {} } = typeof choice === 'object' ? choice : { name: choice }
  let name = chosen ?? providerOfHost(host) ?? 'unknown'
  let proven: Partial<S3Quirks> = {}
  let quirks: S3Quirks
  const update = (): void => {
    quirks = { ...PROVIDERS[name], ...(isExpress(host) ? { md5Etags: false } : {}), ...overrides, ...proven }
  }
  update()
  return {
    get name() {
      return name
    },
    get quirks() {
      return quirks
    },
    learnFrom(headers) {
      if (name !== 'unknown' || chosen !== undefined) return undefined
      const found = providerOfAnswer(headers)
      if (found === undefined) return undefined
      name = found
      update()
      return found
    },
    learned(more) {
      proven = { ...proven, ...more }
      update()
    },
  }
}

/** Directory buckets have etags that look like MD5 and are not. */
function isExpress(host: string | undefined): boolean {
  return host?.includes('s3express') === true
}
