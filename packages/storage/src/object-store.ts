import type { ByteRange, ByteSource } from '@waltz/bytes'

/**
 * A flat, strongly consistent map from key to immutable bytes.
 *
 * Keys are relative, '/'-separated and never start with '/'; no key is a directory of another (`a` beside `a/b`). What
 * `checkKey` refuses is `invalid` everywhere.
 * Every method rejects with a `Fault`; `not-found` means the store said so, never that it could not answer: a missing
 * root, bucket or mount is `unavailable`, a refused one is `denied`.
 */
export interface ObjectStore extends AsyncDisposable {
  readonly capabilities: StoreCapabilities

  /** For messages and logs, such as `s3://bucket/prefix`. Holds no secret. */
  readonly location: string

  /** What is known of one object without its bytes. Rejects with `not-found`. Never lists. */
  head(key: string, options?: CallOptions): Promise<ObjectInfo>

  /**
   * Opens an object. Rejects with `not-found` before the body is handed over; the body resumes by itself after a
   * dropped connection, shows one version of the object, and obeys the signal while it is read.
   */
  get(key: string, options?: GetOptions): Promise<ObjectBody>

  /**
   * Stores the whole of `body` or nothing: readers never see a partial object, and a failed or aborted put leaves
   * none behind. Durable before it resolves. Replaces an existing object unless `onlyIfAbsent`, which rejects with
   * `already-exists`. A failure of `body` itself passes through unchanged; when the put fails, `body` is closed.
   * A store may give chunks back to whoever lent them (`giveBack` of `@waltz/bytes`) when it is done with them: who keeps a chunk that it
   * passes on to a put copies it first, or passes on a view of it (`chunk.subarray()`), which gives nothing back.
   */
  put(key: string, body: ByteSource, options?: PutOptions): Promise<ObjectInfo>

  /** Deletes any number of keys in batches that suit the store. A missing key is not an error. */
  delete(keys: Iterable<string>, options?: CallOptions): Promise<void>

  /** Every object whose key starts with `prefix`, in ascending byte order of key. */
  list(prefix: string, options?: ListOptions): AsyncIterable<ObjectInfo>

  /** The distinct "directories" one level below `prefix`, each ending in '/', in ascending byte order. */
  listGroups(prefix: string, options?: CallOptions): AsyncIterable<string>

  /** Server side where `capabilities.copy` is true, otherwise rejects with `unsupported`. */
  copy(from: string, to: string, options?: CallOptions): Promise<void>
}

/** What a store can do; wrappers pass it on, so nobody tests for optional methods. */
export interface StoreCapabilities {
  readonly copy: boolean
  /** `onlyIfAbsent` has exactly one winner, for objects that are stored in one request. */
  readonly conditionalPut: boolean
  /**
   * The same for objects that are stored in parts: by the store itself, by a small claim object of Waltz's that guards the name
   * (against other writers of Waltz's only), or not at all.
   */
  readonly conditionalMultipart: 'store' | 'claim' | 'none'
  /** `ifMatch` is honoured, for objects that are stored in one request. */
  readonly ifMatch: boolean
  readonly rangedGet: boolean
  readonly maxObjectBytes: number
  readonly maxDeleteBatch: number
}

/** One stored object, as a listing or a head shows it. */
export interface ObjectInfo {
  readonly key: string
  readonly size: number
  readonly modifiedAt: Date
  /** Modification time in nanoseconds since 1970 where the store keeps that much; orders objects of the same millisecond. */
  readonly modifiedAtNs?: bigint
  /** Opaque; changes whenever the bytes change. */
  readonly etag?: string
}

/** Already open: iterate it (once), or dispose of it. Disposing after reading to the end is harmless. */
export interface ObjectBody extends ByteSource, AsyncDisposable {
  readonly info: ObjectInfo
}

/** Taken by every call. */
export interface CallOptions {
  readonly signal?: AbortSignal
}

/** Taken by `get`. */
export interface GetOptions extends CallOptions {
  /** Cut to the object: a range beyond its end is empty. `info.size` stays that of the whole object. */
  readonly range?: ByteRange
}

/** Taken by `put`. */
export interface PutOptions extends CallOptions {
  /**
   * Rejects with `already-exists` if the key is taken; `unsupported` `STORAGE_CONDITIONAL_PUT_UNSUPPORTED` where the store cannot
   * keep the promise: never a look followed by a put.
   */
  readonly onlyIfAbsent?: boolean
  /**
   * The etag that the object must still have to be replaced; otherwise, and when it is gone, `conflict` `STORAGE_OBJECT_REPLACED`.
   * `unsupported` `STORAGE_CONDITIONAL_PUT_UNSUPPORTED` without `capabilities.ifMatch`. Not together with `onlyIfAbsent`.
   */
  readonly ifMatch?: string
  /** When known, lets the store pick a single request or a part size. A wrong value is an error and stores nothing. */
  readonly size?: number
  readonly contentType?: string
  /** Soon removed or replaced: a store that locks new objects for a time, or has a class for long keeping, does neither with this one. */
  readonly shortLived?: boolean
}

/** Taken by `list`. */
export interface ListOptions extends CallOptions {
  /** Exclusive, so a listing can be resumed. Any text; it need not be a stored key. */
  readonly after?: string
  /** Only objects directly in the folder that `prefix` lies in: no key with a further '/' behind the prefix. Cheap where folders are deep. */
  readonly oneLevel?: boolean
}
