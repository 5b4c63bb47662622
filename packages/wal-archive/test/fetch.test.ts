import { faultStore } from '@waltz/testkit'
import { describe, expect, it } from 'vitest'
import { timelineId } from '@waltz/pg-structures'
import { faultOf, fetched, memoryStore, openTestArchive, push, putRaw, storedBytes, system, type TestArchive } from './support/archive.ts'
import { makeWal, nameOf, SEGMENT, SYSTEM } from './support/segments.ts'

const wal = makeWal({ first: 1, count: 8 })
const segment = (number: number): Uint8Array => wal[number - 1]

/** An archive with segments 1 to 4, made by codec lz4. */
async function filled(
  options: Parameters<typeof openTestArchive>[0] = {},
  numbers: readonly number[] = [1, 2, 3, 4],
): Promise<TestArchive> {
  const test = await openTestArchive({ expectedSystemIdentifier: system(SYSTEM), ...options })
  for (const number of numbers) await push(test.archive, nameOf(number), segment(number))
  return test
}

describe('where a file is found', () => {
  it('finds every form in which WAL-G stores a file', async () => {
    for (const codec of ['lz4', 'zstd', 'brotli', 'none']) {
      const writer = await filled({ codec }, [2])
      const reader = await openTestArchive({ codec: 'zstd', store: writer.store })
      expect(Buffer.from(await fetched(reader.archive, nameOf(2))).equals(segment(2)), codec).toBe(true)
    }
  })

  it('reads names with a trailing dot, as release 3.0.8 wrote them', async () => {
    const { archive, store } = await filled({}, [1])
    await putRaw(store, `wal_005/${nameOf(2)}.`, segment(2))
    expect(Buffer.from(await fetched(archive, nameOf(2))).equals(segment(2))).toBe(true)
  })

  it("keeps WAL-G's order when a file is stored twice, after the form of its own settings", async () => {
    const { store } = await openTestArchive({ codec: 'none' })
    for (const codec of ['lz4', 'brotli', 'zstd', 'none']) {
      const { archive } = await openTestArchive({ codec, store: memoryStore() })
      await push(archive, 'note', codec)
      const stored = { lz4: 'note.lz4', brotli: 'note.br', zstd: 'note.zst', none: 'note' }[codec]!
      const { store: from } = await openTestArchive({ codec, store: memoryStore() })
      const source = await openTestArchive({ codec, store: from })
      await push(source.archive, 'note', codec)
      await putRaw(store, `wal_005/${stored}`, await storedBytes(from, `wal_005/${stored}`))
    }
    await putRaw(store, 'wal_005/note.', 'dot')
    const text = async (codec: string): Promise<string> => {
      const { archive } = await openTestArchive({ codec, store })
      return Buffer.from(await fetched(archive, 'note')).toString()
    }
    expect([await text('zstd'), await text('brotli'), await text('none')]).toEqual(['zstd', 'brotli', 'none'])
    await store.delete(['wal_005/note.zst'])
    expect(await text('zstd')).toBe('lz4')
    await store.delete(['wal_005/note.lz4'])
    expect(await text('zstd')).toBe('dot')
    await store.delete(['wal_005/note.'])
    expect(await text('zstd')).toBe('brotli')
    await store.delete(['wal_005/note.br'])
    expect(await text('zstd')).toBe('none')
  })

  it('costs one request in the ordinary case', async () => {
    const store = faultStore(memoryStore())
    const { archive } = await filled({ store })
    const before = { ...store.calls }
    await fetched(archive, nameOf(3))
    expect({
      ...store.calls,
      get: store.calls.get - before.get,
      list: store.calls.list - before.list,
      head: store.calls.head - before.head,
    }).toMatchObject({
      get: 1,
      list: 0,
      head: 0,
    })
  })
})

