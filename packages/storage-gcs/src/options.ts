import { optionsFault, type NetworkStoreOptions } from '@waltz/storage'

/** Who the store says it is. */
export type GcsCredentials =
  /** Application default credentials: what the environment, `gcloud` or the metadata server of the machine offers. */
  | { readonly kind: 'default' }
  /** A file of credentials in JSON: the key of a service account, or any other kind that Google's client knows. */
  | { readonly kind: 'key-file'; readonly path: string }
  /** The content of such a file. */
  | { readonly kind: 'key'; readonly key: Readonly<Record<string, unknown>> }
  /** None at all, for emulators and public buckets. */
  | { readonly kind: 'none' }

/** What moves the bytes of a store. */
export type GcsEngine = 'requests' | 'google-cloud'

/** What a store in a bucket of Google Cloud Storage is made from. */
export interface GcsStoreOptions extends NetworkStoreOptions {
  readonly bucket: string
  /**
   * What moves the bytes: `requests` (unless given) is our own requests to the JSON API; `google-cloud` is Google's client, `@google-cloud/storage`,
   * with the same promises but slower, and without `pieceConcurrency`. Only the one that is chosen is loaded.
   */
  readonly engine?: GcsEngine
  /** `{ kind: 'default' }` unless given. */
  readonly credentials?: GcsCredentials
  /** Where the JSON API is, such as `http://127.0.0.1:4443`. `https://storage.googleapis.com` unless given. */
  readonly apiEndpoint?: string
  /** Customer-supplied key of exactly 32 bytes (`GCS_ENCRYPTION_KEY` decoded). Objects written with it need it for reading. */
  readonly encryptionKey?: Uint8Array
  /**
   * Bytes of one piece of a large object, all held in memory (`GCS_MAX_CHUNK_SIZE`); rounded up to a multiple of 256 KiB, and never more
   * than the budget. Unless given: 50 MiB, or an eighth of the budget if that is less. Smaller objects go in one request.
   */
  readonly chunkBytes?: number
  /**
   * Pieces of one large object in flight at the same time, stored apart and then composed. 1 unless given: one resumable upload, which
   * needs no right to delete and leaves no object behind when the process is killed. Puts with a condition always go that way.
   */
  readonly pieceConcurrency?: number
  /**
   * Key prefix for pieces of large objects on their way, hidden by every call; only used with a `pieceConcurrency` above 1. Outside of all
   * repositories in the bucket. `.waltz-pieces/` unless given.
   */
  readonly piecesPrefix?: string
  /** Bounds every head, put, delete, copy and listing as a whole, but no read (`GCS_CONTEXT_TIMEOUT`). One hour unless given; 0: no bound. */
  readonly contextTimeoutMs?: number
  /** Who pays for requests: needed for buckets with "requester pays". */
  readonly userProject?: string
  /** `STANDARD`, `NEARLINE`, `COLDLINE`, `ARCHIVE`; that of the bucket unless given. */
  readonly storageClass?: string
  /** Leave old versions alone when deleting, where the bucket keeps them. False unless given: `delete` removes them, too. */
  readonly keepVersions?: boolean
  /** Requests of one `delete` in flight at the same time: the store deletes one by one. 16 unless given. */
  readonly deleteConcurrency?: number
  /** Objects in one page of a listing. 1000 (the store's own limit) unless given; small in tests. */
  readonly pageSize?: number
  /** URL of a proxy. The environment's proxy variables are not read by the store itself. */
  readonly proxy?: string
  /** Hosts that are reached without it, as in `NO_PROXY`. */
  readonly noProxy?: string
  /** Certificates in PEM form, trusted besides those that Node trusts. */
  readonly ca?: string
  /** Connections at the same time. 64 unless given. */
  readonly maxSockets?: number
  /** Told when pieces of an upload could not be removed: they stay until `maintenance` removes them. */
  readonly onLeftover?: (leftover: { readonly key: string; readonly error: unknown }) => void
}

