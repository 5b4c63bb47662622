import { isFault } from '@waltz/errors'
import type { NetworkFault, NetworkFaultCase, RequestLines } from './faulty-network.ts'
import { expectBytes, expectFault, expectSame, expectThat, listGroupNames, listKeys, readBytes } from './expect.ts'
import {
  all,
  ASKED_PAUSE_MS,
  defineNetworkCase,
  expectFaultOf,
  expectNothingStored,
  expectStruck,
  inParts,
  overHttp,
  tells,
  threeParts,
  wholeBytes,
  type NetworkScope,
} from './network-case.ts'
import { readsFail } from './network-download-cases.ts'
import { chunked, patternBytes, textSource } from './sources.ts'

type Answer = Extract<NetworkFault, { readonly kind: 'answer' }>

const BUSY = [429, 503]
const BROKEN = [429, 500, 502, 503, 504]
/** Statuses that tell little of what has happened. The first ones every store tries again. */
const IN_THE_MIDDLE = [500, 503, 429, 408, 409, 425, 499, 502, 504]
const TRIED_AGAIN = 3

/** Answers of servers that are busy, broken or lying. */
export const networkAnswerCases: readonly NetworkFaultCase[] = [
  ...BUSY.map((status) =>
    defineNetworkCase('F6', `every call outlives a storm of ${status}, and waits as long as it is asked to`, overHttp, (scope) =>
      outlives(scope, { kind: 'answer', status, headers: { 'retry-after': '1' }, times: 2 }),
    ),
  ),
  ...BROKEN.map((status) =>
    defineNetworkCase('F6', `${status} without end is unavailable, never not-found, and leaves nothing`, overHttp, async (scope) => {
      const fault: Answer = { kind: 'answer', status }
      await readsFail(scope, fault, ['STORAGE_THROTTLED', 'STORAGE_SERVER_FAILED'])
      await putFails(scope, fault)
    }),
  ),
  ...IN_THE_MIDDLE.map((status, index) =>
    defineNetworkCase('F7', `${status} to a part in the middle of an upload`, all(overHttp, inParts, tells('part')), (scope) =>
      rightOrNothing(scope, { kind: 'answer', status, times: 1 }, { request: 'part', mustSucceed: index < TRIED_AGAIN }),
    ),
  ),
  ...IN_THE_MIDDLE.map((status, index) =>
    defineNetworkCase('F7', `${status} to the end of an upload in parts`, all(overHttp, inParts, tells('complete')), (scope) =>
      rightOrNothing(scope, { kind: 'answer', status, times: 1 }, { request: 'complete', mustSucceed: index < TRIED_AGAIN }),
    ),
  ),
  ...(['whole', 'complete'] as const).map((request) =>
    defineNetworkCase(
      'F8',
      `200 with an error as its body is no success (${request})`,
      request === 'whole' ? all(overHttp, tells(request)) : all(overHttp, inParts, tells(request)),
      (scope) => rightOrNothing(scope, FALSE_SUCCESS, { request, mustSucceed: false }),
    ),
  ),
  ...[401, 403].map((status) =>
    defineNetworkCase('F12', `${status} from one moment on is denied, never not-found, and changes nothing`, overHttp, (scope) =>
      denied(scope, status),
    ),
  ),
  defineNetworkCase('F17', 'a condition that the server does not know is never dropped in silence', all(overHttp, tells('whole')), kept),
]

const FALSE_SUCCESS: Answer = {
  kind: 'answer',
  status: 200,
  headers: { 'content-type': 'application/xml' },
  body: '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>InternalError</Code><Message>We failed.</Message></Error>',
  times: 1,
}

async function outlives({ network, direct, prefix, at, open }: NetworkScope, fault: Answer): Promise<void> {
  const object = new TextEncoder().encode('bytes')
  await direct.put(at('object'), textSource('bytes'))
  const { store, retries } = await open()
  const calls: readonly (readonly [string, () => Promise<void>])[] = [
    ['head', async () => expectSame((await store.head(at('object'))).size, 5, 'head')],
    ['get', async () => expectBytes(await readBytes(store, at('object')), object, 'get')],
    ['list', async () => expectSame(await listKeys(store, prefix), [at('object')], 'list')],
    ['listGroups', async () => expectSame(await listGroupNames(store, prefix), [], 'listGroups')],
    ['put', async () => void (await store.put(at('zz'), textSource('new')))],
    ['delete', async () => store.delete([at('zz')])],
  ]
  for (const [name, call] of calls) {
    const before = retries.length
    network.set(fault)
    await call()
    expectSame(network.struck(), 2, `${name}: busy answers`)
    network.set(undefined)
    const waits = retries.slice(before).map(({ delayMs }) => delayMs)
    expectThat(
      waits.length === 2 && waits.every((ms) => ms >= ASKED_PAUSE_MS),
      `${name}: waits of ${waits.join(' and ')} ms; the server asked for more than ${ASKED_PAUSE_MS}, twice`,
    )
  }
  expectSame(await listKeys(direct, prefix), [at('object')], 'what is there')
}

