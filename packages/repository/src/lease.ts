import { sourceOf } from '@waltz/bytes'
import { Fault, isFault } from '@waltz/errors'
import { lockOf, type CallOptions, type ObjectStore } from '@waltz/storage'
import { waltzFolder } from './layout.ts'
import { encodeLease, readLease, type LeaseRecord, type StoredLease } from './lease-record.ts'

/** What `createLease` needs. */
export interface LeaseOptions {
  readonly store: Pick<ObjectStore, 'capabilities' | 'head' | 'get' | 'put' | 'delete'>
  /** Such as `leaseKey(backup)`. */
  readonly key: string
  /** Unique per attempt and fit for a key, such as 32 hex digits. */
  readonly id: string
  /** Shown to whoever finds the lease held. */
  readonly holder: { readonly host: string; readonly pid: number }
  /** Only for what people see, and to notice that renewing has failed for too long. */
  readonly now: () => Date
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>
  /** Not renewed for so long, others may take the lease over. Renew at least three times as often. */
  readonly ttlMs: number
  /** How long a take-over waits for a rival's write before it looks who won; 2 s or a tenth of `ttlMs`, whichever is less. */
  readonly settleMs?: number
}

/**
 * Keeps two processes from working on the same backup. Alive or expired is judged by the store's clock alone: the
 * lease object's modification time against that of an object written just now. It guards against double work, not
 * against every race (a process that is stopped for longer than the lease lives does not know it): what must never be
 * overwritten is also written with `onlyIfAbsent`.
 */
export interface Lease {
  /** Rejects with `conflict` `LEASE_HELD` when another holder is alive. Resolves to whether an expired one was taken over. */
  acquire(options?: CallOptions): Promise<{ readonly takenOver: boolean }>
  /** Rejects with `conflict` `LEASE_LOST` when the lease is someone else's or gone. */
  renew(options?: CallOptions): Promise<void>
  /** Deletes the lease if it still is this one, or, where the store locks it for a time, lets it run out; a lost one is left to its holder. */
  release(options?: CallOptions): Promise<void>
  /** Renews three times per `ttlMs` until stopped. */
  keep(): LeaseKeeping
}

/** A lease being renewed in the background. */
export interface LeaseKeeping {
  /** Fires with a `LEASE_LOST` fault as its reason when the lease is lost or could not be renewed in time. */
  readonly lost: AbortSignal
  /** Ends the renewing; resolves when the last renewal has ended. */
  stop(): Promise<void>
}

/** No I/O until `acquire`. */
export function createLease(options: LeaseOptions): Lease {
  const { key, store } = options
  let since = ''
  const write = async (onlyIfAbsent: boolean, call: CallOptions = {}, ttlMs = options.ttlMs): Promise<void> => {
    const { id, holder } = options
    const bytes = encodeLease({ id, ...holder, since, ttlMs })
    await store.put(key, sourceOf(bytes), {
      ...call,
      size: bytes.length,
      contentType: 'application/json',
      shortLived: true,
      ...(onlyIfAbsent ? { onlyIfAbsent } : {}),
    })
  }
  const renew = async (call?: CallOptions): Promise<void> => {
    const current = await readLease(store, key, call)
    if (current?.record?.id !== options.id) throw lostFault(key, current)
    await write(false, call)
  }
  return {
    acquire: async (call) => {
      since = options.now().toISOString()
      return await acquire(options, write, call)
    },
    renew,
    release: async (call) => {
      const current = await readLease(store, key, call)
      if (current?.record?.id !== options.id) return
      try {
        await store.delete([key], call)
      } catch (error) {
        // A store that keeps objects for a time keeps this one, too: then it ends by what is in it.
        if (lockOf(error) === undefined) throw error
        await write(false, call, ENDED_MS)
      }
    },
    keep: () => keep(options, renew),
  }
}

const MAX_ATTEMPTS = 5
const ENDED_MS = 0

type Write = (onlyIfAbsent: boolean, call?: CallOptions) => Promise<void>

async function acquire(options: LeaseOptions, write: Write, call: CallOptions | undefined): Promise<{ readonly takenOver: boolean }> {
  const { store, key, id } = options
  let current: StoredLease | undefined
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    current = await readLease(store, key, call)
    if (current?.record?.id === id) return { takenOver: false }
    if (current === undefined && store.capabilities.conditionalPut) {
      if (await writeIfAbsent(write, call)) return { takenOver: false }
    } else if (await overwrite(options, write, { current, call })) return { takenOver: current !== undefined }
  }
  throw heldFault(key, current, undefined)
}

