import { isFault, type Fault } from '@waltz/errors'
import type { CallOptions, ObjectStore } from '@waltz/storage'
import type { WalArchive } from '@waltz/wal-archive'
import { partlyUnavailable, readFromAll, type Silence } from './read-from-all.ts'
import type { KnownStorage } from './storage-pool.ts'

/** What an archive over several storages is made from. */
export interface WalOfAllOptions {
  /** The archive in the storage that is written to; opened when something is written. */
  readonly writing: () => Promise<WalArchive>
  /** What is known of the storages; cheap when asked again. */
  readonly judge: (options?: CallOptions) => Promise<readonly KnownStorage[]>
  /** An archive in any store. */
  readonly open: (store: ObjectStore) => Promise<WalArchive>
  /** How long a storage that is believed dead may take to begin an answer. */
  readonly timeoutMs: number
}

/**
 * One archive over several storages: WAL goes to the first that is alive, and comes from any (RF 10.2). What those that are alive have is
 * taken from them; what they lack is asked of the others as well, and only when all have answered something is said to be nowhere.
 */
export function walOfAll(options: WalOfAllOptions): WalArchive {
  const { writing } = options
  const find = <Result>(what: string, search: Search<Result>): Promise<Result> => searchAll(options, what, search)
  const complete = async (signal: AbortSignal | undefined): Promise<WalArchive> => {
    const known = await options.judge(callOf(signal))
    const dead = known.filter(({ alive }) => !alive)
    if (dead.length > 0) throw partlyUnavailable('which WAL is archived', dead.map(silenceOf))
    return await options.open(readFromAll(known.map(({ storage }) => storage)))
  }
  return {
    push: async (name, body, call) => (await writing()).push(name, body, call),
    admit: async (systemIdentifier, call) => (await writing()).admit(systemIdentifier, call),
    ensureRange: async (request) => (await writing()).ensureRange(request),
    fetch: (name, call) => find(`whether ${name} is archived`, { signal: call?.signal, ask: (archive) => archive.fetch(name, call) }),
    fetchToFile: (request) =>
      find(`whether ${request.name} is archived`, { signal: request.signal, ask: (archive) => archive.fetchToFile(request) }),
    async *list(call) {
      yield* (await complete(call?.signal)).list(call)
    },
    timelines: async (call) => (await complete(call?.signal)).timelines(call),
    has: (name, call) =>
      find(`whether ${name} is archived`, { signal: call?.signal, ask: (archive) => archive.has(name, call), isNothing: (has) => !has }),
    history: (timeline, call) =>
      find(`whether the history of timeline ${timeline} is archived`, {
        signal: call?.signal,
        ask: (archive) => archive.history(timeline, call),
        isNothing: (history) => history === undefined,
      }),
    verify: async (from, to, call) => (await complete(call?.signal)).verify(from, to, call),
    segmentTimes: (name, call) =>
      find(`whether ${name} is archived`, { signal: call?.signal, ask: (archive) => archive.segmentTimes(name, call) }),
  }
}

interface Search<Result> {
  readonly signal: AbortSignal | undefined
  readonly ask: (archive: WalArchive) => Promise<Result>
  /** Whether a result says that there is nothing; a fault says it in any case. */
  readonly isNothing?: (result: Result) => boolean
}

type Outcome<Result> = { readonly result: Result } | { readonly fault: Fault }

async function searchAll<Result>(
  { judge, open, timeoutMs }: WalOfAllOptions,
  what: string,
  { signal, ask, isNothing = () => false }: Search<Result>,
): Promise<Result> {
  const known = await judge(callOf(signal))
  const silent: Silence[] = []
  const onSilence = (silence: Silence): number => silent.push(silence)
  const isFound = (outcome: Outcome<Result>): outcome is { readonly result: Result } => 'result' in outcome && !isNothing(outcome.result)
  const alive = known.filter((one) => one.alive).map(({ storage }) => storage)
  const dead = known.filter((one) => !one.alive).map(({ storage: { name, impatient } }) => ({ name, store: impatient }))
  const outcomes: Outcome<Result>[] = []
  for (const store of [
    ...(alive.length > 0 ? [readFromAll(alive, { onSilence })] : []),
    ...(dead.length > 0 ? [readFromAll(dead, { onSilence, timeoutMs })] : []),
  ]) {
    const outcome = await outcomeOf(ask(await open(store)))
    if (isFound(outcome)) return outcome.result
    outcomes.push(outcome)
  }
  if (silent.length > 0) throw partlyUnavailable(what, silent)
  // Everybody answered: those that are alive have most to say about holes and ends.
  const [first] = outcomes
  if (first !== undefined && 'result' in first) return first.result
  throw first?.fault ?? partlyUnavailable(what, [])
}

/** Faults of an archive that mean "not here", as far as one storage can tell. */
const NOT_HERE: ReadonlySet<string> = new Set(['WAL_NOT_FOUND', 'WAL_HOLE', 'WAL_HISTORY_HOLE', 'WAL_ARCHIVE_EMPTY'])

async function outcomeOf<Result>(work: Promise<Result>): Promise<Outcome<Result>> {
  try {
    return { result: await work }
  } catch (error) {
    if (isFault(error) && (NOT_HERE.has(error.code) || error.kind === 'not-found')) return { fault: error }
    throw error
  }
}

function silenceOf({ storage, why }: KnownStorage): Silence {
  return { name: storage.name, why: why ?? '' }
}

function callOf(signal: AbortSignal | undefined): CallOptions {
  return signal === undefined ? {} : { signal }
}

/**
 * The same for a backup that waits for its WAL: a storage that does not answer is no reason to end the backup, as long as the WAL arrives
 * in another one within the time allowed.
 */
export function patientWal(archive: WalArchive, report: (message: string) => void): WalArchive {
  let told = false
  return {
    ...archive,
    async has(name, options) {
      try {
        return await archive.has(name, options)
      } catch (error) {
        if (!isFault(error, 'unavailable') || error.code !== 'STORAGE_PARTLY_UNAVAILABLE') throw error
        if (!told) report(error.message)
        told = true
        return false
      }
    },
  }
}
