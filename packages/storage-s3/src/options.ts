import type { NetworkStoreOptions } from '@waltz/storage'

/** What an S3 store is made from. Only `bucket` and what `NetworkStoreOptions` requires must be given. */
export interface S3StoreOptions extends NetworkStoreOptions {
  readonly bucket: string
  /** URL, or host with or without port (https then). Undefined: Amazon's, by region. */
  readonly endpoint?: string
  /** Undefined: asked for at the bucket where the endpoint is Amazon's, otherwise `us-east-1`. */
  readonly region?: string
  /** `https://endpoint/bucket/key` instead of `https://bucket.endpoint/key`. False unless given. */
  readonly pathStyle?: boolean
  /** Amazon only: IPv6 besides IPv4. */
  readonly dualStack?: boolean
  /** Amazon only: S3 Transfer Acceleration. */
  readonly accelerate?: boolean
  /** Undefined: `{ kind: 'chain' }`. */
  readonly credentials?: S3Credentials
  /** Certificates in PEM form, trusted besides those of Node. */
  readonly ca?: string
  /** Trust only `ca`. */
  readonly onlyOwnAuthorities?: boolean
  /** URL of an HTTP or HTTPS proxy. */
  readonly proxy?: string
  /** Hosts that are reached without it, as in `NO_PROXY`. */
  readonly noProxy?: string
  /** Connections at the same time. 64 unless given. */
  readonly maxSockets?: number
  /** Asks a URL for the address to connect to, before each request. */
  readonly endpointSource?: S3EndpointSource
  /** Such as `STANDARD_IA`; the store's own choice unless given. */
  readonly storageClass?: string
  /** How the store encrypts what it keeps; the bucket's own rule unless given. */
  readonly encryption?: S3Encryption
  /** A canned ACL such as `bucket-owner-full-control`; none is sent unless given. */
  readonly acl?: string
  /** Whoever asks pays. */
  readonly requesterPays?: boolean
  /** Headers of every request. Values may be secrets: they appear in no message. */
  readonly requestHeaders?: Readonly<Record<string, string>>
  /** Tags of every stored object. */
  readonly tags?: Readonly<Record<string, string>>
  /** Every stored object is locked until now + `periodMs`. */
  readonly objectLock?: { readonly mode: 'GOVERNANCE' | 'COMPLIANCE'; readonly periodMs: number }
  /** Whether the bucket keeps versions. `ask` (once, at the first deletion or listing of versions) unless given. */
  readonly versioning?: 'ask' | 'enabled' | 'disabled'
  /** In a bucket with versions: `delete` leaves markers and old versions. False unless given: all versions are removed. */
  readonly leaveMarkers?: boolean
  /** Bytes of a part, 5 MiB to 5 GiB; 20 MiB unless given. Objects up to this size go in one request. */
  readonly partBytes?: number
  /** Parts of one object in flight, as far as `budget` allows; 16 unless given. */
  readonly uploadConcurrency?: number
  /** Keys of one bulk deletion, at most and unless given 1000. */
  readonly deleteBatch?: number
  /** Keys of one page of a listing, at most and unless given 1000. */
  readonly pageSize?: number
  /** `ListObjects` instead of `ListObjectsV2`. */
  readonly useListV1?: boolean
  /** No `Expect: 100-continue` before bodies. */
  readonly disable100Continue?: boolean
  /** True unless given. False: the first call makes sure by one small listing that the bucket can be listed. */
  readonly skipValidation?: boolean
  /**
   * `requests`, unless given: with fixed keys, or none, objects are read and stored by requests of the package's own, and the SDK is
   * loaded for listings, copies, bulk deletions and addresses with rules of their own. `aws-sdk`: by the SDK, always.
   */
  readonly engine?: 'requests' | 'aws-sdk'
  /** Appended to the user agent. */
  readonly userAgent?: string
  /** Overrides what the table of providers says about this one, or names its row. */
  readonly provider?: S3ProviderName | S3ProviderChoice
  /**
   * What `put` tells of the modification time. `exact`, unless given, asks for it (a HEAD after the upload, which also proves that the
   * object is there); `quick` takes the date of the answer, which may be a second off what `head` and `list` tell.
   */
  readonly putInfo?: 'exact' | 'quick'
  /** Told when parts of a failed upload, or a claim, could not be removed. */
  readonly onLeftover?: (leftover: { readonly key: string; readonly error: unknown }) => void
  /** Told what was done otherwise than asked for, such as an endpoint source that did not answer. */
  readonly onNotice?: (notice: S3Notice) => void
}