async function writeIfAbsent(write: Write, call: CallOptions | undefined): Promise<boolean> {
  try {
    await write(true, call)
    return true
  } catch (error) {
    if (isFault(error, 'already-exists')) return false
    throw error
  }
}

/** Replaces an expired lease, or makes one in a store without conditional writes; false when a rival won. */
async function overwrite(
  options: LeaseOptions,
  write: Write,
  { current, call }: { readonly current: StoredLease | undefined; readonly call: CallOptions | undefined },
): Promise<boolean> {
  const { store, key, id } = options
  if (current !== undefined) {
    await requireExpired(options, current, call)
    // Someone may have been faster while the store's clock was asked.
    if (!sameLease(current, await readLease(store, key, call))) return false
  }
  await write(false, call)
  await settle(options, call)
  const winner = await readLease(store, key, call)
  return winner?.record?.id === id
}

function sameLease(left: StoredLease, right: StoredLease | undefined): boolean {
  return right !== undefined && left.record?.id === right.record?.id && left.modifiedAt.getTime() === right.modifiedAt.getTime()
}

async function settle({ sleep, ttlMs, settleMs = Math.min(2000, ttlMs / 10) }: LeaseOptions, call: CallOptions = {}): Promise<void> {
  await sleep(settleMs, call.signal)
}

async function requireExpired(options: LeaseOptions, current: StoredLease, call: CallOptions | undefined): Promise<void> {
  const ageMs = (await storeTime(options, call)).getTime() - current.modifiedAt.getTime()
  const leftMs = (current.record?.ttlMs ?? options.ttlMs) - ageMs
  if (leftMs > 0) throw heldFault(options.key, current, leftMs)
}

/** The store's clock: what modification time it gives to an object written now. */
async function storeTime({ store, id }: LeaseOptions, call: CallOptions | undefined): Promise<Date> {
  const key = `${waltzFolder}clock/${id}`
  await store.put(key, sourceOf('now'), { ...call, size: 3, shortLived: true })
  try {
    const { modifiedAt } = await store.head(key, call)
    return modifiedAt
  } finally {
    await store.delete([key]).catch((error: unknown) => {
      if (lockOf(error) === undefined) throw error
    })
  }
}

function heldFault(key: string, current: StoredLease | undefined, leftMs: number | undefined): Fault {
  const { record } = current ?? {}
  const who = describe(record)
  const wait = leftMs === undefined ? '' : `, or, if it is dead, ${Math.ceil(leftMs / 1000)} s for its lease to run out`
  return new Fault('conflict', 'LEASE_HELD', `${key} is held by ${who}`, {
    context: { key, ...(record === undefined ? {} : { host: record.host, pid: record.pid, since: record.since }) },
    hint: `Wait for that process${wait}.`,
  })
}

function lostFault(key: string, current: StoredLease | undefined): Fault {
  const now = current === undefined ? 'it is gone' : `it is held by ${describe(current.record)}`
  return new Fault('conflict', 'LEASE_LOST', `the lease ${key} was lost: ${now}`, {
    context: { key },
    hint: 'Another process took over after this one did not renew in time. Run the command again.',
  })
}

function describe(record: LeaseRecord | undefined): string {
  return record === undefined ? 'an unknown process' : `process ${record.pid} on ${record.host} since ${record.since}`
}

function keep(options: LeaseOptions, renew: (call?: CallOptions) => Promise<void>): LeaseKeeping {
  const { key, ttlMs, now, sleep } = options
  const lost = new AbortController()
  const stopped = new AbortController()
  const intervalMs = ttlMs / 3

  const run = async (): Promise<void> => {
    let renewedAt = now().getTime()
    while (!stopped.signal.aborted) {
      await sleep(intervalMs, stopped.signal).catch(() => undefined)
      if (stopped.signal.aborted) return
      try {
        await renew()
        renewedAt = now().getTime()
      } catch (error) {
        const failure = renewalFailure(key, error, now().getTime() - renewedAt + intervalMs >= ttlMs)
        if (failure === undefined) continue
        lost.abort(failure)
        return
      }
    }
  }
  const running = run()
  return {
    lost: lost.signal,
    stop: async () => {
      stopped.abort()
      await running
    },
  }
}

/** Undefined while it is worth trying again. */
function renewalFailure(key: string, error: unknown, tooLate: boolean): Fault | undefined {
  if (isFault(error, 'conflict')) return error
  if (!tooLate) return undefined
  return new Fault('conflict', 'LEASE_LOST', `the lease ${key} could not be renewed in time`, {
    context: { key },
    hint: 'The storage did not answer for too long. Check it and run the command again.',
    cause: error,
  })
}
