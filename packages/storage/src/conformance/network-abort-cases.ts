import { isFault } from '@waltz/errors'
import type { NetworkFault, NetworkFaultCase } from './faulty-network.ts'
import { collectAll, expectBytes, expectSame, expectThat, readBytes } from './expect.ts'
import {
  all,
  always,
  defineNetworkCase,
  eventually,
  expectNothingStored,
  expectStruck,
  inParts,
  midway,
  threeParts,
  untilStruck,
  wholeBytes,
  type Applies,
  type NetworkScope,
} from './network-case.ts'
import { chunked, patternBytes, textSource, watchedSource } from './sources.ts'

/** So long that only the signal can have ended a call. */
const PATIENT = { connectTimeoutMs: 600_000, idleTimeoutMs: 600_000 }

const BIG_BYTES = 16_000_000
/** Longer than the time without progress, at a rate at which every look sees some. */
const SLOW_DOWNLOAD = { bytes: 2_000_000, bytesPerSecond: 1_000_000, idleTimeoutMs: 800 }
/**
 * The system takes some MiB from a store before it feels how slow the way is, and the store sees no progress while these are sent: so
 * only large bodies show anything.
 */
const SLOW_UPLOAD = { bytes: 6_000_000, leastBytes: 5_000_000, bytesPerSecond: 2_000_000, idleTimeoutMs: 2000 }

/** Signals, and networks that are slow without being still. */
export const networkAbortCases: readonly NetworkFaultCase[] = [
  defineNetworkCase('abort', 'an abort ends an upload in one request that hangs, and leaves nothing', always, (scope) =>
    abortedPut(scope, { kind: 'stall-upload', afterBytes: midway(scope.fixture) }, wholeBytes(scope.fixture)),
  ),
  defineNetworkCase('abort', 'an abort ends an upload in parts that hangs, and leaves nothing', inParts, (scope) =>
    abortedPut(scope, { kind: 'stall-upload', afterBytes: midway(scope.fixture) }, threeParts(scope.fixture)),
  ),
  defineNetworkCase('abort', 'an abort ends an upload whose source hangs between parts, and leaves nothing', inParts, abortedSource),
  defineNetworkCase('abort', 'an abort ends a download that hangs', always, abortedDownload),
  ...(['head', 'get', 'list', 'listGroups', 'delete'] as const).map((name) =>
    defineNetworkCase('abort', `an abort ends a ${name} that gets no answer`, always, (scope) => abortedCall(scope, name)),
  ),
  defineNetworkCase('slow', 'a download that is slow and moves is not cancelled', always, slowDownload),
  defineNetworkCase('slow', 'an upload that is slow and moves is not cancelled', all(always, enoughBytes), slowUpload),
]

function enoughBytes({ partBytes }: Parameters<Applies>[0]): string | undefined {
  return partBytes !== undefined && partBytes < SLOW_UPLOAD.leastBytes ? 'its parts are smaller than what the system buffers' : undefined
}

/** Runs `call` until the fault has struck, aborts, and sees that it ends by that and at once lets go of its connection. */
async function abortsWhenStruck(
  { fixture, network }: NetworkScope,
  fault: NetworkFault,
  call: (signal: AbortSignal) => Promise<unknown>,
): Promise<void> {
  const controller = new AbortController()
  let ended = false
  network.set(fault)
  const outcome = call(controller.signal).then(
    (value) => {
      ended = true
      return value
    },
    (error: unknown) => {
      ended = true
      return error
    },
  )
  await untilStruck(network)
  expectThat(!ended, 'the call has ended before the signal')
  // From here on the network is well; what hangs goes on hanging.
  network.set(undefined)
  controller.abort()
  const seen = await outcome
  const { kind, code, message } = isFault(seen) ? seen : { kind: 'no fault', code: '', message: String(seen) }
  expectThat(kind === 'aborted', `the aborted call gave ${kind} ${code}: ${message}`)
  // Other protocols than HTTP share a connection among calls.
  if (fixture.http) await hangingClosed(network)
}