describe('the end of the archive', () => {
  it('is said for the segment after the last one, and for a history that nothing needs', async () => {
    const { archive, sleeps } = await filled()
    for (const name of [nameOf(5), nameOf(1, 2), '00000002.history', '00000009.history', `${nameOf(4)}.partial`, 'anything']) {
      expect(await faultOf(archive.fetch(name)), name).toMatchObject({ kind: 'not-found', code: 'WAL_NOT_FOUND' })
    }
    expect(sleeps).toEqual([])
  })

  it('is not said by an empty place, nor by one that holds other things only', async () => {
    const { archive, store } = await openTestArchive({ expectedSystemIdentifier: system(SYSTEM) })
    expect(await faultOf(archive.fetch(nameOf(1)))).toMatchObject({ kind: 'invalid', code: 'WAL_ARCHIVE_EMPTY' })
    await putRaw(store, 'wal_005/some-file', 'x')
    await putRaw(store, 'basebackups_005/base_1/metadata.json', '{}')
    expect(await faultOf(archive.fetch('00000002.history'))).toMatchObject({ code: 'WAL_ARCHIVE_EMPTY' })
  })

  it("is not said by another cluster's archive, declared or not", async () => {
    const { store } = await filled()
    const { archive } = await openTestArchive({ store, expectedSystemIdentifier: system(99n) })
    expect(await faultOf(archive.fetch(nameOf(5)))).toMatchObject({ kind: 'conflict', code: 'WAL_ARCHIVE_FOREIGN' })
    await store.delete(['waltz/cluster.json'])
    expect(await faultOf(archive.fetch(nameOf(5)))).toMatchObject({ kind: 'conflict', code: 'WAL_ARCHIVE_FOREIGN' })
    const own = await openTestArchive({ store, expectedSystemIdentifier: system(SYSTEM) })
    expect(await faultOf(own.archive.fetch(nameOf(5)))).toMatchObject({ code: 'WAL_NOT_FOUND' })
    const unknown = await openTestArchive({ store })
    expect(await faultOf(unknown.archive.fetch(nameOf(5)))).toMatchObject({ code: 'WAL_NOT_FOUND' })
  })

  it('is said by an archive that began with a codec that is not there', async () => {
    const { archive, store } = await filled()
    await store.delete(['waltz/cluster.json'])
    for (let number = 1; number <= 5; number += 1) {
      await store.delete([`wal_005/${nameOf(number)}.lz4`])
      await putRaw(store, `wal_005/${nameOf(number)}.xz`, 'x')
    }
    await putRaw(store, `wal_005/${nameOf(6)}`, segment(6))
    expect(await faultOf(archive.fetch(nameOf(7)))).toMatchObject({ code: 'WAL_NOT_FOUND' })
    // Without pg_control the size of the segments comes from the archive too.
    await push(archive, '00000002.history', '1\t0/680000\tx\n')
    const unknown = await openTestArchive({ store })
    expect(await faultOf(unknown.archive.fetch(nameOf(7)))).toMatchObject({ code: 'WAL_NOT_FOUND' })
  })

  it('is not said when nothing tells whose archive it is', async () => {
    const { archive, store } = await openTestArchive({ expectedSystemIdentifier: system(SYSTEM) })
    await putRaw(store, `wal_005/${nameOf(1)}.lzma`, 'x')
    expect(await faultOf(archive.fetch(nameOf(5)))).toMatchObject({ code: 'WAL_ARCHIVE_FOREIGN' })
  })

  it('is not said when the storage fails on any of the calls', async () => {
    const { store } = await filled()
    for (const operation of ['get', 'list'] as const) {
      for (let nth = 1; nth <= 2; nth += 1) {
        const failing = faultStore(store, { rules: [{ operation, nth, action: { kind: 'fail' } }] })
        const { archive } = await openTestArchive({ store: failing, expectedSystemIdentifier: system(SYSTEM) })
        expect(await faultOf(archive.fetch(nameOf(5))), `${operation} ${nth}`).toMatchObject({ kind: 'unavailable' })
      }
    }
  })
})

describe('a form that cannot be read', () => {
  it.each(['xz', 'lz4.gpg', 'lz4.bak', 'zip'])('is not absence: .%s', async (extension) => {
    const { archive, store } = await filled({}, [1, 2])
    await putRaw(store, `wal_005/${nameOf(3)}.${extension}`, 'x')
    const fault = await faultOf(archive.fetch(nameOf(3)))
    expect(fault).toMatchObject({ kind: 'unsupported', code: 'WAL_UNKNOWN_EXTENSION' })
    expect(fault.message).toContain(`${nameOf(3)}.${extension}`)
  })

  it('is passed over when the file is there in another form', async () => {
    const { archive, store } = await filled({}, [1, 2])
    await putRaw(store, `wal_005/${nameOf(2)}.xz`, 'x')
    expect(Buffer.from(await fetched(archive, nameOf(2))).equals(segment(2))).toBe(true)
  })

  it('is not seen in sidecars and other files of the segment', async () => {
    const { archive, store } = await filled({}, [1, 2])
    for (const rest of [
      '.json',
      '_delta',
      '_delta.lz4',
      '.partial.lz4',
      '.00000028.backup.lz4',
      '.lz4.tmp.20260301T000000Z-0123456789abcdef',
    ]) {
      await putRaw(store, `wal_005/${nameOf(3)}${rest}`, 'x')
    }
    expect(await faultOf(archive.fetch(nameOf(3)))).toMatchObject({ code: 'WAL_NOT_FOUND' })
  })
})

