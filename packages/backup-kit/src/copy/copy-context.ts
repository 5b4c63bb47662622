import { Fault, isFault } from '@waltz/errors'
import type { Amount } from '@waltz/repository/rotation'
import type { CallOptions, ObjectStore } from '@waltz/storage'
import type { CopyEvent, CopyOptions, CopyOutcome } from './copy-options.ts'
import { createStoredRoute, type StoredRoute } from './stored-route.ts'

/** What the steps of a copy work with. */
export interface CopyContext {
  readonly from: ObjectStore
  readonly to: ObjectStore
  readonly options: CopyOptions
  readonly route: StoredRoute
  readonly call: CallOptions
  readonly lanes: number
  readonly dryRun: boolean
  /** Whether equal sizes are enough. */
  readonly bySize: boolean
  report(event: CopyEvent): void
  /** Reports a warning, and keeps it for the result. */
  warn(message: string): void
  readonly warnings: readonly string[]
}

const LANES = 4

/** The context of one copy. */
export function createCopyContext(options: CopyOptions): CopyContext {
  const warnings: string[] = []
  const { from, to, signal, reencrypt = false, recompress = false } = options
  const report = (event: CopyEvent): void => options.observe?.(event)
  return {
    from: from.store,
    to: to.store,
    options,
    route: createStoredRoute({ from, to, reencrypt, recompress }),
    call: signal === undefined ? {} : { signal },
    lanes: Math.max(1, options.objectsAtOnce ?? LANES),
    dryRun: options.dryRun === true,
    bySize: options.compare === 'size',
    report,
    warn(message) {
      warnings.push(message)
      report({ type: 'warning', message })
    },
    warnings,
  }
}

/** Counts what went by. */
export interface CopyTally {
  sent: Amount
  present: Amount
  done(key: string, outcome: CopyOutcome, bytes: number): void
}

/** A tally that reports every object. */
export function createTally(context: CopyContext): CopyTally {
  const tally: CopyTally = {
    sent: { objects: 0, bytes: 0 },
    present: { objects: 0, bytes: 0 },
    done(key, outcome, bytes) {
      const side = outcome === 'present' ? 'present' : 'sent'
      tally[side] = { objects: tally[side].objects + 1, bytes: tally[side].bytes + bytes }
      context.report({ type: 'object', key, outcome, bytes })
    },
  }
  return tally
}

/** What a failure is told as. */
export function faultOf(error: unknown, key: string): Fault {
  if (isFault(error)) return error
  const message = error instanceof Error ? error.message : String(error)
  return new Fault('internal', 'COPY_FAILED', `${key}: ${message}`, { cause: error, context: { key } })
}
