import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { faultStore } from '@waltz/testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { WalArchive } from '../src/index.ts'
import { faultOf, memoryStore, openTestArchive, push, putRaw, storedBytes, system } from './support/archive.ts'
import { flipped, makeWal, nameOf, SEGMENT, SYSTEM } from './support/segments.ts'

const wal = makeWal({ first: 1, count: 4 })
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waltz-fetch-'))
})
afterEach(() => rm(folder, { recursive: true }))

const fetchTo = (archive: WalArchive, name: string, destination = join(folder, 'RECOVERYXLOG')) =>
  archive.fetchToFile({ name, destination, unique: '0011223344556677' })

/** Pushes 1 to 3, then replaces what is stored of one of them. */
async function damaged(codec: string, name: string, change: (stored: Uint8Array) => Uint8Array): Promise<WalArchive> {
  const { archive, store } = await openTestArchive({ codec, expectedSystemIdentifier: system(SYSTEM) })
  for (const number of [1, 2, 3]) await push(archive, nameOf(number), wal[number - 1])
  await push(archive, '00000002.history', '1\t0/280000\tx\n')
  const key = `wal_005/${name}${{ lz4: '.lz4', zstd: '.zst', brotli: '.br', none: '' }[codec]}`
  await putRaw(store, key, change(await storedBytes(store, key)))
  return archive
}

describe('fetchToFile', () => {
  it.each(['lz4', 'zstd', 'brotli', 'none'])('writes the whole file and nothing else (%s)', async (codec) => {
    const { archive } = await openTestArchive({ codec })
    for (const number of [1, 2]) await push(archive, nameOf(number), wal[number - 1])
    expect(await fetchTo(archive, nameOf(2))).toMatchObject({ bytes: SEGMENT })
    expect((await readFile(join(folder, 'RECOVERYXLOG'))).equals(wal[1])).toBe(true)
    expect(await readdir(folder)).toEqual(['RECOVERYXLOG'])
  })

  it('replaces a file, follows a link, and refuses a directory', async () => {
    const { archive } = await openTestArchive()
    await push(archive, nameOf(1), wal[0])
    await mkdir(join(folder, 'elsewhere'))
    await writeFile(join(folder, 'elsewhere', 'target'), 'old')
    await symlink(join('elsewhere', 'target'), join(folder, 'link'))
    await fetchTo(archive, nameOf(1), join(folder, 'link'))
    expect((await readFile(join(folder, 'elsewhere', 'target'))).equals(wal[0])).toBe(true)
    expect((await readdir(folder)).sort()).toEqual(['elsewhere', 'link'])
    expect(await faultOf(fetchTo(archive, nameOf(1), join(folder, 'elsewhere')))).toMatchObject({
      kind: 'invalid',
      code: 'WAL_DESTINATION',
    })
    expect(await faultOf(fetchTo(archive, nameOf(1), join(folder, 'no', 'folder')))).toMatchObject({
      kind: 'invalid',
      code: 'WAL_DESTINATION',
    })
  })

  it('leaves an older file alone when the fetch fails, and no temporary one', async () => {
    const destination = join(folder, 'RECOVERYXLOG')
    await writeFile(destination, 'older')
    const cut = await damaged('lz4', nameOf(2), (stored) => stored.subarray(0, stored.length / 2))
    expect(await faultOf(fetchTo(cut, nameOf(2)))).toMatchObject({ kind: 'corrupt' })
    expect(await faultOf(fetchTo(cut, nameOf(9)))).toMatchObject({ code: 'WAL_NOT_FOUND' })
    expect(await readFile(destination, 'utf8')).toBe('older')
    expect(await readdir(folder)).toEqual(['RECOVERYXLOG'])
  })

  it('removes what killed fetches of the same file left, once it is old', async () => {
    const { archive } = await openTestArchive({ now: () => new Date() })
    await push(archive, nameOf(1), wal[0])
    const old = join(folder, 'RECOVERYXLOG.waltz-aaaa')
    const fresh = join(folder, 'RECOVERYXLOG.waltz-bbbb')
    const other = join(folder, 'RECOVERYHISTORY.waltz-cccc')
    for (const path of [old, fresh, other]) await writeFile(path, 'x')
    const past = new Date(Date.now() - 3_600_000)
    for (const path of [old, other]) await utimes(path, past, past)
    await fetchTo(archive, nameOf(1))
    expect((await readdir(folder)).sort()).toEqual(['RECOVERYHISTORY.waltz-cccc', 'RECOVERYXLOG', 'RECOVERYXLOG.waltz-bbbb'])
  })

  it('stops when it is told to, without a trace', async () => {
    const { archive } = await openTestArchive({ codec: 'none' })
    await push(archive, nameOf(1), wal[0])
    const destination = join(folder, 'RECOVERYXLOG')
    const signal = AbortSignal.abort()
    const request = { name: nameOf(1), destination, unique: 'ab', signal }
    expect(await faultOf(archive.fetchToFile(request))).toMatchObject({ kind: 'aborted' })
    expect(await readdir(folder)).toEqual([])
  })

  it('is not fooled by a download that breaks off', async () => {
    for (const silently of [true, false]) {
      const store = faultStore(memoryStore(), {
        rules: [{ operation: 'get', key: /wal_005/, action: { kind: 'cut', afterBytes: 300_000, silently } }],
      })
      const { archive } = await openTestArchive({ codec: 'none', store })
      await push(archive, nameOf(1), wal[0])
      expect(await faultOf(fetchTo(archive, nameOf(1)))).toMatchObject(silently ? { code: 'WAL_CONTENT_WRONG' } : { kind: 'unavailable' })
      expect(await readdir(folder)).toEqual([])
    }
  })

  it('gives files with the permissions that the process wants', async () => {
    const { archive } = await openTestArchive()
    await push(archive, '00000002.history', '1\t0/280000\tx\n')
    await fetchTo(archive, '00000002.history')
    expect((await stat(join(folder, 'RECOVERYXLOG'))).mode & 0o777).toBe(0o666 & ~process.umask())
  })
})