describe('a hole', () => {
  it('is a missing segment with a later one, a later partial, or a later backup', async () => {
    const later: readonly (readonly [string, Uint8Array | string])[] = [
      [nameOf(8), segment(8)],
      [`${nameOf(8)}.partial`, segment(8)],
      [`${nameOf(8)}.00000028.backup`, 'START WAL LOCATION'],
    ]
    for (const [name, bytes] of later) {
      const { archive, sleeps, events } = await filled()
      await push(archive, name, bytes)
      expect(await faultOf(archive.fetch(nameOf(5))), name).toMatchObject({ kind: 'unavailable', code: 'WAL_HOLE', retryable: false })
      expect(sleeps).toEqual([100])
      expect(events.at(-1)).toMatchObject({ type: 'hole-suspected', name: nameOf(5), waitMs: 100 })
    }
  })

  it('is not made by sidecars, by the file beside it, or by timelines that have nothing to do with it', async () => {
    const { archive, store } = await filled()
    for (const name of [`${nameOf(8)}.json`, `${nameOf(16)}_delta.lz4`, `${nameOf(5)}.partial.lz4`, `${nameOf(9, 3)}.lz4`]) {
      await putRaw(store, `wal_005/${name}`, 'x')
    }
    expect(await faultOf(archive.fetch(nameOf(5)))).toMatchObject({ code: 'WAL_NOT_FOUND' })
  })

  it('is looked at again, and forgotten when the file has come', async () => {
    const test: TestArchive = await filled({ whileAsleep: async () => void (await push(test.archive, nameOf(5), segment(5))) })
    await push(test.archive, nameOf(6), segment(6))
    expect(Buffer.from(await fetched(test.archive, nameOf(5))).equals(segment(5))).toBe(true)
    expect(test.sleeps).toEqual([100])
  })

  it('is the lost tail of a timeline that another one left later', async () => {
    const { archive } = await filled()
    // Timeline 2 began within segment 7, timeline 3 came from it within segment 9.
    await push(archive, '00000003.history', '1\t0/780000\tx\n\n2\t0/910000\ty\n')
    expect(await faultOf(archive.fetch(nameOf(6)))).toMatchObject({ code: 'WAL_HOLE' })
    expect(await faultOf(archive.fetch(nameOf(7)))).toMatchObject({ code: 'WAL_NOT_FOUND' })
    expect(await faultOf(archive.fetch(nameOf(8, 2)))).toMatchObject({ code: 'WAL_HOLE' })
    expect(await faultOf(archive.fetch(nameOf(9, 2)))).toMatchObject({ code: 'WAL_NOT_FOUND' })
  })

  it('is not suspected on a timeline that others left earlier', async () => {
    const { archive } = await filled()
    await push(archive, '00000002.history', '1\t0/280000\tx\n')
    await push(archive, nameOf(2, 2), segment(2))
    expect(await faultOf(archive.fetch(nameOf(5)))).toMatchObject({ code: 'WAL_NOT_FOUND' })
  })

  it('is not overlooked because the history that tells of it is damaged', async () => {
    const { archive } = await filled()
    await push(archive, '00000002.history', '1\tgarbage\n')
    expect(await faultOf(archive.fetch(nameOf(5)))).toMatchObject({ kind: 'corrupt', code: 'WAL_CONTENT_WRONG' })
  })

  it('is a missing history below a higher one, or below WAL of that timeline', async () => {
    const higher = await filled()
    await push(higher.archive, '00000003.history', '1\t0/280000\tx\n2\t0/380000\tx\n')
    expect(await faultOf(higher.archive.fetch('00000002.history'))).toMatchObject({
      kind: 'unavailable',
      code: 'WAL_HISTORY_HOLE',
      retryable: false,
    })
    expect(await faultOf(higher.archive.fetch('00000004.history'))).toMatchObject({ code: 'WAL_NOT_FOUND' })
    const orphaned = await filled()
    await push(orphaned.archive, nameOf(4, 2), segment(4))
    expect(await faultOf(orphaned.archive.fetch('00000002.history'))).toMatchObject({ code: 'WAL_HISTORY_HOLE' })
  })

  it('is not a missing history of the timeline that the server comes from, or of an older one', async () => {
    const { archive } = await filled()
    await push(archive, '00000003.history', '1\t0/280000\tx\n2\t0/380000\tx\n')
    await push(archive, nameOf(4, 4), segment(4))
    const ask = (name: string, timeline: number) => faultOf(archive.fetch(name, { ownTimeline: timelineId(timeline) }))
    expect(await ask('00000002.history', 2)).toMatchObject({ code: 'WAL_NOT_FOUND' })
    expect(await ask('00000004.history', 4)).toMatchObject({ code: 'WAL_NOT_FOUND' })
    expect(await ask('00000004.history', 3)).toMatchObject({ code: 'WAL_HISTORY_HOLE' })
  })
})

describe('a stored file that is damaged', () => {
  it('fails while it is read', async () => {
    const { archive, store } = await filled({}, [1])
    const key = `wal_005/${nameOf(1)}.lz4`
    const bytes = await storedBytes(store, key)
    await putRaw(store, key, bytes.subarray(0, bytes.length - 10))
    expect(await faultOf(fetched(archive, nameOf(1)))).toMatchObject({ kind: 'corrupt' })
    expect(SEGMENT).toBe(segment(1).length)
  })
})
