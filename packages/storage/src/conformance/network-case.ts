import { isFault, type Fault } from '@waltz/errors'
import type { ObjectStore } from '../object-store.ts'
import type { RetryEvent } from '../retry-policy.ts'
import { withRetry } from '../with-retry.ts'
import { expectAbsent, expectSame, expectThat, failureOf } from './expect.ts'
import type { FaultCaseLimits, FaultyNetwork, NetworkFault, NetworkFaultCase, NetworkFixture } from './faulty-network.ts'

/** What one case works with. */
export interface NetworkScope {
  readonly fixture: NetworkFixture
  readonly network: FaultyNetwork
  /** The same place without the network in between. */
  readonly direct: ObjectStore
  /** Ends in '/'. */
  readonly prefix: string
  readonly at: (name: string) => string
  /** Opens the store, to be disposed of when the case ends. */
  readonly open: (limits?: CaseLimits) => Promise<OpenedStore>
}

/** What a case may ask for; the rest is short. */
export type CaseLimits = Partial<Omit<FaultCaseLimits, 'retry'>> & { readonly unresolvable?: boolean }

/** A store behind the network. */
export interface OpenedStore {
  /** As callers use it: reads and listings are made again. */
  readonly store: ObjectStore
  /** Every wait so far, the store's own and those of `store`. */
  readonly retries: readonly RetryEvent[]
}

/** Why a case does not apply to a fixture; undefined when it does. */
export type Applies = (fixture: NetworkFixture) => string | undefined

/** To connect may be to agree on keys, which takes a while where many do so on few cores. */
const SHORT = { connectTimeoutMs: 1500, idleTimeoutMs: 600, maxAttempts: 4 }
/** A pause that a store asks for is cut to this, and so can be told from waits of its own. */
export const ASKED_PAUSE_MS = 40

/** Makes a case that works below a prefix of its own, and that ends with no connection and no leftover. */
export function defineNetworkCase(
  fault: string,
  name: string,
  applies: Applies,
  body: (scope: NetworkScope) => Promise<void>,
): NetworkFaultCase {
  const prefix = `network-faults/${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}/`
  return {
    fault,
    name,
    notApplicable: (fixture) => fixture.notApplicable?.[fault] ?? applies(fixture),
    async run(fixture) {
      const { network, direct } = fixture
      network.set(undefined)
      await clear(direct, prefix)
      const opened: ObjectStore[] = []
      const open = (limits: CaseLimits = {}): Promise<OpenedStore> => openStore(fixture, limits, opened)
      try {
        await body({ fixture, network, direct, prefix, at: (tail) => prefix + tail, open })
      } finally {
        network.set(undefined)
        for (const store of opened) await store[Symbol.asyncDispose]()
      }
      await eventually(() => network.openConnections(), 0, 'connections after the store was disposed of')
      await eventually(() => fixture.leftovers(prefix), 0, 'leftovers')
      await clear(direct, prefix)
    },
  }
}

/** The case applies to every fixture. */
export const always: Applies = () => undefined
/** Only where answers can be made up. */
export const overHttp: Applies = ({ http }) => (http ? undefined : 'the store does not speak HTTP')
/** Only where large objects go in parts. */
export const inParts: Applies = ({ partBytes }) => (partBytes === undefined ? 'the store takes objects in one piece' : undefined)
/** All of them. */
export const all =
  (...conditions: readonly Applies[]): Applies =>
  (fixture) =>
    conditions.map((applies) => applies(fixture)).find((reason) => reason !== undefined)
/** Only where the fixture can tell a kind of request. */
export const tells =
  (request: keyof NonNullable<NetworkFixture['requests']>): Applies =>
  ({ requests }) =>
    requests?.[request] === undefined ? `the store has no request line of its own for: ${request}` : undefined

