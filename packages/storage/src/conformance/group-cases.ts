import { defineCase, type ConformanceCase } from './case.ts'
import { expectSame, listGroupNames } from './expect.ts'
import { textSource } from './sources.ts'

/** Listing "directories". */
export const groupCases: readonly ConformanceCase[] = [
  defineCase('listGroups gives the distinct directories one level down, in byte order', async ({ store, at, prefix }) => {
    for (const key of ['a/1', 'a/2', 'a/deep/er/3', 'a-b/1', 'a0/x/y', 'b', 'only/deep/inside', 'é/1', '\uFFFD/1', '😀/1']) {
      await store.put(at(key), textSource('x'))
    }
    expectSame(await listGroupNames(store, prefix), ['a-b/', 'a/', 'a0/', 'only/', 'é/', '\uFFFD/', '😀/'].map(at), 'top')
    expectSame(await listGroupNames(store, at('a/')), [at('a/deep/')], 'a/')
    expectSame(await listGroupNames(store, at('a/deep/')), [at('a/deep/er/')], 'a/deep/')
    expectSame(await listGroupNames(store, at('a/deep/er/')), [], 'a folder without folders')
  }),
  defineCase('listGroups takes a prefix that is no directory', async ({ store, at }) => {
    for (const key of ['base_1/x', 'base_2/x', 'base', 'basic/x', 'other/base_3/x']) await store.put(at(key), textSource('x'))
    expectSame(await listGroupNames(store, at('base')), [at('base_1/'), at('base_2/')], 'base')
    expectSame(await listGroupNames(store, at('bas')), [at('base_1/'), at('base_2/'), at('basic/')], 'bas')
    expectSame(await listGroupNames(store, at('base_1')), [at('base_1/')], 'base_1')
    expectSame(await listGroupNames(store, at('base_1/x')), [], 'an object')
    expectSame(await listGroupNames(store, at('none')), [], 'nothing')
    expectSame(await listGroupNames(store, at('no/such/')), [], 'no such folder')
  }),
  defineCase('a group is gone when its last object is', async ({ store, at, prefix }) => {
    for (const key of ['a/b/c/1', 'a/b/2', 'd/1']) await store.put(at(key), textSource('x'))
    await store.delete([at('a/b/c/1')])
    expectSame(await listGroupNames(store, at('a/b/')), [], 'the inner group')
    expectSame(await listGroupNames(store, prefix), [at('a/'), at('d/')], 'the outer groups')
    await store.delete([at('a/b/2'), at('d/1')])
    expectSame(await listGroupNames(store, prefix), [], 'all gone')
  }),
]
