import { isFault } from '@waltz/errors'
import { concatBytes } from '@waltz/bytes'
import type { ObjectBody, ObjectStore } from '../object-store.ts'
import type { NetworkFault, NetworkFaultCase } from './faulty-network.ts'
import { expectBytes, expectSame, expectThat, listGroupNames, listKeys, readBytes } from './expect.ts'
import { always, defineNetworkCase, expectFaultOf, expectStruck, NO_ANSWER, pause, type NetworkScope } from './network-case.ts'
import { chunked, patternBytes, textSource } from './sources.ts'

/** More than the buffers between server and client hold. */
const BIG_BYTES = 16_000_000
const MIDDLE = 1_000_000

interface DownloadFault {
  readonly number: string
  readonly words: string
  readonly fault: NetworkFault
}

const BREAKS: readonly DownloadFault[] = [
  { number: 'F2', words: 'stalls in the middle', fault: { kind: 'stall-download', afterBytes: MIDDLE, times: 1 } },
  { number: 'F5', words: 'is reset in the middle', fault: { kind: 'reset-download', afterBytes: MIDDLE, times: 1 } },
  { number: 'F5', words: 'is reset again and again', fault: { kind: 'reset-download', afterBytes: MIDDLE, times: 6 } },
  { number: 'F9', words: 'ends too early', fault: { kind: 'cut-download', afterBytes: MIDDLE, times: 1 } },
]

const SILENCES: readonly DownloadFault[] = [
  { number: 'F3', words: 'no answer', fault: { kind: 'stall-download', afterBytes: 0 } },
  { number: 'F4', words: 'a server that accepts and says nothing', fault: { kind: 'silence' } },
  { number: 'F5', words: 'a reset instead of an answer', fault: { kind: 'reset-download', afterBytes: 0 } },
  { number: 'F9', words: 'an end instead of an answer', fault: { kind: 'cut-download', afterBytes: 0 } },
]

/** Reading over a network that fails. */
export const networkDownloadCases: readonly NetworkFaultCase[] = [
  ...BREAKS.map(({ number, words, fault }) =>
    defineNetworkCase(number, `a download that ${words} goes on where it stopped, byte for byte`, always, (scope) => resumes(scope, fault)),
  ),
  defineNetworkCase('F2', 'a download that stalls for good is unavailable, not short', always, stallsForGood),
  ...SILENCES.map(({ number, words, fault }) =>
    defineNetworkCase(number, `head, get, list and delete after ${words}, once: made again`, always, (scope) => readsAgain(scope, fault)),
  ),
  ...SILENCES.map(({ number, words, fault }) =>
    defineNetworkCase(number, `head, get, list and delete with ${words}, always: unavailable, never not-found`, always, (scope) =>
      readsFail(scope, fault, NO_ANSWER.codes),
    ),
  ),
  defineNetworkCase('F9', 'a listing that ends too early is not taken for a short one', always, listingCut),
  defineNetworkCase('F10', 'a bit flipped in a download is never handed on in silence', always, neverFlipped),
  defineNetworkCase('F5', 'a download is not continued with another object of the same name', always, notAnotherObject),
  defineNetworkCase('F14', 'a refused connection is unavailable, never not-found, and the store works again afterwards', always, refused),
  defineNetworkCase(
    'F14',
    'a name without an address is unavailable, never not-found',
    ({ openUnresolvable }) => (openUnresolvable === undefined ? 'the fixture opens no store with such a name' : undefined),
    unresolvable,
  ),
  defineNetworkCase('F18', 'a connection that was dropped while it was idle is replaced', always, idleDrop),
]

