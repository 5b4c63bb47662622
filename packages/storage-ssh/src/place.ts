import { Fault, throwIfAborted } from '@waltz/errors'
import type { BlockPool } from '@waltz/bytes'
import {
  DEFAULT_IDLE_TIMEOUT_MS,
  notFoundFault,
  untilAborted,
  watchForStall,
  type ByteBudget,
  type NameSource,
  type Removals,
  type Sleep,
} from '@waltz/storage'
import type { SFTPWrapper, Stats } from 'ssh2'
import { answerFault, isMissing, type Doing } from './errors.ts'
import type { SessionPool } from './pool.ts'
import { statsOf, type Answer, type FoundStats, type Session } from './session.ts'

/** Where one store lives, and what its calls share. */
export interface Place extends NameSource {
  readonly root: string
  /** For messages. */
  readonly location: string
  readonly pool: SessionPool
  readonly budget: ByteBudget
  readonly idleTimeoutMs: number | undefined
  readonly sleep: Sleep
  /** For reading: all bodies take their blocks from here. */
  readonly readBlocks: BlockPool
  /** Keys of folders made by this store whose own directory entry may not be on disk yet. */
  readonly unsynced: Set<string>
  /** Of temporary files; they go on after puts that were aborted. */
  readonly removals: Removals
  /** What the proof of plain renames found, once it was asked for. */
  renameRefuses: Promise<boolean> | undefined
}

/** One call of the store that talks to the server. */
export interface Operation {
  readonly place: Place
  readonly session: Session
  /** Fires with the caller's, or when nothing moved for too long. */
  readonly signal: AbortSignal
  readonly at: Doing
  /** One request. Rejects with the server's answer (an error with a numeric `code`), or with a fault. */
  readonly call: <T>(request: (sftp: SFTPWrapper, answer: Answer<T>) => void) => Promise<T>
}

/** The path of a key, or of a folder of keys (which ends in '/'). */
export function pathOf({ root }: Pick<Place, 'root'>, key: string): string {
  return root.endsWith('/') ? root + key : `${root}/${key}`
}

/** The keys of the folders of a key, outermost first, without their last '/'; empty for a key directly below the root. */
export function foldersOf(key: string): string[] {
  const folders: string[] = []
  for (let slash = key.indexOf('/'); slash >= 0; slash = key.indexOf('/', slash + 1)) folders.push(key.slice(0, slash))
  return folders
}

/**
 * Runs `run` with a connection. What the server answered is thrown as a fault, and a connection on which nothing moves any more is
 * given up, because everything else on it would wait just as long.
 */
export async function operate<T>(
  place: Place,
  { doing, signal }: { readonly doing: string; readonly signal: AbortSignal | undefined },
  run: (operation: Operation) => Promise<T>,
): Promise<T> {
  throwIfAborted(signal)
  const { location } = place
  const lease = await place.pool.lease({ doing, location }, signal)
  try {
    return await watched({ place, session: lease.session, doing, signal }, run)
  } finally {
    lease.release()
  }
}

/** What a watched piece of work needs. */
export interface Watched {
  readonly place: Place
  readonly session: Session
  readonly doing: string
  readonly signal: AbortSignal | undefined
}

/** The same with a connection at hand. */
export async function watched<T>({ place, session, doing, signal }: Watched, run: (operation: Operation) => Promise<T>): Promise<T> {
  const { location, sleep, idleTimeoutMs = DEFAULT_IDLE_TIMEOUT_MS } = place
  const watch = watchForStall({ idleMs: idleTimeoutMs, sleep, doing, location, signal })
  const stopListening = session.onProgress(() => watch.progressed())
  const at = { doing, location }
  const operation: Operation = {
    place,
    session,
    signal: watch.signal,
    at,
    call: (request) => untilAborted(session.call(request, at), watch.signal),
  }
  try {
    return await run(operation)
  } catch (error) {
    const fault = watch.faultOf(error)
    if (signal?.aborted === true) session.doubt()
    else if (watch.signal.aborted) session.destroy(fault as Error)
    throw answerFault(fault, at)
  } finally {
    watch.stop()
    stopListening()
  }
}

/** What is at a path, links followed; rejects with the server's answer. */
export async function statPath(operation: Operation, path: string): Promise<FoundStats> {
  return statsOf(await operation.call<Stats>((sftp, answer) => sftp.stat(path, answer)))
}

/** The same; undefined when nothing is there. */
export async function statIfThere(operation: Operation, path: string): Promise<FoundStats | undefined> {
  try {
    return await statPath(operation, path)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

const HINT = 'check that its disk is mounted on the server and that the path is right; it is never created for you'

/**
 * Throws when the root cannot be used. Asked whenever something below is missing: a disk that is not mounted must never look like an
 * empty repository.
 */
export async function requireRoot(operation: Operation): Promise<void> {
  const { root, location } = operation.place
  const found = await statIfThere(operation, root)
  if (found?.kind === 'folder') return
  const what = found === undefined ? 'is not there' : 'is not a folder'
  throw new Fault('unavailable', 'STORAGE_ROOT_MISSING', `the repository folder ${root} ${what} on the server of ${location}`, {
    hint: HINT,
    context: { root, location },
    retryable: false,
  })
}

/** The fault for a key that the server does not have: `not-found` only when the root is there. */
export async function missingFault(operation: Operation, key: string): Promise<Error> {
  await requireRoot(operation)
  return notFoundFault(key, operation.place.location)
}
