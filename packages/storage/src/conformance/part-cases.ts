import { conditional, defineCase, type ConformanceCase } from './case.ts'
import { expectAbsent, expectBytes, expectFault, expectSame, expectSameInfo, listKeys, readBytes } from './expect.ts'
import { chunked, endingWith, patternBytes, textSource } from './sources.ts'

/**
 * Cases for a store that takes objects above `partBytes` in parts: the sizes around one and two parts, and what holds for whole
 * objects, for objects in parts. Memory for a few parts is needed.
 */
export function partCases(partBytes: number): readonly ConformanceCase[] {
  return [...sizeCases(partBytes), ...failureCases(partBytes), ...createOnlyCases(partBytes)]
}

function sizeCases(partBytes: number): readonly ConformanceCase[] {
  const sizes = [0, 1, partBytes - 1, partBytes, partBytes + 1, 2 * partBytes - 1, 2 * partBytes, 2 * partBytes + 1, 3 * partBytes + 7]
  return sizes.map((size) =>
    defineCase(`an object of ${nameOf(size, partBytes)} is stored byte for byte, size known or not`, async ({ store, at }) => {
      const bytes = patternBytes(size)
      for (const [label, options] of [
        ['unknown', {}],
        ['known', { size }],
      ] as const) {
        const info = await store.put(at(label), chunked(bytes), options)
        expectSame([info.key, info.size], [at(label), size], 'key and size')
        expectSameInfo(await store.head(at(label)), info, 'head')
        expectBytes(await readBytes(store, at(label)), bytes, `size ${label}`)
        if (!store.capabilities.rangedGet || size <= partBytes) continue
        const range = { start: partBytes - 1, end: partBytes + 1 }
        expectBytes(await readBytes(store, at(label), range), bytes.subarray(range.start, range.end), 'a range across parts')
      }
    }),
  )
}

function failureCases(partBytes: number): readonly ConformanceCase[] {
  return [partBytes, partBytes + 1, 2 * partBytes + 1].map((size) =>
    defineCase(`an upload that breaks off after ${nameOf(size, partBytes)} leaves nothing`, async ({ store, at, prefix }) => {
      const failed = (): never => {
        throw new Error('the source failed on purpose')
      }
      const outcome = await store.put(at('object'), endingWith(size, failed)).catch((error: unknown) => error)
      expectSame((outcome as Error).message, 'the source failed on purpose', 'the failure of the source')
      await expectFault('invalid', () => store.put(at('object'), chunked(patternBytes(size)), { size: size + 1 }), 'too few bytes')
      await expectFault('invalid', () => store.put(at('object'), chunked(patternBytes(size)), { size: size - 1 }), 'too many bytes')
      await expectAbsent(store, at('object'))
      expectSame(await listKeys(store, prefix), [], 'listing')
    }),
  )
}

function createOnlyCases(partBytes: number): readonly ConformanceCase[] {
  const size = 2 * partBytes + 5
  return [
    defineCase(
      'onlyIfAbsent of an object in parts creates, refuses what is there, or says that it cannot',
      async ({ store, at }) => {
        const bytes = patternBytes(size)
        if (store.capabilities.conditionalMultipart === 'none') {
          for (const options of [{}, { size }]) {
            const put = (): Promise<unknown> => store.put(at('object'), chunked(bytes), { ...options, onlyIfAbsent: true })
            expectSame((await expectFault('unsupported', put, 'put')).code, 'STORAGE_CONDITIONAL_PUT_UNSUPPORTED', 'code')
          }
          await expectAbsent(store, at('object'))
          return
        }
        const info = await store.put(at('object'), chunked(bytes), { onlyIfAbsent: true })
        await expectFault(
          'already-exists',
          () => store.put(at('object'), chunked(patternBytes(size, 2)), { onlyIfAbsent: true }),
          'the same in parts',
        )
        await expectFault('already-exists', () => store.put(at('object'), textSource('x'), { onlyIfAbsent: true }), 'a small one')
        expectSameInfo(await store.head(at('object')), info, 'head after the refusals')
        await store.put(at('small'), textSource('small'), { onlyIfAbsent: true })
        await expectFault('already-exists', () => store.put(at('small'), chunked(bytes), { onlyIfAbsent: true }), 'parts over a small one')
        expectBytes(await readBytes(store, at('object')), bytes, 'bytes')
        await store.delete([at('object')])
        await store.put(at('object'), chunked(bytes), { onlyIfAbsent: true })
      },
      conditional,
    ),
    defineCase(
      'of racing onlyIfAbsent puts in parts exactly one wins, whole',
      async ({ store, at, prefix }) => {
        const bodies = [1, 2, 3, 4].map((seed) => patternBytes(size + seed, seed))
        const outcomes = await Promise.allSettled(bodies.map((bytes) => store.put(at('raced'), chunked(bytes), { onlyIfAbsent: true })))
        const winners = [...outcomes.keys()].filter((index) => outcomes[index]?.status === 'fulfilled')
        expectSame(winners.length, 1, 'number of winners')
        for (const outcome of outcomes) {
          if (outcome.status === 'rejected') await expectFault('already-exists', () => Promise.reject(outcome.reason as Error), 'a loser')
        }
        expectBytes(await readBytes(store, at('raced')), bodies[winners[0] as number] as Uint8Array, "the winner's bytes")
        expectSame(await listKeys(store, prefix), [at('raced')], 'listing')
      },
      (store) => conditional(store) && store.capabilities.conditionalMultipart !== 'none',
    ),
  ]
}

function nameOf(size: number, partBytes: number): string {
  if (size < 2) return size === 1 ? '1 byte' : 'no bytes'
  const parts = Math.round(size / partBytes)
  const rest = size - parts * partBytes
  const name = parts === 1 ? 'one part' : `${parts} parts`
  return rest === 0 ? `exactly ${name}` : `${name} ${rest < 0 ? 'less' : 'and'} ${Math.abs(rest)}`
}
