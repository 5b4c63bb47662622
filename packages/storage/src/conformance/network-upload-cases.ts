import { isFault } from '@waltz/errors'
import type { NetworkFault, NetworkFaultCase, NetworkFixture } from './faulty-network.ts'
import { expectAbsent, expectBytes, expectFault, expectThat, listKeys, readBytes } from './expect.ts'
import {
  all,
  always,
  defineNetworkCase,
  expectFaultOf,
  expectNothingStored,
  expectStruck,
  inParts,
  midway,
  NO_ANSWER,
  tells,
  threeParts,
  wholeBytes,
  type Applies,
  type NetworkScope,
} from './network-case.ts'
import { chunked, patternBytes, textSource } from './sources.ts'

interface Form {
  readonly name: string
  readonly applies: Applies
  readonly bytes: (fixture: NetworkFixture) => number
}

const WHOLE: Form = { name: 'in one request', applies: always, bytes: wholeBytes }
const PARTS: Form = { name: 'in parts', applies: inParts, bytes: threeParts }

interface UploadFault {
  readonly number: string
  readonly words: string
  readonly fault: (fixture: NetworkFixture) => NetworkFault
  readonly forms?: readonly Form[]
  /** The server has the whole request, so it may have stored the object although nobody was told. */
  readonly served?: boolean
}

/** Each strikes while an upload is under way; those that lose the first answer only uploads of one request. */
const FAULTS: readonly UploadFault[] = [
  {
    number: 'F1',
    words: 'stalls in the middle',
    fault: (fixture) => ({ kind: 'stall-upload', afterBytes: midway(fixture) }),
  },
  {
    number: 'F3',
    words: 'gets no answer',
    fault: () => ({ kind: 'stall-download', afterBytes: 0 }),
    forms: [WHOLE],
    served: true,
  },
  { number: 'F4', words: 'meets a server that accepts and says nothing', fault: () => ({ kind: 'silence' }) },
  {
    number: 'F5',
    words: 'is reset in the middle',
    fault: (fixture) => ({ kind: 'reset-upload', afterBytes: midway(fixture) }),
  },
  {
    number: 'F5',
    words: 'is reset instead of answered',
    fault: () => ({ kind: 'reset-download', afterBytes: 0 }),
    forms: [WHOLE],
    served: true,
  },
]

const COMBINATIONS = FAULTS.flatMap((item) => (item.forms ?? [WHOLE, PARTS]).map((form) => ({ ...item, form })))

/** Uploads over a network that fails. */
export const networkUploadCases: readonly NetworkFaultCase[] = [
  ...COMBINATIONS.map(({ number, words, fault, form }) =>
    defineNetworkCase(number, `an upload ${form.name} that ${words} once is made again, byte for byte`, form.applies, (scope) =>
      succeeds(scope, { ...fault(scope.fixture), times: 1 }, form.bytes(scope.fixture)),
    ),
  ),
  ...COMBINATIONS.map(({ number, words, fault, form, served = false }) =>
    defineNetworkCase(
      number,
      `an upload ${form.name} that ${words} every time is unavailable and leaves nothing${served ? ' half-done' : ''}`,
      form.applies,
      (scope) => fails(scope, fault(scope.fixture), { size: form.bytes(scope.fixture), served }),
    ),
  ),
  defineNetworkCase('F5', 'an upload whose connection is reset at every part is stored byte for byte', inParts, (scope) =>
    succeeds(scope, { kind: 'reset-upload', afterBytes: midway(scope.fixture), times: 3 }, threeParts(scope.fixture)),
  ),
  ...(['whole', 'part', 'complete'] as const).map((request) =>
    defineNetworkCase('F3', `the answer to a request is lost (${request}): the upload still ends well`, lost(request), (scope) =>
      succeeds(
        scope,
        { kind: 'lose-answer', matching: scope.fixture.requests?.[request] as RegExp, times: 1 },
        request === 'whole' ? wholeBytes(scope.fixture) : threeParts(scope.fixture),
      ),
    ),
  ),
  ...(['whole', 'complete'] as const).map((request) =>
    defineNetworkCase('F3', `a create-only upload whose answer is lost (${request}) is not beaten by itself`, lost(request), (scope) =>
      createdOnce(scope, request),
    ),
  ),
  ...[WHOLE, PARTS].map((form) =>
    defineNetworkCase('F10', `a bit flipped in an upload ${form.name} is never stored in silence`, form.applies, (scope) =>
      neverFlipped(scope, form.bytes(scope.fixture)),
    ),
  ),
]

