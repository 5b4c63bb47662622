import { defineCase, type ConformanceCase } from './case.ts'
import { expectAbsent, expectSame, listKeys } from './expect.ts'
import { textSource } from './sources.ts'

/** Deleting. */
export const deleteCases: readonly ConformanceCase[] = [
  defineCase('deleting what is not there succeeds', async ({ store, at }) => {
    await store.delete([])
    await store.delete([at('never'), at('never/there'), at('never')])
    await store.put(at('folder/object'), textSource('x'))
    await store.delete([at('folder'), at('folder/object/below')])
    expectSame((await store.head(at('folder/object'))).size, 1, 'the object beside')
  }),
  defineCase('delete takes the named keys and no others', async ({ store, at, prefix }) => {
    const keys = ['a', 'a-b', 'a.b', 'aa', 'b/1', 'b/10', 'b/2', 'bb/1', 'c']
    for (const key of keys) await store.put(at(key), textSource('x'))
    const doomed = (function* (): Generator<string> {
      for (const key of ['a', 'b/1', 'missing', 'b/1', 'c']) yield at(key)
    })()
    await store.delete(doomed)
    expectSame(await listKeys(store, prefix), ['a-b', 'a.b', 'aa', 'b/10', 'b/2', 'bb/1'].map(at), 'what is left')
    for (const key of ['a', 'b/1', 'c']) await expectAbsent(store, at(key))
  }),
  defineCase('a deleted key can be stored again', async ({ store, at }) => {
    for (let round = 1; round <= 3; round += 1) {
      await store.put(at('deep/er/object'), textSource('x'.repeat(round)))
      expectSame((await store.head(at('deep/er/object'))).size, round, 'size')
      await store.delete([at('deep/er/object')])
      await expectAbsent(store, at('deep/er/object'))
    }
  }),
]