async function resumes({ network, direct, at, open }: NetworkScope, fault: NetworkFault): Promise<void> {
  const bytes = patternBytes(BIG_BYTES)
  await direct.put(at('big'), chunked(bytes))
  const { store, retries } = await open()
  network.set(fault)
  if (store.capabilities.rangedGet) {
    expectBytes(await readBytes(store, at('big')), bytes, 'what was read')
    expectThat(retries.length > 0, 'nothing was made again')
  } else await expectFaultOf(() => readBytes(store, at('big')), 'get', NO_ANSWER)
  expectStruck(network, fault)
  network.set(undefined)
  if (!store.capabilities.rangedGet) return
  network.set({ ...fault, times: 1 })
  const range = { start: 3_000_001, end: BIG_BYTES - 5 }
  expectBytes(await readBytes(store, at('big'), range), bytes.subarray(range.start, range.end), 'a range')
}

async function stallsForGood({ network, direct, at, open }: NetworkScope): Promise<void> {
  await direct.put(at('big'), chunked(patternBytes(BIG_BYTES)))
  const { store } = await open({ maxAttempts: 2 })
  const body = await store.get(at('big'))
  const fault = await expectFaultOf(() => readOn(body, () => network.set({ kind: 'silence' })), 'reading on', NO_ANSWER)
  expectSame(fault.retryable, false, 'retryable, after all attempts')
  await body[Symbol.asyncDispose]()
}

/** Everything, with something done after the first chunk. */
async function readOn(body: ObjectBody, after: () => void): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of body) {
    if (chunks.push(chunk) === 1) after()
  }
  return concatBytes(chunks)
}

/** Every call that is no put, as text. */
const READS: readonly (readonly [name: string, expected: string, call: (store: ObjectStore, prefix: string) => Promise<unknown>])[] = [
  ['head', '5', async (store, prefix) => (await store.head(`${prefix}object`)).size],
  ['get', 'bytes', async (store, prefix) => new TextDecoder().decode(await readBytes(store, `${prefix}object`))],
  ['list', 'object', async (store, prefix) => (await listKeys(store, prefix)).map((key) => key.slice(prefix.length)).join(' ')],
  ['listGroups', '', async (store, prefix) => (await listGroupNames(store, prefix)).join(' ')],
  ['delete', '', async (store, prefix) => (await store.delete([`${prefix}none`])) ?? ''],
]

async function readsAgain({ network, direct, prefix, at, open }: NetworkScope, fault: NetworkFault): Promise<void> {
  await direct.put(at('object'), textSource('bytes'))
  const { store, retries } = await open()
  for (const [name, expected, call] of READS) {
    const before = retries.length
    network.set({ ...fault, times: 1 })
    expectSame(String(await call(store, prefix)), expected, name)
    expectStruck(network, fault)
    expectThat(retries.length > before, `${name}: nothing was made again`)
    network.set(undefined)
  }
}

/** Calls fail with that fault whether the object is there or not. Also used for answers that a server makes up. */
export async function readsFail(
  { network, direct, prefix, at, open }: NetworkScope,
  fault: NetworkFault,
  codes: readonly string[],
): Promise<void> {
  await direct.put(at('object'), textSource('bytes'))
  const { store } = await open({ maxAttempts: 2 })
  network.set(fault)
  const fails = async ([name, , call]: (typeof READS)[number]): Promise<void> => {
    const failure = await expectFaultOf(() => call(store, prefix), name, { kinds: ['unavailable'], codes })
    expectSame(failure.retryable, false, `${name}, retryable after all attempts`)
  }
  await Promise.all(READS.map(fails))
  await expectFaultOf(() => store.head(at('missing')), 'head of what is missing', { kinds: ['unavailable'], codes })
  expectStruck(network, fault)
  network.set(undefined)
  expectSame((await direct.head(at('object'))).size, 5, 'the object')
}

async function listingCut({ network, direct, prefix, at, open }: NetworkScope): Promise<void> {
  const keys = Array.from({ length: 400 }, (_, index) => at(`${String(index).padStart(4, '0')}-${'long'.repeat(8)}`))
  const lane = keys.values()
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (const key of lane) await direct.put(key, textSource('x'))
    }),
  )
  const { store } = await open()
  const fault: NetworkFault = { kind: 'cut-download', afterBytes: 9000, times: 1 }
  network.set(fault)
  expectSame(await listKeys(store, prefix), keys, 'the listing')
  expectStruck(network, fault)
}