describe('content that cannot be what its name says', () => {
  const everyCodec = ['lz4', 'zstd', 'brotli', 'none'] as const
  const changes: readonly (readonly [string, readonly string[], (stored: Uint8Array) => Uint8Array])[] = [
    ['empty', everyCodec, () => new Uint8Array(0)],
    ['cut in half', everyCodec, (stored) => stored.subarray(0, stored.length >> 1)],
    ['cut by a byte', everyCodec, (stored) => stored.subarray(0, stored.length - 1)],
    ['a byte longer', ['none', 'lz4', 'brotli', 'zstd'], (stored) => Buffer.concat([stored, Buffer.from([7])])],
    ['flipped in the middle', everyCodec, (stored) => flipped(stored, stored.length >> 1)],
    ['of the next segment', ['none'], () => wal[2]],
    ['of another cluster', ['none'], () => makeWal({ first: 2, system: 99n })[0]],
    ['of a newer timeline', ['none'], () => makeWal({ first: 2, timeline: 2 })[0]],
    ['zeros', ['none'], () => new Uint8Array(SEGMENT)],
    ['zeros from some page on', ['none'], (stored) => Buffer.concat([stored.subarray(0, SEGMENT / 2), new Uint8Array(SEGMENT / 2)])],
    ['twice its size', ['none'], (stored) => Buffer.concat([stored, stored])],
  ]
  for (const [what, codecs, change] of changes) {
    it.each(codecs)(`${what}, with %s`, async (codec) => {
      const archive = await damaged(codec, nameOf(2), change)
      const fault = await faultOf(fetchTo(archive, nameOf(2)))
      expect(fault.kind).toBe('corrupt')
      expect(await readdir(folder)).toEqual([])
    })
  }

  it('a flipped byte in any record, page header or checksum, without a checksum of the codec', async () => {
    for (const at of [1000, 8192, 8192 + 8, 8192 + 16, 50_000, 70_001, 500_000, SEGMENT - 8192, SEGMENT - 20_000]) {
      const archive = await damaged('none', nameOf(2), (stored) => flipped(stored, at))
      expect(await faultOf(fetchTo(archive, nameOf(2))), String(at)).toMatchObject({ code: 'WAL_CONTENT_WRONG' })
    }
  })

  it('a record that crosses into the segment: damaged here, or in the segment before', async () => {
    const here = await damaged('none', nameOf(2), (stored) => flipped(stored, 40 + 16))
    expect(await faultOf(fetchTo(here, nameOf(2)))).toMatchObject({ code: 'WAL_CONTENT_WRONG' })
    // The last record of segment 1 is not whole there, so only the fetch of segment 2 can tell.
    const before = await damaged('none', nameOf(1), (stored) => flipped(stored, SEGMENT - 3))
    expect((await fetchTo(before, nameOf(1))).bytes).toBe(SEGMENT)
    expect(await faultOf(fetchTo(before, nameOf(2)))).toMatchObject({ code: 'WAL_CONTENT_WRONG' })
  })

  it.each(['0/28zz', '', '# nothing\n', '2\t0/280000\tx\n', '3\t0/280000\tx\n', '1\t0/280000\tx\n1\t0/290000\tx\n'])(
    'a history of %j',
    async (text) => {
      const archive = await damaged('none', '00000002.history', () => Buffer.from(text))
      expect(await faultOf(fetchTo(archive, '00000002.history'))).toMatchObject({ kind: 'corrupt', code: 'WAL_CONTENT_WRONG' })
      expect(await readdir(folder)).toEqual([])
    },
  )

  it('a segment of another size than the server has', async () => {
    const { store } = await openTestArchive({ codec: 'lz4' })
    const writer = await openTestArchive({ store })
    await push(writer.archive, nameOf(1), wal[0])
    const { archive } = await openTestArchive({ store, segmentBytes: 16 * SEGMENT })
    expect(await faultOf(fetchTo(archive, nameOf(1)))).toMatchObject({ code: 'WAL_CONTENT_WRONG' })
  })
})

