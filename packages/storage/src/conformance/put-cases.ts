import { conditional, defineCase, type ConformanceCase } from './case.ts'
import { expectBytes, expectFault, expectSame, expectSameInfo, expectThat, listGroupNames, listKeys, readBytes } from './expect.ts'
import { chunked, patternBytes, textSource } from './sources.ts'

const SIZES: readonly (readonly [name: string, bytes: number])[] = [
  ['0 bytes', 0],
  ['1 byte', 1],
  ['300 kB', 300_000],
  ['several MiB', 5 * 2 ** 20 + 17],
]

/** Storing one object. */
export const putCases: readonly ConformanceCase[] = [
  ...SIZES.map(([name, size]) =>
    defineCase(`put of ${name} gives the same bytes back, size known or not`, async ({ store, at }) => {
      const bytes = patternBytes(size)
      for (const [label, options] of [
        ['unknown', {}],
        ['known', { size, contentType: 'application/octet-stream' }],
      ] as const) {
        const info = await store.put(at(label), chunked(bytes), options)
        expectSame([info.key, info.size], [at(label), size], 'key and size')
        expectSameInfo(await store.head(at(label)), info, 'head')
        expectBytes(await readBytes(store, at(label)), bytes, `size ${label}`)
      }
    }),
  ),
  defineCase('put takes chunks of any length', async ({ store, at }) => {
    const bytes = patternBytes(3 * 2 ** 20 + 5)
    for (const chunkBytes of [700, 65_537, 1_048_576, bytes.length]) {
      await store.put(at('object'), chunked(bytes, chunkBytes))
      expectBytes(await readBytes(store, at('object')), bytes, `chunks of ${chunkBytes}`)
    }
    const ragged = async function* (): AsyncGenerator<Uint8Array> {
      for (let offset = 0, length = 1; offset < bytes.length; offset += length, length = (length * 7) % 300_007)
        yield bytes.slice(offset, offset + length)
    }
    await store.put(at('object'), ragged())
    expectBytes(await readBytes(store, at('object')), bytes, 'ragged chunks')
  }),
  defineCase('put replaces an object, larger and smaller', async ({ store, at }) => {
    let before = await store.put(at('object'), chunked(patternBytes(1000)))
    for (const [size, seed] of [
      [400_000, 2],
      [3, 3],
      [3, 4],
      [0, 5],
      [50, 6],
    ] as const) {
      const bytes = patternBytes(size, seed)
      const info = await store.put(at('object'), chunked(bytes))
      expectSameInfo(await store.head(at('object')), info, 'head')
      expectBytes(await readBytes(store, at('object')), bytes, `replaced by ${size} bytes`)
      expectThat(info.modifiedAt >= before.modifiedAt, 'the newer object has an older modification time')
      expectThat(info.etag === undefined || info.etag !== before.etag, 'the etag did not change with the bytes')
      before = info
    }
  }),
  defineCase('what put stored is there at once: head, get, list, groups', async ({ store, at, prefix }) => {
    for (let round = 0; round < 5; round += 1) {
      const key = at(`group-${round}/object`)
      await store.put(key, textSource(`round ${round}`))
      expectSame((await store.head(key)).size, 7, 'size')
      const keys = await listKeys(store, prefix)
      expectThat(keys.includes(key), `${key} is not listed`)
      const groups = await listGroupNames(store, prefix)
      expectThat(groups.includes(at(`group-${round}/`)), `${at(`group-${round}/`)} is not listed as a group`)
    }
  }),
  defineCase('a store can be filled from a body of its own', async ({ store, at }) => {
    const bytes = patternBytes(700_000)
    await store.put(at('from'), chunked(bytes))
    await store.put(at('to'), await store.get(at('from')))
    expectBytes(await readBytes(store, at('to')), bytes, 'the copy')
  }),
  defineCase(
    'onlyIfAbsent stores where nothing is and refuses where something is',
    async ({ store, at }) => {
      const info = await store.put(at('once'), textSource('first'), { onlyIfAbsent: true })
      expectSameInfo(await store.head(at('once')), info, 'head')
      await expectFault('already-exists', () => store.put(at('once'), textSource('second'), { onlyIfAbsent: true }), 'the second put')
      await expectFault('already-exists', () => store.put(at('once'), textSource(''), { onlyIfAbsent: true, size: 0 }), 'an empty put')
      expectBytes(await readBytes(store, at('once')), new TextEncoder().encode('first'), 'after the refusal')
      expectSameInfo(await store.head(at('once')), info, 'head after the refusal')
      await store.delete([at('once')])
      await store.put(at('once'), textSource('third'), { onlyIfAbsent: true })
      expectBytes(await readBytes(store, at('once')), new TextEncoder().encode('third'), 'after deleting')
    },
    conditional,
  ),
  defineCase(
    'of many racing onlyIfAbsent puts exactly one wins, and its bytes are stored',
    async ({ store, at }) => {
      const bodies = Array.from({ length: 20 }, (_, index) => patternBytes(200_000 + index, index + 1))
      const outcomes = await Promise.allSettled(
        bodies.map((bytes) => store.put(at('raced'), chunked(bytes, 50_000), { onlyIfAbsent: true })),
      )
      const winners = outcomes.flatMap((outcome, index) => (outcome.status === 'fulfilled' ? [{ index, info: outcome.value }] : []))
      expectSame(winners.length, 1, 'number of winners')
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') await expectFault('already-exists', () => Promise.reject(outcome.reason as Error), 'a loser')
      }
      const [winner] = winners
      if (winner === undefined) return
      expectBytes(await readBytes(store, at('raced')), bodies[winner.index] as Uint8Array, "the winner's bytes")
      expectSameInfo(await store.head(at('raced')), winner.info, "the winner's info")
    },
    conditional,
  ),
  defineCase('copy copies on the store, or says that it cannot', async ({ store, at }) => {
    const bytes = patternBytes(400_000)
    await store.put(at('from'), chunked(bytes))
    if (!store.capabilities.copy) {
      await expectFault('unsupported', () => store.copy(at('from'), at('to')), 'copy')
      return
    }
    await store.put(at('to/taken'), textSource('old'))
    for (const to of ['new', 'in/a/new/folder', 'to/taken']) {
      await store.copy(at('from'), at(to))
      expectBytes(await readBytes(store, at(to)), bytes, to)
      expectSame([(await store.head(at(to))).key, (await store.head(at(to))).size], [at(to), bytes.length], `head of ${to}`)
    }
    expectBytes(await readBytes(store, at('from')), bytes, 'the original')
    await expectFault('not-found', () => store.copy(at('missing'), at('to/taken')), 'copy of a missing object')
    await expectFault('not-found', () => store.copy(at('missing'), at('nowhere/new')), 'copy of a missing object to a new folder')
    expectBytes(await readBytes(store, at('to/taken')), bytes, 'the target of a failed copy')
    await expectFault('invalid', () => store.copy(at('from'), '/absolute'), 'copy to what is no key')
  }),
]
