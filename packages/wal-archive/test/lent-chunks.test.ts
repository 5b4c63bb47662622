import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { giveBack, lendBytes, type ByteSource } from '@waltz/bytes'
import { createObjectBody, type ObjectStore } from '@waltz/storage'
import { createFileStore } from '@waltz/storage-file'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { sameBytes } from '../src/compare-sources.ts'
import { openLocalWal, type WalBody } from '../src/index.ts'
import { faultOf, fetched, memoryStore, openTestArchive, push } from './support/archive.ts'
import { flipped, makeWal, nameOf, SEGMENT } from './support/segments.ts'

const [one] = makeWal({ first: 1 }) as [Uint8Array]
const ONE = nameOf(1)
const POISON = 0xa5

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waltz-lent-'))
})
afterEach(() => rm(folder, { recursive: true }))

interface Loans {
  lent: number
  returned: number
}

/** The same bytes in chunks whose memory is overwritten as soon as they are given back. */
async function* poisoned(source: ByteSource, loans: Loans): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const bytes of source) {
    const chunk = Uint8Array.from(bytes)
    loans.lent += 1
    yield lendBytes(chunk, () => {
      loans.returned += 1
      chunk.fill(POISON)
    })
  }
}

async function* cut(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

/** A store that lends what it reads, in chunks of a size. */
function lendingStore(inner: ObjectStore, size: number, loans: Loans): ObjectStore {
  return {
    ...inner,
    async get(key, options) {
      const body = await inner.get(key, options)
      const regrouped = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
        for await (const chunk of body) yield* cut(chunk, size)
      }
      return createObjectBody({ info: body.info, read: () => poisoned(regrouped(), loans), close: async () => body[Symbol.asyncDispose]() })
    },
  }
}

const codecs = ['lz4', 'zstd', 'brotli', 'none'] as const
const sizes = [13, 8192, 262_144, 1_000_001]
const cases = codecs.flatMap((codec) => sizes.map((size) => [codec, size] as const))

describe('chunks that are lent', () => {
  it.each(cases)('are stored before they are given back (%s, chunks of %d)', async (codec, size) => {
    const loans = { lent: 0, returned: 0 }
    const store = createFileStore({ root: folder, now: () => new Date(), randomHex: (digits) => '0'.repeat(digits), sync: false })
    const { archive } = await openTestArchive({ codec, store })
    const body: WalBody = (wish) => poisoned(cut(one, wish?.bytes === undefined ? size : 40), loans)
    expect(await archive.push(ONE, body, { size: SEGMENT })).toBe('stored')
    expect(Buffer.from(await fetched(archive, ONE)).equals(one)).toBe(true)
    expect(await archive.push(ONE, body, { size: SEGMENT })).toBe('already-stored')
    expect(loans.returned).toBeGreaterThanOrEqual(loans.lent / 2)
  })

  it.each(cases)('are written before they are given back (%s, chunks of %d)', async (codec, size) => {
    const loans = { lent: 0, returned: 0 }
    const inner = memoryStore()
    await push((await openTestArchive({ codec, store: inner })).archive, ONE, one)
    const { archive } = await openTestArchive({ codec, store: lendingStore(inner, size, loans) })
    await archive.fetchToFile({ name: ONE, destination: join(folder, 'RECOVERYXLOG'), unique: 'ab' })
    expect((await readFile(join(folder, 'RECOVERYXLOG'))).equals(one)).toBe(true)
    expect(await readdir(folder)).toEqual(['RECOVERYXLOG'])
    expect(loans.lent).toBeGreaterThan(0)
    // What was stored says so when it is compared with lent chunks of either side, and so does what differs in its last byte.
    expect(await push(archive, ONE, one)).toBe('already-stored')
    expect(await faultOf(push(archive, ONE, flipped(one, SEGMENT - 1)))).toMatchObject({ code: 'WAL_CONFLICT' })
  })

  it('are all given back when a file is compared, however it is cut', async () => {
    for (const [left, right] of [
      [1000, 999],
      [1, 5000],
      [4096, 4096],
    ] as const) {
      const bytes = one.subarray(0, 20_000)
      const [a, b] = [
        { lent: 0, returned: 0 },
        { lent: 0, returned: 0 },
      ]
      expect(await sameBytes(poisoned(cut(bytes, left), a), poisoned(cut(bytes, right), b))).toBe(true)
      expect([a.returned, b.returned]).toEqual([a.lent, b.lent])
      for (const at of [0, 9999, 19_999]) {
        const other = flipped(bytes, at)
        expect(await sameBytes(poisoned(cut(bytes, left), a), poisoned(cut(other, right), b))).toBe(false)
      }
      expect(await sameBytes(poisoned(cut(bytes, left), a), poisoned(cut(bytes.subarray(0, -1), right), b))).toBe(false)
      expect(await sameBytes(poisoned(cut(bytes.subarray(0, -1), left), a), poisoned(cut(bytes, right), b))).toBe(false)
    }
  })
})

describe('what a reader of a local file may wish', () => {
  it('chunks of a size, whose memory is used again once they are given back', async () => {
    const bytes = Buffer.from(one.subarray(0, 1_000_000))
    await writeFile(join(folder, 'file'), bytes)
    const { open } = await openLocalWal(join(folder, 'file'))
    const lengths: number[] = []
    const memories = new Set<ArrayBufferLike>()
    const parts: Buffer[] = []
    for await (const chunk of open({ chunkBytes: 65_536 })) {
      lengths.push(chunk.length)
      memories.add(chunk.buffer)
      parts.push(Buffer.from(chunk))
      giveBack(chunk)
    }
    expect(Buffer.concat(parts).equals(bytes)).toBe(true)
    expect(lengths).toEqual([...Array.from({ length: 15 }, () => 65_536), 16_960])
    expect(memories.size).toBe(1)
  })

  it('only the beginning', async () => {
    await writeFile(join(folder, 'file'), one)
    const { open } = await openLocalWal(join(folder, 'file'))
    for (const wish of [{ bytes: 40 }, { bytes: 40, chunkBytes: 16 }, { bytes: 0 }]) {
      const read = Buffer.concat(await Array.fromAsync(open(wish), (chunk) => Buffer.from(chunk)))
      expect(read.equals(one.subarray(0, wish.bytes))).toBe(true)
    }
  })
})
