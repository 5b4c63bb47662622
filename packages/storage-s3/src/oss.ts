import { optionsFault } from '@waltz/storage'
import type { S3Credentials, S3StoreOptions } from './options.ts'

/** Alibaba's OSS by its own words (SET 5.4). */
export interface OssOptions {
  readonly bucket: string
  /** Such as `cn-hangzhou`, with or without `oss-` in front. */
  readonly region: string
  /** URL or host; that of the region unless given. */
  readonly endpoint?: string
  readonly accessKeyId: string
  readonly accessKeySecret: string
  readonly sessionToken?: string
  /** OSS's default of 6 MiB unless given. */
  readonly partBytes?: number
}

const DEFAULT_PART_BYTES = 6 * 2 ** 20
/** What OSS's own SDK has in flight. */
const PARTS_IN_FLIGHT = 3

/**
 * The options of an S3 store for OSS's S3-compatible endpoint, which takes the bucket in the host name. Everything else that
 * `S3StoreOptions` has may be added.
 * @throws Fault `invalid` `STORAGE_OPTIONS_INVALID` without a region.
 */
export function s3OptionsForOss(oss: OssOptions): Pick<
  S3StoreOptions,
  'bucket' | 'region' | 'pathStyle' | 'partBytes' | 'uploadConcurrency' | 'provider'
> & {
  readonly endpoint: string
  readonly credentials: S3Credentials
} {
  const region = oss.region.trim().replace(/^oss-/, '')
  if (region === '') throw optionsFault('OSS needs a region', 'set OSS_REGION, such as cn-hangzhou')
  const endpoint = oss.endpoint === undefined || oss.endpoint === '' ? `https://s3.oss-${region}.aliyuncs.com` : ownEndpoint(oss.endpoint)
  return {
    bucket: oss.bucket,
    region: `oss-${region}`,
    endpoint,
    pathStyle: false,
    provider: 'oss',
    partBytes: oss.partBytes ?? DEFAULT_PART_BYTES,
    uploadConcurrency: PARTS_IN_FLIGHT,
    credentials: {
      kind: 'static',
      accessKeyId: oss.accessKeyId,
      secretAccessKey: oss.accessKeySecret,
      ...(oss.sessionToken === undefined || oss.sessionToken === '' ? {} : { sessionToken: oss.sessionToken }),
    },
  }
}

/** OSS's own hosts have an S3-compatible twin; anything else is taken as it is. */
function ownEndpoint(endpoint: string): string {
  const [, scheme = 'https://', host = endpoint] = /^(https?:\/\/)?(.*?)\/?$/i.exec(endpoint.trim()) ?? []
  const twin = /^oss-[a-z0-9-]+\.aliyuncs\.com$/i.test(host) ? `s3.${host}` : host
  return scheme + twin
}
