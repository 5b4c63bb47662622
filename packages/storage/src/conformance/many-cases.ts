import type { ListOptions } from '../object-store.ts'
import { defineCase, type ConformanceCase } from './case.ts'
import { expectSame, listGroupNames, listKeys } from './expect.ts'
import { watchMemory, type MemoryBound } from './large-cases.ts'
import { textSource } from './sources.ts'

/** Puts at the same time. */
const LANES = 32
/** One object of so many lies in one of the folders. */
const FOLDER_SHARE = 5
const FOLDERS = 200
/** Memory is looked at once in so many objects. */
const LOOK_EVERY = 500

/**
 * So many small objects, most in one folder, some in two hundred others: stored, listed in order and resumed with bounded memory, one
 * level and groups, deleted in batches. At least a thousand.
 */
export function manyCases(count: number, bound?: MemoryBound): readonly ConformanceCase[] {
  const inFolders = Math.floor(count / FOLDER_SHARE)
  const flat = count - inFolders
  /** In ascending order. */
  const nameOf = (index: number): string => {
    if (index < flat) return String(index).padStart(8, '0')
    const number = index - flat
    const perFolder = Math.ceil(inFolders / FOLDERS)
    return `folder-${String(Math.floor(number / perFolder)).padStart(4, '0')}/${String(number % perFolder).padStart(8, '0')}`
  }
  function* indexes(start: number, end: number): Generator<number> {
    for (let index = start; index < end; index += 1) yield index
  }

  return [
    defineCase(`${count} objects: listed in order and in bounded memory, grouped, deleted`, async ({ store, prefix, at }) => {
      const rest = indexes(0, count)
      const lane = async (): Promise<void> => {
        for (const index of rest) await store.put(at(nameOf(index)), textSource(`${index}`))
      }
      await Promise.all(Array.from({ length: LANES }, lane))

      const memory = watchMemory(bound)
      const listed = async (options: ListOptions, start: number, end: number): Promise<void> => {
        let index = start
        for await (const { key } of store.list(prefix, options)) {
          if (index >= end || key !== at(nameOf(index)))
            expectSame(key, index < end ? at(nameOf(index)) : 'nothing more', `object ${index}`)
          if (index % LOOK_EVERY === 0) memory.look()
          index += 1
        }
        expectSame(index, end, 'objects listed')
      }
      await listed({}, 0, count)
      const middle = Math.floor(count / 2)
      await listed({ after: at(nameOf(middle)) }, middle + 1, count)
      await listed({ oneLevel: true }, 0, flat)
      const folders = new Set<string>()
      for (const index of indexes(flat, count)) folders.add(at(`${nameOf(index).split('/')[0] ?? ''}/`))
      expectSame(await listGroupNames(store, prefix), [...folders], 'groups')
      await store.delete(keysOf(indexes(0, count), (index) => at(nameOf(index)), memory.look))
      memory.check()
      expectSame(await listKeys(store, prefix), [], 'what is left')
    }),
  ]
}

function* keysOf(indexes: Iterable<number>, keyOf: (index: number) => string, look: () => void): Generator<string> {
  for (const index of indexes) {
    if (index % LOOK_EVERY === 0) look()
    yield keyOf(index)
  }
}