async function neverFlipped({ network, direct, at, open }: NetworkScope): Promise<void> {
  const bytes = patternBytes(2_000_000)
  await direct.put(at('object'), chunked(bytes))
  const { store } = await open()
  const fault: NetworkFault = { kind: 'flip-download', afterBytes: MIDDLE, times: 1 }
  network.set(fault)
  const outcome = await readBytes(store, at('object')).catch((error: unknown) => error)
  expectStruck(network, fault)
  if (isFault(outcome)) {
    const { kind, code, message } = outcome
    expectThat(['corrupt', 'unavailable'].includes(kind), `a damaged download is called ${kind} ${code}: ${message}`)
  } else if (outcome instanceof Uint8Array) expectBytes(outcome, bytes, 'what was read')
  else throw outcome
}

async function notAnotherObject({ network, direct, at, open }: NetworkScope): Promise<void> {
  const { store } = await open()
  const versions = [1, 2].map((seed) => patternBytes(BIG_BYTES, seed))
  for (const [what, change] of [
    ['replaced', () => direct.put(at('big'), chunked(versions[1] as Uint8Array))],
    ['deleted', () => direct.delete([at('big')])],
  ] as const) {
    await direct.put(at('big'), chunked(versions[0] as Uint8Array))
    const body = await store.get(at('big'))
    const iterator = body[Symbol.asyncIterator]()
    const first = await iterator.next()
    await change()
    network.dropConnections()
    const rest = async (): Promise<Uint8Array> => {
      const chunks = first.done === true ? [] : [first.value]
      for (let step = await iterator.next(); step.done !== true; step = await iterator.next()) chunks.push(step.value)
      return concatBytes(chunks)
    }
    const outcome = await rest().catch((error: unknown) => error)
    if (isFault(outcome)) expectSame([outcome.kind, outcome.code], ['conflict', 'STORAGE_OBJECT_CHANGED'], what)
    else if (outcome instanceof Uint8Array) expectBytes(outcome, versions[0] as Uint8Array, `${what}: bytes of two objects`)
    else throw outcome
    await body[Symbol.asyncDispose]()
  }
}

async function refused(scope: NetworkScope): Promise<void> {
  const { network, prefix, at, direct, open } = scope
  await direct.put(at('object'), textSource('bytes'))
  const { store } = await open({ maxAttempts: 2 })
  network.set({ kind: 'refuse' })
  const codes = ['STORAGE_UNREACHABLE']
  for (const [name, , call] of READS) await expectFaultOf(() => call(store, prefix), name, { kinds: ['unavailable'], codes })
  await expectFaultOf(() => store.put(at('new'), textSource('x')), 'put', { kinds: ['unavailable'], codes })
  network.set(undefined)
  expectSame((await store.head(at('object'))).size, 5, 'head, when somebody listens again')
  expectSame(await listKeys(direct, prefix), [at('object')], 'what is there')
}

async function unresolvable({ prefix, at, open }: NetworkScope): Promise<void> {
  const { store } = await open({ maxAttempts: 2, unresolvable: true })
  const expected = { kinds: ['unavailable'], codes: ['STORAGE_UNREACHABLE'] }
  for (const [name, , call] of READS) await expectFaultOf(() => call(store, prefix), name, expected)
  await expectFaultOf(() => store.put(at('new'), textSource('x')), 'put', expected)
}

async function idleDrop({ network, direct, prefix, at, open }: NetworkScope): Promise<void> {
  await direct.put(at('object'), textSource('bytes'))
  const { store } = await open()
  for (const [name, expected, call] of READS) {
    expectSame((await store.head(at('object'))).size, 5, 'head')
    network.dropConnections()
    await pause(20)
    expectSame(String(await call(store, prefix)), expected, `${name} after the drop`)
  }
  network.dropConnections()
  await pause(20)
  await store.put(at('new'), textSource('stored'))
  expectBytes(await readBytes(direct, at('new')), new TextEncoder().encode('stored'), 'what was put after the drop')
}