function lost(request: 'whole' | 'part' | 'complete'): Applies {
  return request === 'whole' ? tells(request) : all(inParts, tells(request))
}

async function succeeds({ network, direct, at, open }: NetworkScope, fault: NetworkFault, size: number): Promise<void> {
  const { store } = await open({ maxAttempts: 6 })
  const bytes = patternBytes(size)
  network.set(fault)
  const info = await store.put(at('object'), chunked(bytes), { size })
  expectStruck(network, fault)
  network.set(undefined)
  expectThat(info.key === at('object') && info.size === size, `the put tells of ${info.key} with ${info.size} bytes`)
  expectBytes(await readBytes(direct, at('object')), bytes, 'what was stored')
}

async function fails(
  scope: NetworkScope,
  fault: NetworkFault,
  { size, served }: { readonly size: number; readonly served: boolean },
): Promise<void> {
  const { network, direct, at, open } = scope
  const old = patternBytes(1000, 7)
  await direct.put(at('old'), chunked(old))
  const { store } = await open({ maxAttempts: 2 })
  network.set(fault)
  const bytes = patternBytes(size)
  await expectFaultOf(() => store.put(at('new'), chunked(bytes)), 'put', NO_ANSWER)
  expectStruck(network, fault)
  if (!served || !(await listKeys(direct, at('new'))).includes(at('new'))) await expectNothingStored(scope, at('new'))
  else expectBytes(await readBytes(direct, at('new')), bytes, 'what was stored without an answer')
  await expectFaultOf(() => store.put(at('old'), chunked(bytes)), 'put over another object', NO_ANSWER)
  const now = await readBytes(direct, at('old'))
  expectBytes(now, served && now.length === size ? bytes : old, 'the object that was to be replaced')
  network.set(undefined)
  await store.put(at('new'), textSource('after the storm'))
  expectBytes(await readBytes(direct, at('new')), new TextEncoder().encode('after the storm'), 'a put when all is well again')
}

/** An answer that says nothing of a lost one: only `already-exists` would be wrong, for nobody else was there. */
async function createdOnce({ fixture, network, direct, at, open }: NetworkScope, request: 'whole' | 'complete'): Promise<void> {
  const { store } = await open()
  const { conditionalPut, conditionalMultipart } = store.capabilities
  const bytes = patternBytes(request === 'whole' ? wholeBytes(fixture) : threeParts(fixture))
  if (request === 'whole' ? !conditionalPut : conditionalMultipart === 'none') {
    await expectFault('unsupported', () => store.put(at('object'), chunked(bytes), { onlyIfAbsent: true }), 'what is not claimed')
    await expectAbsent(direct, at('object'))
    return
  }
  const fault: NetworkFault = { kind: 'lose-answer', matching: fixture.requests?.[request] as RegExp, times: 1 }
  network.set(fault)
  await store.put(at('object'), chunked(bytes), { onlyIfAbsent: true })
  expectStruck(network, fault)
  network.set(undefined)
  expectBytes(await readBytes(direct, at('object')), bytes, 'what was stored')
  await expectFault('already-exists', () => store.put(at('object'), chunked(bytes), { onlyIfAbsent: true }), 'the same put again')
}

async function neverFlipped(scope: NetworkScope, size: number): Promise<void> {
  const { fixture, network, direct, at, open } = scope
  const { store } = await open()
  const bytes = patternBytes(size)
  const fault: NetworkFault = { kind: 'flip-upload', afterBytes: midway(fixture), times: 1 }
  network.set(fault)
  const outcome = await store.put(at('object'), chunked(bytes)).catch((error: unknown) => error)
  expectStruck(network, fault)
  network.set(undefined)
  if (!isFault(outcome)) {
    if (outcome instanceof Error) throw outcome
    expectBytes(await readBytes(direct, at('object')), bytes, 'what was stored')
    return
  }
  expectThat(
    ['corrupt', 'unavailable'].includes(outcome.kind),
    `a damaged upload is called ${outcome.kind} ${outcome.code}: ${outcome.message}`,
  )
  await expectNothingStored(scope, at('object'))
}