async function putFails(scope: NetworkScope, fault: Answer): Promise<void> {
  const { network, at, open, fixture } = scope
  const { store } = await open({ maxAttempts: 2 })
  network.set(fault)
  const codes = ['STORAGE_THROTTLED', 'STORAGE_SERVER_FAILED']
  for (const size of [wholeBytes(fixture), threeParts(fixture)]) {
    await expectFaultOf(() => store.put(at('new'), chunked(patternBytes(size))), 'put', { kinds: ['unavailable'], codes })
  }
  expectStruck(network, fault)
  network.set(undefined)
  await expectNothingStored(scope, at('new'))
}

interface Strike {
  readonly request: keyof RequestLines
  readonly mustSucceed: boolean
}

async function rightOrNothing(scope: NetworkScope, fault: Answer, { request, mustSucceed }: Strike): Promise<void> {
  const { fixture, network, direct, at, open } = scope
  const { store } = await open()
  const bytes = patternBytes(request === 'whole' ? wholeBytes(fixture) : threeParts(fixture))
  network.set({ ...fault, matching: fixture.requests?.[request] as RegExp })
  const outcome = await store.put(at('object'), chunked(bytes)).catch((error: unknown) => error)
  expectStruck(network, fault)
  network.set(undefined)
  if (!isFault(outcome)) {
    if (outcome instanceof Error) throw outcome
    expectBytes(await readBytes(direct, at('object')), bytes, 'what was stored')
    return
  }
  expectThat(!mustSucceed, `a single ${fault.status} has ended the upload: ${outcome.code} ${outcome.message}`)
  expectThat(outcome.kind !== 'not-found', 'an upload is called not-found')
  await expectNothingStored(scope, at('object'))
}

async function denied({ network, direct, prefix, at, open }: NetworkScope, status: number): Promise<void> {
  await direct.put(at('object'), textSource('bytes'))
  const { store } = await open({ maxAttempts: 2 })
  expectSame((await store.head(at('object'))).size, 5, 'head, as long as all is well')
  const fault: Answer = { kind: 'answer', status }
  network.set(fault)
  await expectFault('denied', () => store.head(at('object')), 'head')
  await expectFault('denied', () => store.head(at('missing')), 'head of what is missing')
  await expectFault('denied', () => readBytes(store, at('object')), 'get')
  await expectFault('denied', () => listKeys(store, prefix), 'list')
  await expectFault('denied', () => listGroupNames(store, prefix), 'listGroups')
  await expectFault('denied', () => store.put(at('object'), textSource('other')), 'put')
  await expectFault('denied', () => store.delete([at('object')]), 'delete')
  expectStruck(network, fault)
  network.set(undefined)
  expectBytes(await readBytes(direct, at('object')), new TextEncoder().encode('bytes'), 'the object')
}

/** The server says once that it cannot do that. What follows may be a refusal, or the same condition again, never a put without it. */
async function kept({ fixture, network, direct, at, open }: NetworkScope): Promise<void> {
  const { store } = await open()
  if (!store.capabilities.conditionalPut) {
    await expectFault('unsupported', () => store.put(at('object'), textSource('x'), { onlyIfAbsent: true }), 'a put on a condition')
    return
  }
  await direct.put(at('object'), textSource('first'))
  const fault: Answer = { kind: 'answer', status: 501, matching: fixture.requests?.whole as RegExp, times: 1 }
  network.set(fault)
  const kinds = ['already-exists', 'unsupported', 'unavailable', 'invalid']
  await expectFaultOf(() => store.put(at('object'), textSource('second'), { onlyIfAbsent: true }), 'a put on a condition', { kinds })
  expectStruck(network, fault)
  network.set(undefined)
  expectBytes(await readBytes(direct, at('object')), new TextEncoder().encode('first'), 'the object that was there')
}