/** A connection on which everything stopped serves nobody; one that is idle may be kept. */
async function hangingClosed(network: NetworkScope['network']): Promise<void> {
  network.dropConnections()
  await eventually(() => network.openConnections(), 0, 'connections after the abort')
}

async function abortedPut(scope: NetworkScope, fault: NetworkFault, size: number): Promise<void> {
  const { at, open, direct } = scope
  await direct.put(at('old'), textSource('old'))
  for (const key of ['new', 'old']) {
    const { store } = await open(PATIENT)
    const source = watchedSource(patternBytes(10_000), Math.ceil(size / 10_000))
    await abortsWhenStruck(scope, fault, (signal) => store.put(at(key), source, { signal }))
    expectThat(source.isClosed(), 'the source was left open')
  }
  await expectNothingStored(scope, at('new'))
  expectBytes(await readBytes(direct, at('old')), new TextEncoder().encode('old'), 'the object that was not replaced')
}

async function abortedSource(scope: NetworkScope): Promise<void> {
  const { fixture, at, open } = scope
  const { store } = await open(PATIENT)
  const controller = new AbortController()
  async function* hanging(): AsyncGenerator<Uint8Array> {
    yield* chunked(patternBytes(2 * (fixture.partBytes ?? 0) + 1))
    controller.abort()
    await new Promise(() => undefined)
  }
  const outcome = await store.put(at('new'), hanging(), { signal: controller.signal }).catch((error: unknown) => error)
  expectThat(isFault(outcome, 'aborted'), `the aborted put gave ${String(outcome)}`)
  await expectNothingStored(scope, at('new'))
}

async function abortedDownload(scope: NetworkScope): Promise<void> {
  const { direct, at, open } = scope
  await direct.put(at('big'), chunked(patternBytes(BIG_BYTES)))
  const { store } = await open(PATIENT)
  const fault: NetworkFault = { kind: 'stall-download', afterBytes: 1_000_000 }
  await abortsWhenStruck(scope, fault, async (signal) => {
    let bytes = 0
    for await (const chunk of await store.get(at('big'), { signal })) bytes += chunk.length
    return bytes
  })
}

async function abortedCall(scope: NetworkScope, name: 'head' | 'get' | 'list' | 'listGroups' | 'delete'): Promise<void> {
  const { direct, prefix, at, open } = scope
  await direct.put(at('object'), textSource('x'))
  const { store } = await open(PATIENT)
  await abortsWhenStruck(scope, { kind: 'stall-download', afterBytes: 0 }, (signal) => {
    switch (name) {
      case 'head':
        return store.head(at('object'), { signal })
      case 'get':
        return store.get(at('object'), { signal })
      case 'delete':
        return store.delete([at('object')], { signal })
      default:
        return collectAll<unknown>(store[name](prefix, { signal }))
    }
  })
}

async function slowDownload({ network, direct, at, open }: NetworkScope): Promise<void> {
  const { bytes: size, bytesPerSecond, idleTimeoutMs } = SLOW_DOWNLOAD
  const bytes = patternBytes(size)
  await direct.put(at('object'), chunked(bytes))
  const { store, retries } = await open({ idleTimeoutMs })
  const fault: NetworkFault = { kind: 'slow', bytesPerSecond }
  network.set(fault)
  expectBytes(await readBytes(store, at('object')), bytes, 'what was read')
  expectStruck(network, fault)
  expectSame(retries.length, 0, 'attempts that were given up')
}

async function slowUpload({ fixture, network, direct, at, open }: NetworkScope): Promise<void> {
  const { bytes: size, bytesPerSecond, idleTimeoutMs } = SLOW_UPLOAD
  const bytes = patternBytes(Math.min(fixture.partBytes ?? size, size))
  const { store, retries } = await open({ idleTimeoutMs })
  const fault: NetworkFault = { kind: 'slow', bytesPerSecond }
  network.set(fault)
  await store.put(at('object'), chunked(bytes), { size: bytes.length })
  expectStruck(network, fault)
  expectSame(retries.length, 0, 'attempts that were given up')
  network.set(undefined)
  expectBytes(await readBytes(direct, at('object')), bytes, 'what was stored')
}
