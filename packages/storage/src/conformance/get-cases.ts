import type { ByteRange } from '@waltz/bytes'
import type { ObjectBody } from '../object-store.ts'
import { defineCase, ranged, type ConformanceCase } from './case.ts'
import { expectBytes, expectFault, expectSame, expectSameInfo, expectThat, readBytes } from './expect.ts'
import { chunked, patternBytes, textSource } from './sources.ts'

const BIG_BYTES = 2_500_000

/** Reading one object: head, get, ranges and the life of a body. */
export const getCases: readonly ConformanceCase[] = [
  defineCase('head of a missing key is not-found', async ({ store, at }) => {
    await expectFault('not-found', () => store.head(at('missing')), 'head')
    await expectFault('not-found', () => store.head(at('no/such/folder/missing')), 'head in a missing folder')
  }),
  defineCase('get of a missing key is not-found before any body', async ({ store, at }) => {
    await expectFault('not-found', () => store.get(at('missing')), 'get')
    await expectFault('not-found', () => store.get(at('no/such/folder/missing')), 'get in a missing folder')
  }),
  defineCase('a directory is not an object, and nothing is below an object', async ({ store, at }) => {
    await store.put(at('folder/object'), textSource('x'))
    await expectFault('not-found', () => store.head(at('folder')), 'head of a folder')
    await expectFault('not-found', () => store.get(at('folder')), 'get of a folder')
    await expectFault('not-found', () => store.head(at('folder/object/below')), 'head below an object')
    await expectFault('not-found', () => store.get(at('folder/object/below')), 'get below an object')
  }),
  defineCase('head, get, put and list describe an object alike', async ({ store, at, prefix }) => {
    const stored = await store.put(at('object'), chunked(patternBytes(1234)))
    expectSame([stored.key, stored.size], [at('object'), 1234], 'key and size from put')
    expectThat(!Number.isNaN(stored.modifiedAt.getTime()), 'modifiedAt is no time')
    if (stored.modifiedAtNs !== undefined) {
      expectSame(stored.modifiedAtNs / 1_000_000n === BigInt(stored.modifiedAt.getTime()), true, 'modifiedAtNs agrees with modifiedAt')
    }
    expectSameInfo(await store.head(at('object')), stored, 'head')
    for await (const info of store.list(prefix)) expectSameInfo(info, stored, 'list')
    const body = await store.get(at('object'))
    await body[Symbol.asyncDispose]()
    expectSameInfo(body.info, stored, 'get')
  }),
  defineCase('a key that is no key is invalid', async ({ store, at, prefix }) => {
    for (const key of [
      '',
      '/',
      `/${at('x')}`,
      `${at('a')}/`,
      `${prefix}/x`,
      `${prefix}../x`,
      '..',
      `${prefix}./x`,
      at('..'),
      at('.'),
      at('a\0b'),
      at('\ud800'),
    ]) {
      await expectFault('invalid', () => store.head(key), `head of ${JSON.stringify(key)}`)
      await expectFault('invalid', () => store.get(key), `get of ${JSON.stringify(key)}`)
      await expectFault('invalid', () => store.put(key, textSource('x')), `put of ${JSON.stringify(key)}`)
      await expectFault('invalid', () => store.delete([key]), `delete of ${JSON.stringify(key)}`)
    }
  }),
  defineCase(
    'a range is half-open and cut to the object',
    async ({ store, at }) => {
      const bytes = patternBytes(10)
      await store.put(at('ten'), chunked(bytes))
      const bounds = [[0], [2, 5], [7], [0, 10], [9, 10], [0, 0], [4, 4], [8, 100], [10], [10, 12], [50], [50, 60]] as const
      const ranges = bounds.map(([start, end]): ByteRange => (end === undefined ? { start } : { start, end }))
      for (const range of ranges) {
        const what = `range ${range.start}-${range.end ?? ''}`
        expectBytes(await readBytes(store, at('ten'), range), bytes.slice(range.start, range.end), what)
      }
    },
    ranged,
  ),
  defineCase(
    'a range of a large object crosses chunks exactly',
    async ({ store, at }) => {
      const bytes = patternBytes(BIG_BYTES)
      await store.put(at('big'), chunked(bytes))
      for (const [start, end] of [
        [262_143, 262_145],
        [1, BIG_BYTES - 1],
        [1_048_576, 2_097_152],
      ] as const) {
        expectBytes(await readBytes(store, at('big'), { start, end }), bytes.subarray(start, end), `range ${start}-${end}`)
      }
      const body = await store.get(at('big'), { range: { start: 5, end: 6 } })
      await body[Symbol.asyncDispose]()
      expectSame(body.info.size, BIG_BYTES, 'info.size of a ranged get')
    },
    ranged,
  ),
  defineCase(
    'a range of an empty or missing object',
    async ({ store, at }) => {
      await store.put(at('empty'), textSource(''))
      expectSame((await readBytes(store, at('empty'), { start: 0, end: 5 })).length, 0, 'bytes of an empty object')
      await expectFault('not-found', () => store.get(at('missing'), { range: { start: 3, end: 5 } }), 'range of a missing object')
    },
    ranged,
  ),
  defineCase(
    'a range that means nothing is invalid',
    async ({ store, at }) => {
      await store.put(at('object'), textSource('0123456789'))
      for (const range of [{ start: -1 }, { start: 5, end: 4 }, { start: 1.5 }, { start: 0, end: Number.NaN }, { start: 0, end: -1 }]) {
        await expectFault('invalid', () => store.get(at('object'), { range }), `range ${range.start}-${range.end ?? ''}`)
      }
    },
    ranged,
  ),
  defineCase('a body can be dropped without reading it, twice too', async ({ store, at }) => {
    await store.put(at('object'), chunked(patternBytes(BIG_BYTES)))
    const body = await store.get(at('object'))
    await body[Symbol.asyncDispose]()
    await body[Symbol.asyncDispose]()
  }),
  defineCase('a body can be disposed of after it was read', async ({ store, at }) => {
    await store.put(at('object'), textSource('bytes'))
    const body = await store.get(at('object'))
    for await (const chunk of body) expectThat(chunk.length > 0, 'an empty chunk was yielded')
    await body[Symbol.asyncDispose]()
  }),
  defineCase('a body can be left in the middle', async ({ store, at }) => {
    await store.put(at('object'), chunked(patternBytes(BIG_BYTES)))
    const body = await store.get(at('object'))
    for await (const chunk of body) if (chunk.length > 0) break
    await body[Symbol.asyncDispose]()
    const second = await store.get(at('object'))
    const iterator = second[Symbol.asyncIterator]()
    await iterator.next()
    await second[Symbol.asyncDispose]()
    await iterator.return?.()
  }),
  defineCase('a body that is never started can be closed through its iterator', async ({ store, at }) => {
    await store.put(at('object'), textSource('bytes'))
    const body = await store.get(at('object'))
    const iterator = body[Symbol.asyncIterator]()
    await iterator.return?.()
    expectSame((await iterator.next()).done, true, 'the iterator is done after return')
    await body[Symbol.asyncDispose]()
  }),
  defineCase('a body read twice or after disposal fails instead of looking empty', async ({ store, at }) => {
    await store.put(at('object'), textSource('bytes'))
    const read = await store.get(at('object'))
    await drain(read)
    await expectFault('invalid', () => drain(read), 'the second reading')
    const disposed = await store.get(at('object'))
    await disposed[Symbol.asyncDispose]()
    await expectFault('invalid', () => drain(disposed), 'reading after disposal')
  }),
  defineCase('a chunk belongs to whoever got it', async ({ store, at }) => {
    const bytes = patternBytes(BIG_BYTES)
    await store.put(at('object'), chunked(bytes))
    const kept: Uint8Array[] = []
    for await (const chunk of await store.get(at('object'))) kept.push(chunk)
    let offset = 0
    for (const chunk of kept) {
      expectBytes(chunk, bytes.subarray(offset, offset + chunk.length), `chunk at ${offset}, kept until the end`)
      offset += chunk.length
      chunk.fill(0)
    }
    expectBytes(await readBytes(store, at('object')), bytes, 'read again after the chunks were overwritten')
  }),
]

async function drain(body: ObjectBody): Promise<void> {
  for await (const chunk of body) expectThat(chunk.length > 0, 'an empty chunk was yielded')
}
