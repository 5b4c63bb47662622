import type { IncomingHttpHeaders } from 'node:http'
import type { ByteRange } from '@waltz/bytes'
import type { TokenSource } from './access-token.ts'
import type { Bucket } from './bucket.ts'
import type { HttpAnswer, HttpLine } from './http-call.ts'

/**
 * What moves the bytes and asks the questions. Every method makes a single attempt (a second one where the access token was refused), within the
 * watches for stalls, and rejects with faults of the contract. Descriptions of objects are JSON as it came: see `parseResource`.
 */
export interface Engine {
  /** Rejects with `not-found`. */
  describe(call: EngineCall): Promise<unknown>
  /** The bytes, of a status of 200, 206 or 416. */
  openMedia(call: MediaCall): Promise<HttpAnswer>
  /** One page. `doing` and `signal` of the call are used; there is no key. */
  listPage(query: PageQuery, call: Omit<EngineCall, 'key'>): Promise<unknown>
  /** Whether the condition held. Rejects with `not-found`. */
  remove(call: RemoveCall): Promise<boolean>
  /** Copies on the server, in as many requests as that wants. */
  rewrite(call: EngineCall & { readonly to: string }): Promise<void>
  /** Description and bytes in one request. */
  storeWhole(call: WriteCall & { readonly body: Uint8Array }): Promise<Written<unknown>>
  /** The address of a new session of a resumable upload: whoever has it may write, so it goes into no message. */
  beginSession(call: WriteCall & { readonly size: number | undefined }): Promise<Written<URL>>
  putToSession(call: SessionCall): Promise<SessionAnswer>
  /** Harmless when the session is gone. */
  endSession(call: { readonly session: URL; readonly doing: string }): Promise<void>
  compose(call: ComposeCall): Promise<unknown>
}

/** What every call tells. */
export interface EngineCall {
  readonly key: string
  /** For messages, such as `write of wal_005/x`. */
  readonly doing: string
  readonly signal: AbortSignal | undefined
}

/** Bytes that are wanted. */
export interface MediaCall extends EngineCall {
  readonly range: ByteRange
  /** The current one unless given. */
  readonly generation?: string
  /** The object is marked as packed: its bytes are wanted as they are stored. */
  readonly packed: boolean
}

/** Which page of which listing. Undefined parts are left out. */
export interface PageQuery {
  readonly prefix?: string | undefined
  readonly delimiter?: string | undefined
  readonly startOffset?: string | undefined
  readonly versions?: boolean | undefined
  readonly maxResults: number
  readonly pageToken?: string | undefined
  readonly fields: string
}

/** What is deleted: the current version unless a generation is given. */
export interface RemoveCall extends EngineCall {
  readonly generation: string | undefined
  /** Only if this is the current one. */
  readonly ifGeneration: string | undefined
}

/** What a new object is described by (Cloud Storage JSON API, "Objects"). */
export interface NewObject {
  readonly contentType: string
  readonly storageClass?: string
  readonly metadata?: Readonly<Record<string, string>>
  readonly crc32c?: string
}

/** An object that is to be written. */
export interface WriteCall extends EngineCall {
  readonly description: NewObject
  /** As `ifGenerationMatch`. */
  readonly ifGeneration: string | undefined
}

/** Undefined where the condition did not hold. */
export interface Written<T> {
  readonly written: T | undefined
}

/** Bytes for a session, or a question to it: `from` undefined asks how far it has come. */
export interface SessionCall extends EngineCall {
  readonly session: URL
  readonly contentType: string
  readonly from: number | undefined
  readonly body: Uint8Array
  /** The size of the whole object, with its last bytes. */
  readonly end: number | undefined
  /** CRC-32C of the whole object as the API writes it, with its last bytes. */
  readonly crc32c: string | undefined
}

/** What a session said. */
export interface SessionAnswer {
  /** 2xx: the object is stored, and `resource` describes it. 308: go on. 404 and 410: there is no such session. 412: the condition does not hold. */
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly resource: unknown
}

/** Objects that are joined on the server. */
export interface ComposeCall extends EngineCall {
  readonly description: NewObject
  readonly sources: readonly { readonly name: string; readonly generation: string }[]
}

/** What an engine is made from. */
export interface EngineSurroundings {
  readonly bucket: Bucket
  readonly line: HttpLine
  readonly tokens: TokenSource
  /** Without a slash at its end. */
  readonly endpoint: string
}