async function openStore(fixture: NetworkFixture, limits: CaseLimits, opened: ObjectStore[]): Promise<OpenedStore> {
  const { unresolvable = false, ...given } = limits
  const retries: RetryEvent[] = []
  const { maxAttempts = SHORT.maxAttempts } = given
  const retry = {
    maxAttempts,
    baseDelayMs: 1,
    maxDelayMs: ASKED_PAUSE_MS / 4,
    maxRetryAfterMs: ASKED_PAUSE_MS,
    random: () => 0.5,
    sleep: pause,
    onRetry: (event: RetryEvent) => void retries.push(event),
  }
  const all = { ...SHORT, ...given, retry }
  const bare = await (unresolvable ? fixture.openUnresolvable?.(all) : fixture.open(all))
  if (bare === undefined) throw new Error('the fixture opens no such store')
  opened.push(bare)
  return { store: withRetry(bare, retry), retries }
}

/** A wait that a signal ends. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const ended = (): void => {
      clearTimeout(timer)
      reject(signal?.reason as Error)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', ended)
      resolve()
    }, ms)
    if (signal?.aborted === true) ended()
    else signal?.addEventListener('abort', ended, { once: true })
  })
}

const LOOKS = 150
const LOOK_MS = 20

/** Waits until `look` gives `expected`; throws when that does not come. */
export async function eventually(look: () => number | Promise<number>, expected: number, what: string): Promise<void> {
  for (let looks = 1; ; looks += 1) {
    const seen = await look()
    if (seen === expected) return
    if (looks === LOOKS) expectSame(seen, expected, what)
    await pause(LOOK_MS)
  }
}

/** Waits until the fault has struck. */
export async function untilStruck(network: FaultyNetwork): Promise<void> {
  await eventually(() => Math.min(1, network.struck()), 1, 'strikes of the fault')
}

/** Throws unless the fault has struck: otherwise the case has shown nothing. */
export function expectStruck(network: FaultyNetwork, fault: NetworkFault): void {
  expectThat(network.struck() > 0, `the fault ${fault.kind} never struck: nothing was shown`)
}

/** The fault with one of `kinds` and, where given, one of `codes` that `run` rejects with. */
export async function expectFaultOf(
  run: () => Promise<unknown>,
  what: string,
  expected: { readonly kinds: readonly string[]; readonly codes?: readonly string[] },
): Promise<Fault> {
  const error = await failureOf(run, what)
  if (!isFault(error)) throw new Error(`${what}: expected a Fault, got ${String(error)}`, { cause: error })
  const fits = expected.kinds.includes(error.kind) && expected.codes?.includes(error.code) !== false
  if (!fits) {
    const wanted = `${expected.kinds.join(' or ')} ${expected.codes?.join(' or ') ?? ''}`
    throw new Error(`${what}: expected ${wanted}, got ${error.kind} ${error.code}: ${error.message}`, { cause: error })
  }
  return error
}

/** What no answer, a broken or a silent connection is called. */
export const NO_ANSWER = { kinds: ['unavailable'], codes: ['STORAGE_STALLED', 'STORAGE_UNREACHABLE'] } as const

/** Throws unless nothing of a failed put is to be seen and nothing of it is kept. */
export async function expectNothingStored({ fixture, direct, prefix }: NetworkScope, key: string): Promise<void> {
  await expectAbsent(direct, key)
  await eventually(() => fixture.leftovers(prefix), 0, 'leftovers of a put that failed')
}

/** Bytes that go in one request. */
export function wholeBytes({ partBytes }: NetworkFixture): number {
  return Math.min(partBytes ?? WHOLE_BYTES, WHOLE_BYTES)
}

/** Bytes that go in three parts; as many as in one request where there are none. */
export function threeParts(fixture: NetworkFixture): number {
  return fixture.partBytes === undefined ? wholeBytes(fixture) : Math.round(2.5 * fixture.partBytes)
}

/** So many bytes into an upload it is certainly under way. */
export function midway(fixture: NetworkFixture): number {
  return Math.floor(wholeBytes(fixture) / 2)
}

const WHOLE_BYTES = 200_000

async function clear(store: ObjectStore, prefix: string): Promise<void> {
  const keys: string[] = []
  for await (const info of store.list(prefix)) keys.push(info.key)
  await store.delete(keys)
}
