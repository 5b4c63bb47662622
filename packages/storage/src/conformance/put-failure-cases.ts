import { Fault } from '@waltz/errors'
import type { ByteSource } from '@waltz/bytes'
import type { ObjectStore, PutOptions } from '../object-store.ts'
import { conditional, defineCase, type CaseScope, type ConformanceCase } from './case.ts'
import {
  expectAbsent,
  expectBytes,
  expectFault,
  expectSame,
  expectSameInfo,
  expectThat,
  failureOf,
  listGroupNames,
  listKeys,
  readBytes,
} from './expect.ts'
import { chunked, endingWith, patternBytes, textSource, watchedSource } from './sources.ts'

const AFTER: readonly (readonly [name: string, bytes: number])[] = [
  ['0 bytes', 0],
  ['1 byte', 1],
  ['300 kB', 300_000],
  ['several MiB', 3 * 2 ** 20],
]

/** A way for a put to fail, as a function that performs it. */
type FailingPut = (store: ObjectStore, key: string, options?: PutOptions) => Promise<unknown>

/** Every way to fail after a number of bytes. */
function waysToFail(bytes: number): readonly (readonly [name: string, put: FailingPut])[] {
  return [
    ['its source fails', (store, key, options) => failsWithItsSource(store, key, endingWith(bytes, fail), options)],
    ['it is aborted between chunks', (store, key, options) => abortedPut(store, key, (abort) => abortingThenMore(bytes, abort), options)],
    [
      'it is aborted while its source hangs',
      (store, key, options) => abortedPut(store, key, (abort) => endingWith(bytes, () => hang(abort)), options),
    ],
    ['it has fewer bytes than announced', (store, key, options) => wrongSize(store, key, bytes, { ...options, size: bytes + 1 })],
    ['it has more bytes than announced', (store, key, options) => wrongSize(store, key, bytes + 1, { ...options, size: bytes })],
  ]
}

/** Puts that fail: all or nothing. */
export const putFailureCases: readonly ConformanceCase[] = [
  ...AFTER.flatMap(([after, bytes]) =>
    waysToFail(bytes).map(([way, put]) =>
      defineCase(`a put leaves nothing behind and damages nothing when, at ${after}, ${way}`, async (scope) => {
        const { store, at, prefix } = scope
        await put(store, at('new/object'))
        await expectAbsent(store, at('new/object'))
        expectSame([await listKeys(store, prefix), await listGroupNames(store, prefix)], [[], []], 'listing after the failure')
        await keepsTheOld(scope, put)
        await store.put(at('new/object'), textSource('second try'))
        expectBytes(await readBytes(store, at('new/object')), new TextEncoder().encode('second try'), 'the second try')
      }),
    ),
  ),
  ...AFTER.map(([after, bytes]) =>
    defineCase(
      `a failed onlyIfAbsent put leaves the key free, at ${after}`,
      async ({ store, at }) => {
        for (const [, put] of waysToFail(bytes)) await put(store, at('object'), { onlyIfAbsent: true })
        await expectAbsent(store, at('object'))
        await store.put(at('object'), textSource('x'), { onlyIfAbsent: true })
      },
      conditional,
    ),
  ),
  defineCase('a fault of the source passes through put unchanged', async ({ store, at }) => {
    const fault = new Fault('corrupt', 'CONFORMANCE_SOURCE', 'the source is damaged', { retryable: true })
    const seen = await failureOf(
      () =>
        store.put(
          at('object'),
          endingWith(10, () => Promise.reject(fault)),
        ),
      'put',
    )
    expectThat(seen === fault, `the source's own fault was replaced by ${String(seen)}`)
  }),
  defineCase('the source is closed when a put fails', async ({ store, at }) => {
    const chunk = patternBytes(100_000)
    const controller = new AbortController()
    controller.abort()
    const puts: readonly (readonly [string, string, PutOptions])[] = [
      ['too many bytes', at('object'), { size: 150_000 }],
      ['aborted before the start', at('object'), { signal: controller.signal }],
      ['no key', '', {}],
      ['outside', '../outside', {}],
    ]
    for (const [what, key, options] of puts) {
      const source = watchedSource(chunk, 1000)
      await failureOf(() => store.put(key, source, options), what)
      expectThat(source.isClosed(), `${what}: the source was left open`)
    }
  }),
  defineCase(
    'the source is closed when onlyIfAbsent refuses',
    async ({ store, at }) => {
      await store.put(at('taken'), textSource('x'))
      const source = watchedSource(patternBytes(1000), 3)
      await expectFault('already-exists', () => store.put(at('taken'), source, { onlyIfAbsent: true }), 'put')
      expectThat(source.isClosed(), 'the source was left open')
    },
    conditional,
  ),
]

async function keepsTheOld({ store, at }: CaseScope, put: FailingPut): Promise<void> {
  const bytes = patternBytes(20_000, 9)
  const info = await store.put(at('kept'), chunked(bytes))
  await put(store, at('kept'))
  expectBytes(await readBytes(store, at('kept')), bytes, 'the object that would have been replaced')
  expectSameInfo(await store.head(at('kept')), info, 'its info')
}

async function failsWithItsSource(store: ObjectStore, key: string, source: ByteSource, options?: PutOptions): Promise<void> {
  const error = await failureOf(() => store.put(key, source, options), 'a put with a failing source')
  expectThat(error instanceof Error && error.message === SOURCE_FAILURE, `the source's own error was replaced by ${String(error)}`)
}

async function abortedPut(store: ObjectStore, key: string, source: (abort: () => void) => ByteSource, options?: PutOptions): Promise<void> {
  const controller = new AbortController()
  const body = source(() => controller.abort())
  await expectFault('aborted', () => store.put(key, body, { ...options, signal: controller.signal }), 'an aborted put')
}

async function wrongSize(store: ObjectStore, key: string, bytes: number, options: PutOptions): Promise<void> {
  await expectFault('invalid', () => store.put(key, chunked(patternBytes(bytes), 100_000), options), 'a put of a wrong size')
}

const SOURCE_FAILURE = 'the source failed on purpose'

function fail(): void {
  throw new Error(SOURCE_FAILURE)
}

/** Aborts once `bytes` were given, and goes on as if nothing had happened. */
async function* abortingThenMore(bytes: number, abort: () => void): AsyncGenerator<Uint8Array> {
  yield* endingWith(bytes, abort)
  yield* chunked(patternBytes(500_000), 100_000)
}

/** Aborts, and never answers again: only the signal can end the put. */
function hang(abort: () => void): Promise<void> {
  abort()
  return new Promise(() => undefined)
}
