import { isFault } from '@waltz/errors'
import { concatBytes } from '@waltz/bytes'
import type { ObjectStore } from '../object-store.ts'
import { defineCase, type ConformanceCase } from './case.ts'
import { collectAll, expectBytes, expectSame, expectThat, listKeys, readBytes } from './expect.ts'
import { chunked, patternBytes, textSource } from './sources.ts'

/** Many calls at once. */
export const concurrencyCases: readonly ConformanceCase[] = [
  defineCase('twenty puts and twenty gets at once keep their bytes apart', async ({ store, at, prefix }) => {
    const bodies = Array.from({ length: 20 }, (_, index) => patternBytes(150_000 + index * 1000, index + 1))
    const key = (index: number): string => at(`${index % 4}/${String(index).padStart(2, '0')}`)
    await Promise.all(bodies.map((bytes, index) => store.put(key(index), chunked(bytes, 30_000))))
    const read = await Promise.all(bodies.map((_, index) => readBytes(store, key(index))))
    for (const [index, bytes] of read.entries()) expectBytes(bytes, bodies[index] as Uint8Array, key(index))
    expectSame((await listKeys(store, prefix)).length, 20, 'number of objects')
  }),
  defineCase('of many puts to one key one is stored whole', async ({ store, at, prefix }) => {
    const bodies = Array.from({ length: 12 }, (_, index) => new Uint8Array(100_000 + index * 5000).fill(index + 1))
    await Promise.all(bodies.map((bytes) => store.put(at('object'), chunked(bytes, 20_000))))
    const stored = await readBytes(store, at('object'))
    expectBytes(stored, bodies[(stored[0] ?? 0) - 1] ?? new Uint8Array(0), 'the stored bytes')
    expectSame(await listKeys(store, prefix), [at('object')], 'list')
  }),
  defineCase('readers during a replace see the old or the new object, never a mixture', async ({ store, at }) => {
    const versions = [1, 2, 3, 4].map((version) => new Uint8Array(600_000 + version * 50_000).fill(version))
    await store.put(at('object'), chunked(versions[0] as Uint8Array, 100_000))
    const progress = { writing: true }
    const write = async (): Promise<void> => {
      for (let round = 0; round < 12; round += 1) await store.put(at('object'), chunked(versions[round % 4] as Uint8Array, 100_000))
      progress.writing = false
    }
    const read = async (): Promise<void> => {
      while (progress.writing) await readOneVersion(store, at('object'), versions)
    }
    await Promise.all([write(), read(), read(), read()])
  }),
  defineCase('a body that was opened before a replace or delete shows the old object or fails', async ({ store, at }) => {
    const versions = [1, 2].map((version) => new Uint8Array(2_000_000 + version).fill(version))
    for (const change of ['replace', 'delete']) {
      await store.put(at('object'), chunked(versions[0] as Uint8Array))
      const body = await store.get(at('object'))
      if (change === 'replace') await store.put(at('object'), chunked(versions[1] as Uint8Array))
      else await store.delete([at('object')])
      const chunks: Uint8Array[] = []
      try {
        for await (const chunk of body) chunks.push(chunk)
        expectBytes(concatBytes(chunks), versions[0] as Uint8Array, `after ${change}`)
      } catch (error) {
        expectThat(isFault(error), `after ${change}: ${String(error)}`)
      }
    }
  }),
  defineCase('puts and deletes in one folder do not disturb each other', async ({ store, at, prefix }) => {
    const lane = async (name: string): Promise<void> => {
      for (let round = 0; round < 15; round += 1) {
        const key = at(`shared/folder/${name}`)
        await store.put(key, textSource(name))
        expectSame((await store.head(key)).size, name.length, `size of ${name}`)
        await store.delete([key])
      }
    }
    await Promise.all(['a', 'bb', 'ccc', 'dddd', 'eeeee', 'ffffff'].map(lane))
    expectSame(await listKeys(store, prefix), [], 'list')
  }),
  defineCase('many bodies may be open at once', async ({ store, at }) => {
    const bytes = patternBytes(300_000)
    await store.put(at('object'), chunked(bytes))
    const bodies = await Promise.all(Array.from({ length: 30 }, () => store.get(at('object'))))
    for (const body of bodies.slice(0, 10)) expectBytes(concatBytes(await collectAll(body)), bytes, 'bytes')
    await Promise.all(bodies.map((body) => body[Symbol.asyncDispose]()))
  }),
  defineCase('the store says where it is and what it can do', async ({ store }) => {
    const { maxObjectBytes, maxDeleteBatch } = store.capabilities
    expectThat(store.location !== '', 'location is empty')
    expectThat(maxObjectBytes > 0 && Number.isSafeInteger(maxDeleteBatch) && maxDeleteBatch > 0, 'a capability is out of range')
  }),
]

async function readOneVersion(store: ObjectStore, key: string, versions: readonly Uint8Array[]): Promise<void> {
  const body = await store.get(key)
  const bytes = concatBytes(await collectAll(body))
  expectSame(bytes.length, body.info.size, 'bytes read and announced')
  expectBytes(bytes, versions[(bytes[0] ?? 0) - 1] ?? new Uint8Array(0), 'one version')
}
