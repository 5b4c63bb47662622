import { Fault } from '@waltz/errors'
import type { CallOptions } from '../object-store.ts'
import { defineCase, type CaseScope, type ConformanceCase } from './case.ts'
import { collectAll, expectFault, expectSame, expectThat, failureOf } from './expect.ts'
import { chunked, patternBytes, textSource } from './sources.ts'

/** Every call, with options added. */
function callsOf({ store, at, prefix }: CaseScope): readonly (readonly [string, (options: CallOptions) => Promise<unknown>])[] {
  return [
    ['head', (options) => store.head(at('object'), options)],
    ['get', (options) => store.get(at('object'), options)],
    ['put', (options) => store.put(at('new'), textSource('x'), options)],
    ['delete', (options) => store.delete([at('object')], options)],
    ['list', (options) => collectAll(store.list(prefix, options))],
    ['listGroups', (options) => collectAll(store.listGroups(prefix, options))],
  ]
}

/** Abort signals. */
export const abortCases: readonly ConformanceCase[] = [
  defineCase('a signal that fired before the call ends it as aborted, without effect', async (scope) => {
    const { store, at } = scope
    await store.put(at('object'), textSource('x'))
    const { signal } = firedWith(undefined)
    for (const [name, call] of callsOf(scope)) await expectFault('aborted', () => call({ signal }), name)
    if (store.capabilities.copy) await expectFault('aborted', () => store.copy(at('object'), at('new'), { signal }), 'copy')
    expectSame((await store.head(at('object'))).size, 1, 'the object after the aborted delete')
    await expectFault('not-found', () => store.head(at('new')), 'what was not put or copied')
  }),
  defineCase('a signal whose reason is a fault ends the call with that fault', async (scope) => {
    await scope.store.put(scope.at('object'), textSource('x'))
    const reason = new Fault('unavailable', 'CONFORMANCE_REASON', 'the server went away', { retryable: false })
    for (const [name, call] of callsOf(scope)) {
      const seen = await failureOf(() => call({ signal: firedWith(reason).signal }), name)
      expectThat(seen === reason, `${name}: the signal's own fault was replaced by ${String(seen)}`)
    }
  }),
  defineCase('a body obeys the signal while it is read', async ({ store, at }) => {
    await store.put(at('big'), chunked(patternBytes(4_000_000)))
    const controller = new AbortController()
    const body = await store.get(at('big'), { signal: controller.signal })
    let bytes = 0
    const read = async (): Promise<void> => {
      for await (const chunk of body) {
        bytes += chunk.length
        controller.abort()
      }
    }
    await expectFault('aborted', read, 'reading on')
    expectThat(bytes > 0 && bytes < 4_000_000, `${bytes} bytes came although the signal fired after the first chunk`)
  }),
  defineCase('a listing obeys the signal while it runs', async ({ store, at, prefix }) => {
    for (const key of ['a/1', 'a/2', 'b/1', 'c/1']) await store.put(at(key), textSource('x'))
    for (const kind of ['list', 'listGroups'] as const) {
      const controller = new AbortController()
      const walk = async (): Promise<void> => {
        for await (const item of store[kind](prefix, { signal: controller.signal })) if (item !== '') controller.abort()
      }
      await expectFault('aborted', walk, kind)
    }
  }),
  defineCase('a signal that never fires, or fires too late, changes nothing', async ({ store, at }) => {
    const controller = new AbortController()
    await store.put(at('object'), chunked(patternBytes(600_000)), { signal: controller.signal })
    const { size } = await store.head(at('object'), { signal: controller.signal })
    controller.abort()
    expectSame([size, (await store.head(at('object'))).size], [600_000, 600_000], 'size')
  }),
]

function firedWith(reason: unknown): AbortController {
  const controller = new AbortController()
  controller.abort(reason)
  return controller
}