describe('records longer than a segment', () => {
  const long = makeWal({ first: 1, count: 6, recordBytes: 2_500_000 })
  const push6 = async (change: (segments: Uint8Array[]) => void) => {
    const test = await openTestArchive({ codec: 'none' })
    const segments = [...long]
    change(segments)
    for (const [index, bytes] of segments.entries()) await push(test.archive, nameOf(index + 1), bytes)
    return test
  }

  it('are checked where they end', async () => {
    const { archive, events } = await push6(() => undefined)
    for (let number = 1; number <= 6; number += 1) expect((await fetchTo(archive, nameOf(number))).bytes).toBe(SEGMENT)
    expect(events.filter(({ type }) => type === 'first-record-unchecked')).toEqual([])
    // The first record ends in segment 3; its damage lies in segment 2, where no record begins or ends.
    const broken = await push6((segments) => (segments[1] = flipped(segments[1], 600_000)))
    expect((await fetchTo(broken.archive, nameOf(2))).bytes).toBe(SEGMENT)
    expect(await faultOf(fetchTo(broken.archive, nameOf(3)))).toMatchObject({ code: 'WAL_CONTENT_WRONG' })
  })

  it('are passed, and reported, where the archive begins behind their start', async () => {
    const test = await openTestArchive({ codec: 'none' })
    await push(test.archive, nameOf(3), long[2])
    expect((await fetchTo(test.archive, nameOf(3))).bytes).toBe(SEGMENT)
    expect(test.events.at(-1)).toEqual({ type: 'first-record-unchecked', name: nameOf(3) })
  })
})
