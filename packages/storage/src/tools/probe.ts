import { isFault, throwIfAborted } from '@waltz/errors'
import type { StoreMaintenance } from '../maintenance.ts'
import type { CallOptions, ObjectStore } from '../object-store.ts'
import { basicChecks } from './probe-basics.ts'
import { conditionChecks } from './probe-conditions.ts'
import { speedChecks } from './probe-speed.ts'
import { transferChecks } from './probe-transfers.ts'

/** What a check needs. */
export interface ProbeContext {
  readonly store: ObjectStore
  readonly maintenance: StoreMaintenance | undefined
  /** A key below the folder of this probe. */
  readonly at: (name: string) => string
  /** The folder, ending in '/'. */
  readonly folder: string
  readonly now: () => Date
  /** Milliseconds that only run forward, from any start. */
  readonly clock: () => number
  readonly largeBytes: number
  readonly concurrencies: readonly number[]
  readonly call: CallOptions
}

/** One question to a store. */
export interface ProbeCheck {
  /** Stable, for programs. */
  readonly id: string
  readonly title: string
  /** Throws, or tells, when the answer is not what a backup needs. */
  readonly run: (context: ProbeContext) => Promise<ProbeAnswer>
}

/** `ok`; `limited`: works, but something is missing or slow; `failed`: backups are not safe here; `skipped`: does not apply. */
export type ProbeOutcome = 'ok' | 'limited' | 'failed' | 'skipped'

/** What a check found. */
export interface ProbeAnswer {
  readonly outcome: ProbeOutcome
  readonly detail: string
  /** Settings that fit better than the present ones. */
  readonly recommends?: readonly ProbeAdvice[]
}

/** A setting to be changed, and why. */
export interface ProbeAdvice {
  readonly setting: string
  readonly value: string
  readonly why: string
}

/** One answered question. */
export interface ProbeResult extends ProbeAnswer {
  readonly id: string
  readonly title: string
  readonly ms: number
}

/** All of them. */
export interface ProbeReport {
  readonly location: string
  readonly results: readonly ProbeResult[]
  readonly recommends: readonly ProbeAdvice[]
  /** What could not be removed again; empty when the store is as it was before. */
  readonly leftovers: readonly string[]
}

/** How to probe. */
export interface ProbeOptions extends CallOptions {
  readonly maintenance?: StoreMaintenance
  readonly now: () => Date
  readonly clock: () => number
  /** As many random lower-case hexadecimal digits as asked for; names the folder. */
  readonly randomHex: (digits: number) => string
  /** Size of the large objects in bytes; 32 MiB unless given. Above the part size, uploads in parts are probed too. */
  readonly largeBytes?: number
  /** Numbers of transfers at once to be tried; 1, 2, 4 and 8 unless given. */
  readonly concurrencies?: readonly number[]
  readonly onResult?: (result: ProbeResult) => void
}

const LARGE_BYTES = 32 * 2 ** 20
const CONCURRENCIES = [1, 2, 4, 8]

/** All checks, in the order in which they run: those that later ones rely on come first. */
export const probeChecks: readonly ProbeCheck[] = [...basicChecks, ...transferChecks, ...conditionChecks, ...speedChecks]

/**
 * Asks a store, by trying, what it can do: whether it keeps the promises that backups rely on, and how fast it is. Works below a new
 * folder `waltz-probe-…/`, which is removed at the end. A check that fails does not stop the others.
 * @throws Fault `aborted`; never what a check met, which is told in its result.
 */
export async function probeStore(store: ObjectStore, options: ProbeOptions): Promise<ProbeReport> {
  const folder = `waltz-probe-${options.randomHex(12)}/`
  const call = options.signal === undefined ? {} : { signal: options.signal }
  const context: ProbeContext = {
    store,
    maintenance: options.maintenance,
    folder,
    at: (name) => folder + name,
    now: options.now,
    clock: options.clock,
    largeBytes: options.largeBytes ?? LARGE_BYTES,
    concurrencies: options.concurrencies ?? CONCURRENCIES,
    call,
  }
  const results: ProbeResult[] = []
  try {
    for (const check of probeChecks) {
      const result = await answer(check, context)
      throwIfAborted(options.signal)
      results.push(result)
      options.onResult?.(result)
    }
  } catch (error) {
    await cleanUp({ ...context, call: {} })
    throw error
  }
  const leftovers = await cleanUp(context)
  return { location: store.location, results, recommends: results.flatMap((result) => result.recommends ?? []), leftovers }
}

async function answer({ id, title, run }: ProbeCheck, context: ProbeContext): Promise<ProbeResult> {
  const startedAt = context.clock()
  const timed = (given: ProbeAnswer): ProbeResult => ({ id, title, ...given, ms: Math.round(context.clock() - startedAt) })
  try {
    return timed(await run(context))
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    return timed({ outcome: 'failed', detail: isFault(error) && error.hint !== undefined ? `${text}; ${error.hint}` : text })
  }
}

/** Removes what the probe stored. What stays is named: a key that may write and not delete is no mistake. */
async function cleanUp({ store, maintenance, folder, call }: ProbeContext): Promise<readonly string[]> {
  const problems: string[] = []
  const attempt = async (what: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work()
    } catch (error) {
      problems.push(`${what}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  await attempt(folder, async () => {
    const keys: string[] = []
    for await (const { key } of store.list(folder, call)) keys.push(key)
    await store.delete(keys, call)
    for await (const { key } of store.list(folder, call)) problems.push(key)
  })
  if (maintenance !== undefined) {
    await attempt('unfinished uploads', async () => {
      for await (const upload of maintenance.unfinishedUploads(folder, call)) await maintenance.abandonUpload(upload, call)
    })
  }
  return problems
}
