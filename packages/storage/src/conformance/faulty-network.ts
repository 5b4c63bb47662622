import type { ObjectStore } from '../object-store.ts'
import type { RetryPolicy } from '../retry-policy.ts'

/**
 * What can go wrong between a store and its server. Byte counts are of one connection, in one direction, from the moment at which the
 * fault is set. `times` is how many connections (or requests, for `answer`) are hit; all of them unless given.
 */
export type NetworkFault =
  /** Connections are refused, and open ones reset. With `times` they are counted, so they are accepted and reset at once. */
  | { readonly kind: 'refuse'; readonly times?: number }
  /** Connections are accepted and nothing is ever said (F4). */
  | { readonly kind: 'silence'; readonly times?: number }
  /** No more bytes are taken from the client; the connection stays open (F1). */
  | { readonly kind: 'stall-upload'; readonly afterBytes: number; readonly times?: number }
  /** No more bytes are given to the client; the connection stays open (F2, and F3 with `afterBytes` 0). */
  | { readonly kind: 'stall-download'; readonly afterBytes: number; readonly times?: number }
  /** The connection is reset (F5). */
  | { readonly kind: 'reset-upload'; readonly afterBytes: number; readonly times?: number }
  | { readonly kind: 'reset-download'; readonly afterBytes: number; readonly times?: number }
  /** The connection is closed in an orderly way, too early (F9). */
  | { readonly kind: 'cut-download'; readonly afterBytes: number; readonly times?: number }
  /** One bit of a byte is flipped (F10). */
  | { readonly kind: 'flip-upload'; readonly afterBytes: number; readonly times?: number }
  | { readonly kind: 'flip-download'; readonly afterBytes: number; readonly times?: number }
  /** Every byte is delayed: slow, but never still. */
  | { readonly kind: 'slow'; readonly bytesPerSecond: number; readonly times?: number }
  /** HTTP only: requests whose line matches are answered in the server's place (F6, F7, F8). */
  | {
      readonly kind: 'answer'
      readonly status: number
      readonly headers?: Readonly<Record<string, string>>
      readonly body?: string
      /** Of the request line, such as `/^PUT /`; every request unless given. */
      readonly matching?: RegExp
      readonly times?: number
    }
  /** HTTP only: matching requests reach the server, whose answers are lost; the connection stays open (F3). */
  | { readonly kind: 'lose-answer'; readonly matching?: RegExp; readonly times?: number }

/** A network that can be made to fail, between one store and its server. */
export interface FaultyNetwork {
  /**
   * Sets the fault for connections and requests from now on, those that are open included; undefined: none. A connection on which
   * everything stopped stays like that.
   */
  set(fault: NetworkFault | undefined): void
  /** Resets the connections that are open now, but for those on which everything stopped; new ones are served. */
  dropConnections(): void
  /** Connections of clients that are open now: a store that was disposed of, or a call that was aborted, leaves none. */
  openConnections(): number
  /** How often the fault that is set has struck. */
  struck(): number
}

/** Short times, so that cases take milliseconds. */
export interface FaultCaseLimits {
  readonly connectTimeoutMs: number
  readonly idleTimeoutMs: number
  readonly maxAttempts: number
  /** The policy for `NetworkStoreOptions.retry`: short waits, which the case looks at. */
  readonly retry: RetryPolicy
}

/** Expressions for the request line of a store that speaks HTTP, such as `/^PUT .*[?&]partNumber=/`; what is left out is n/a. */
export interface RequestLines {
  /** Stores an object in one request. */
  readonly whole?: RegExp
  /** Stores a part. */
  readonly part?: RegExp
  /** Makes an object of its parts. */
  readonly complete?: RegExp
  /** Reads an object's bytes. */
  readonly get?: RegExp
  readonly delete?: RegExp
}

/** What a backend supplies to have its fault cases run: one for all that run one after the other, or one for each case. */
export interface NetworkFixture {
  readonly network: FaultyNetwork
  /** Whether the store speaks HTTP, so that answers can be made up. */
  readonly http: boolean
  /** Bodies above this go in parts; undefined where the store has none. Small in tests where the store allows it. */
  readonly partBytes: number | undefined
  readonly requests?: RequestLines
  /** A new store, without wrappers, whose connections go through the network. The case disposes of it. */
  open(limits: FaultCaseLimits): Promise<ObjectStore>
  /** The same with an endpoint whose name has no address, such as `storage.invalid`; n/a without it. */
  readonly openUnresolvable?: (limits: FaultCaseLimits) => Promise<ObjectStore>
  /** The same place, reached directly. */
  readonly direct: ObjectStore
  /** Unfinished uploads, temporary files and segments below `prefix` that a listing does not show: there must be none after a failure. */
  leftovers(prefix: string): Promise<number>
  /** Faults that cannot exist here, by their number, each with the reason: they stand as n/a in the table of cases. */
  readonly notApplicable?: Readonly<Record<string, string>>
}

/** One promise about a bad day. */
export interface NetworkFaultCase {
  /** `F1` to `F18`; `slow` and `abort` for what has no number. */
  readonly fault: string
  readonly name: string
  /** The reason why the case cannot apply to this backend; undefined when it does. */
  notApplicable(fixture: NetworkFixture): string | undefined
  /** Throws when the promise is broken. */
  run(fixture: NetworkFixture): Promise<void>
}
