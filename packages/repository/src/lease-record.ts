import { readAll } from '@waltz/bytes'
import { isFault } from '@waltz/errors'
import type { CallOptions, ObjectStore } from '@waltz/storage'
import type { JsonOrigin } from './json-text.ts'
import { decodeOwnRecord, encodeOwnRecord, required } from './own-record.ts'

/** What a lease object says about who wrote it. Nothing in it decides whether it is alive: the store's clock does. */
export interface LeaseRecord {
  /** Unique per attempt. */
  readonly id: string
  readonly host: string
  readonly pid: number
  /** When the holder acquired it, by the holder's own clock: for people. */
  readonly since: string
  /** Not renewed for so long, it may be taken over. */
  readonly ttlMs: number
}

/** A lease as it lies in the store. */
export interface StoredLease {
  /** Undefined when the object is no lease record. */
  readonly record: LeaseRecord | undefined
  /** By the store's clock. */
  readonly modifiedAt: Date
}

const VERSION = 1
const MAX_LEASE_BYTES = 65_536

/** The lease object's bytes. */
export function encodeLease({ id, host, pid, since, ttlMs }: LeaseRecord): Uint8Array {
  return encodeOwnRecord(VERSION, { id, host, pid, since, ttlMs })
}

/** @throws Fault `corrupt` `JSON_INVALID` or `JSON_FIELD_INVALID`, `unsupported` `RECORD_VERSION_UNSUPPORTED`. */
export function decodeLease(input: Uint8Array | string, { origin }: JsonOrigin): LeaseRecord {
  const fields = decodeOwnRecord(input, VERSION, { origin })
  return {
    id: required(fields, 'id', fields.text('id')),
    host: required(fields, 'host', fields.text('host')),
    pid: required(fields, 'pid', fields.integer('pid')),
    since: required(fields, 'since', fields.text('since')),
    ttlMs: required(fields, 'ttlMs', fields.integer('ttlMs')),
  }
}

/** The lease under `key`, or undefined when there is none. An object that is no lease record counts as one of unknown holder. */
export async function readLease(store: Pick<ObjectStore, 'get'>, key: string, options?: CallOptions): Promise<StoredLease | undefined> {
  try {
    await using body = await store.get(key, options)
    const { modifiedAt } = body.info
    const bytes = await readAll(body, MAX_LEASE_BYTES)
    return { record: decodeOrUndefined(bytes, key), modifiedAt }
  } catch (error) {
    if (isFault(error, 'not-found')) return undefined
    throw error
  }
}

function decodeOrUndefined(bytes: Uint8Array, origin: string): LeaseRecord | undefined {
  try {
    return decodeLease(bytes, { origin })
  } catch (error) {
    if (isFault(error, 'corrupt') || isFault(error, 'unsupported')) return undefined
    throw error
  }
}