/** Where credentials come from. Temporary ones are fetched anew before they expire. */
export type S3Credentials =
  /**
   * The chain of Amazon's SDK: environment, web identity, profiles in shared files, SSO, container, instance. The SDK reads the
   * environment and the home directory by itself: the one place where this package does, because this choice asks for it.
   */
  | { readonly kind: 'chain'; readonly profile?: string; readonly sharedCredentialsFile?: string; readonly configFile?: string }
  | S3StaticCredentials
  /** STS AssumeRole. `source` pays for the call; the chain unless given. */
  | {
      readonly kind: 'role'
      readonly roleArn: string
      readonly sessionName?: string
      readonly externalId?: string
      readonly durationSeconds?: number
      readonly source?: S3StaticCredentials | Extract<S3Credentials, { readonly kind: 'chain' }>
      /** URL of STS, for tests and other providers. */
      readonly stsEndpoint?: string
    }
  /** STS AssumeRoleWithWebIdentity; the file is read anew each time. */
  | {
      readonly kind: 'web-identity'
      readonly roleArn: string
      readonly tokenFile: string
      readonly sessionName?: string
      readonly stsEndpoint?: string
    }
  /** The metadata service of an instance (Amazon, and Yandex with `yandexSessionToken`). */
  | {
      readonly kind: 'instance'
      /** Sends the token in the header `X-YaCloud-SubjectToken` too, as Yandex wants it. */
      readonly yandexSessionToken?: boolean
    }
  /** No signature: public buckets. */
  | { readonly kind: 'anonymous' }

/** Fixed keys. */
export interface S3StaticCredentials {
  readonly kind: 'static'
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

/** Encryption at the store. */
export type S3Encryption =
  | { readonly kind: 'AES256' }
  | { readonly kind: 'aws:kms'; readonly keyId: string }
  /** SSE-C: the raw key, 32 bytes, as text or bytes; kept nowhere by the store. Over https only, unless `endpoint` says http. */
  | { readonly kind: 'customer'; readonly algorithm?: string; readonly key: string | Uint8Array }

/** A URL whose answer is the address of the server to use (SET 5.1). */
export interface S3EndpointSource {
  readonly url: string
  /** `443` unless given. */
  readonly port?: string
  /** `http` or `https`; that of `endpoint` unless given. */
  readonly protocol?: string
}

/** A row of the table of providers. */
export type S3ProviderName =
  | 'aws'
  | 'r2'
  | 'b2'
  | 'ceph'
  | 'minio'
  | 'wasabi'
  | 'gcs'
  | 'oss'
  | 'yandex'
  | 'digitalocean'
  | 'swift'
  | 'old-clone'
  | 'unknown'

/** A row with some of its entries changed. */
export interface S3ProviderChoice {
  readonly name: S3ProviderName
  readonly quirks?: Partial<S3Quirks>
}

/** What differs from provider to provider. */
export interface S3Quirks {
  /** CRC32 headers and the SDK's checksum protocol are understood; otherwise `Content-MD5` goes along, which every S3 verifies. */
  readonly crc: boolean
  /** `If-None-Match: *` on PutObject: honoured, ignored or refused, or to be found out at the first such put. */
  readonly createOnlyWhole: 'yes' | 'no' | 'probe'
  /** The same on CompleteMultipartUpload; where it is not, a claim object guards the name. */
  readonly createOnlyMultipart: 'yes' | 'no'
  /** `If-Match` on PutObject. */
  readonly ifMatch: 'yes' | 'no' | 'probe'
  /** `If-Match` wants the etag without its quotes. */
  readonly unquotedIfMatch: boolean
  /** DeleteObjects; otherwise keys are deleted one by one. */
  readonly bulkDelete: boolean
  /** DeleteObjects wants `Content-MD5`. */
  readonly bulkDeleteMd5: boolean
  /** ListObjectsV2; otherwise ListObjects. */
  readonly listV2: boolean
  /** Whole, unencrypted objects have the MD5 of their bytes as etag; parts and completed uploads likewise. */
  readonly md5Etags: boolean
  /** The store tells checksums of objects when asked (`x-amz-checksum-mode`). */
  readonly returnsChecksums: boolean
  /** More parts of one object at the same time are refused or slowed down. */
  readonly maxUploadConcurrency: number
  /** DeleteObjects takes so many keys. */
  readonly maxDeleteBatch: number
  /** The store keeps versions and lists them. */
  readonly versions: boolean
  /** CopyObject; and UploadPartCopy for objects above `maxCopyBytes`. */
  readonly copy: boolean
  /** One CopyObject takes so many bytes. */
  readonly maxCopyBytes: number
}

/** Something that a person may want to know and that is no failure. */
export interface S3Notice {
  readonly code:
    | 'endpoint-source-failed'
    | 'bulk-delete-unsupported'
    | 'region-found'
    | 'claim-taken-over'
    | 'provider-found'
    | 'versioning-unknown'
  readonly message: string
}
