import type { ObjectInfo } from '../object-store.ts'
import { defineCase, type CaseScope, type ConformanceCase } from './case.ts'
import { expectAbsent, expectBytes, expectFault, expectSame, expectSameInfo, expectThat, readBytes } from './expect.ts'
import { chunked, patternBytes, textSource, watchedSource } from './sources.ts'

/** Puts that replace a certain version of an object; a store that cannot says so. */
export const conditionCases: readonly ConformanceCase[] = [
  matchCase('ifMatch replaces the object that it names', async ({ store, at }) => {
    const first = await store.put(at('object'), textSource('first'))
    const second = await store.put(at('object'), textSource('second'), { ifMatch: etagOf(first) })
    expectSameInfo(await store.head(at('object')), second, 'head')
    expectBytes(await readBytes(store, at('object')), new TextEncoder().encode('second'), 'bytes')
    await store.put(at('object'), textSource(''), { ifMatch: etagOf(second), size: 0 })
    expectSame((await store.head(at('object'))).size, 0, 'size')
  }),
  matchCase('ifMatch refuses another object, and none, and changes nothing', async ({ store, at }) => {
    const first = await store.put(at('object'), textSource('first'))
    const second = await store.put(at('object'), textSource('second'))
    const source = watchedSource(patternBytes(1000), 3)
    const stale = await expectFault('conflict', () => store.put(at('object'), source, { ifMatch: etagOf(first) }), 'a stale etag')
    expectSame(stale.code, 'STORAGE_OBJECT_REPLACED', 'code')
    expectThat(source.isClosed(), 'the source was left open')
    expectSameInfo(await store.head(at('object')), second, 'head after the refusal')
    expectBytes(await readBytes(store, at('object')), new TextEncoder().encode('second'), 'bytes after the refusal')
    await store.delete([at('object')])
    for (const key of ['object', 'never']) {
      const gone = await expectFault('conflict', () => store.put(at(key), textSource('x'), { ifMatch: etagOf(second) }), 'no object')
      expectSame(gone.code, 'STORAGE_OBJECT_REPLACED', 'code')
      await expectAbsent(store, at(key))
    }
  }),
  matchCase('of many racing ifMatch puts exactly one wins, and its bytes are stored', async ({ store, at }) => {
    const first = await store.put(at('raced'), textSource('first'))
    const bodies = Array.from({ length: 12 }, (_, index) => patternBytes(100_000 + index, index + 1))
    const outcomes = await Promise.allSettled(
      bodies.map((bytes) => store.put(at('raced'), chunked(bytes, 30_000), { ifMatch: etagOf(first) })),
    )
    const winners = [...outcomes.keys()].filter((index) => outcomes[index]?.status === 'fulfilled')
    expectSame(winners.length, 1, 'number of winners')
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') await expectFault('conflict', () => Promise.reject(outcome.reason as Error), 'a loser')
    }
    expectBytes(await readBytes(store, at('raced')), bodies[winners[0] as number] as Uint8Array, "the winner's bytes")
  }),
  defineCase('onlyIfAbsent and ifMatch together are invalid', async ({ store, at }) => {
    await store.put(at('object'), textSource('first'))
    const source = watchedSource(patternBytes(1000), 3)
    await expectFault('invalid', () => store.put(at('object'), source, { onlyIfAbsent: true, ifMatch: '"x"' }), 'put')
    expectThat(source.isClosed(), 'the source was left open')
    expectSame((await store.head(at('object'))).size, 5, 'the object')
  }),
  defineCase('a condition that the store cannot keep is refused, never dropped', async ({ store, at }) => {
    const { conditionalPut, ifMatch } = store.capabilities
    await store.put(at('object'), textSource('first'))
    const refused = [...(conditionalPut ? [] : [{ onlyIfAbsent: true }]), ...(ifMatch ? [] : [{ ifMatch: '"x"' }])]
    for (const condition of refused) {
      for (const key of ['object', 'new']) {
        const source = watchedSource(patternBytes(1000), 3)
        const fault = await expectFault('unsupported', () => store.put(at(key), source, condition), 'put')
        expectSame(fault.code, 'STORAGE_CONDITIONAL_PUT_UNSUPPORTED', 'code')
        expectThat(source.isClosed(), 'the source was left open')
      }
      await expectAbsent(store, at('new'))
      expectSame((await store.head(at('object'))).size, 5, 'the object')
    }
  }),
]

function matchCase(name: string, body: (scope: CaseScope) => Promise<void>): ConformanceCase {
  return defineCase(name, body, (store) => store.capabilities.ifMatch)
}

function etagOf({ key, etag }: ObjectInfo): string {
  if (etag === undefined) throw new Error(`a store that honours ifMatch gives no etag for ${key}`)
  return etag
}
