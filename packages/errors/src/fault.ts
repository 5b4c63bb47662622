/** What went wrong, from the caller's point of view. The command line maps each kind to one exit code. */
export type FaultKind =
  | 'not-found' // the named thing does not exist; never used for "could not tell"
  | 'already-exists' // a create-only write found something there
  | 'conflict' // different bytes under a stored name, an ambiguous selector, a held lock
  | 'denied' // credentials or permissions are missing or insufficient
  | 'invalid' // the caller's input or settings are wrong
  | 'unavailable' // the service did not answer, or asked to slow down
  | 'corrupt' // bytes do not match their checksum, format or key, or end early
  | 'unsupported' // this store, codec or server version cannot do it
  | 'aborted' // the caller's AbortSignal fired
  | 'internal' // an assertion failed: a bug in this project

/** The optional parts of a fault. */
export interface FaultOptions {
  /** Safe to show and to log; secrets never go in here. */
  readonly context?: Readonly<Record<string, string | number | boolean>>
  /** One sentence telling a person what to do next. */
  readonly hint?: string
  /** The error underneath, kept as it was. */
  readonly cause?: unknown
  /** Defaults to true for `unavailable` and false for every other kind. */
  readonly retryable?: boolean
}

const BRAND = Symbol.for('waltz.Fault')

/** The one error class that crosses a package boundary. */
export class Fault extends Error {
  readonly kind: FaultKind
  /** Stable and documented in docs/reference/errors.md, for example `STORAGE_NOT_FOUND`. */
  readonly code: string
  readonly retryable: boolean
  readonly hint: string | undefined
  readonly context: Readonly<Record<string, string | number | boolean>>

  constructor(kind: FaultKind, code: string, message: string, options: FaultOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'Fault'
    this.kind = kind
    this.code = code
    this.retryable = options.retryable ?? kind === 'unavailable'
    this.hint = options.hint
    this.context = options.context ?? {}
  }
}

Object.defineProperty(Fault.prototype, BRAND, { value: true })

/**
 * Whether `value` is a fault, optionally of one kind. Branded rather than `instanceof`, so that two installed copies
 * of this package still recognise each other's faults.
 */
export function isFault(value: unknown, kind?: FaultKind): value is Fault {
  if (typeof value !== 'object' || value === null || !(BRAND in value)) return false
  return kind === undefined || (value as { kind?: unknown }).kind === kind
}

/**
 * Reports a broken invariant of this project. Never used to validate input from outside the process.
 * @throws Fault `internal` `ASSERTION_FAILED` when `condition` is falsy.
 */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Fault('internal', 'ASSERTION_FAILED', message)
}