/** GCS takes pieces of resumable uploads in multiples of so much (Cloud Storage documentation, resumable uploads). */
export const CHUNK_STEP_BYTES = 262_144
/** WAL-G's default (SET 5.2). */
export const DEFAULT_CHUNK_BYTES = 52_428_800
/** WAL-G's default (SET 5.2). */
export const DEFAULT_CONTEXT_TIMEOUT_MS = 3_600_000
/** Unless given in `GcsStoreOptions`. */
export const DEFAULT_PIECES_PREFIX = '.waltz-pieces/'
/** Unless given in `GcsStoreOptions`. */
export const DEFAULT_API_ENDPOINT = 'https://storage.googleapis.com'

/**
 * Refuses options that cannot work.
 * @throws Fault `invalid` `STORAGE_OPTIONS_INVALID`.
 */
export function checkOptions(options: GcsStoreOptions): void {
  const { bucket, encryptionKey, piecesPrefix, apiEndpoint } = options
  if (!/^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/.test(bucket)) throw optionsFault(`${JSON.stringify(bucket)} is not the name of a GCS bucket`)
  if (encryptionKey !== undefined && encryptionKey.length !== 32)
    throw optionsFault(
      `the encryption key has ${encryptionKey.length} bytes, not 32`,
      'GCS_ENCRYPTION_KEY is the base64 form of exactly 32 bytes',
    )
  if (apiEndpoint !== undefined && !/^https?:$/.test(URL.parse(apiEndpoint)?.protocol ?? ''))
    throw optionsFault('the API endpoint is not a URL that begins with http:// or https://')
  if (piecesPrefix !== undefined && !/^[^/\0][^\0]*\/$/.test(piecesPrefix)) throw optionsFault('the prefix for pieces must end in "/"')
  checkCounts(options)
  checkEngine(options)
}

/** Google's client composes objects without a storage class or metadata of their own, by which pieces are known again. */
function checkEngine({ engine, pieceConcurrency = 1 }: GcsStoreOptions): void {
  if (engine !== undefined && engine !== 'requests' && engine !== 'google-cloud')
    throw optionsFault(`there is no engine ${JSON.stringify(engine)}`)
  if (engine === 'google-cloud' && pieceConcurrency > 1)
    throw optionsFault(
      'the engine google-cloud stores no pieces in parallel',
      'leave out the engine (WALTZ_GCS_ENGINE) or pieceConcurrency (WALTZ_GCS_PIECE_CONCURRENCY)',
    )
}

function checkCounts(options: GcsStoreOptions): void {
  for (const name of ['chunkBytes', 'pieceConcurrency', 'deleteConcurrency', 'pageSize', 'maxSockets'] as const) {
    const value = options[name]
    if (value !== undefined && !(Number.isSafeInteger(value) && value > 0))
      throw optionsFault(`${name} is ${value}, not a whole number above zero`)
  }
  const { contextTimeoutMs = 0 } = options
  if (!(contextTimeoutMs >= 0)) throw optionsFault(`contextTimeoutMs is ${contextTimeoutMs}`)
}

/** The size of a piece: what was asked for, within the budget, in whole steps. */
export function pieceBytes({ chunkBytes, budget }: GcsStoreOptions): number {
  const wanted = chunkBytes ?? Math.min(DEFAULT_CHUNK_BYTES, Math.ceil(budget.maxBytes / BUDGET_SHARES))
  const affordable = Math.floor(budget.maxBytes / CHUNK_STEP_BYTES) * CHUNK_STEP_BYTES
  return Math.max(CHUNK_STEP_BYTES, Math.min(Math.ceil(wanted / CHUNK_STEP_BYTES) * CHUNK_STEP_BYTES, affordable))
}

/** So many pieces fit into the budget where nothing is asked for: otherwise two uploads would fill it. */
const BUDGET_SHARES = 8
