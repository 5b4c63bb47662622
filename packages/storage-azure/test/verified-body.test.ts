import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { expect, it } from 'vitest'
import { concatBytes, createBlockPool } from '@waltz/bytes'
import { readVerified, type OpenDownload } from '../src/verified-body.ts'

const BYTES = Buffer.from(Array.from({ length: 1000 }, (_, index) => index & 255))
const sum = (start: number, end: number, bytes = BYTES): Buffer => createHash('md5').update(bytes.subarray(start, end)).digest()
const SECTIONS = [0, 300, 600, 900].map((start) => ({
  start,
  end: Math.min(start + 300, 1000),
  md5: sum(start, Math.min(start + 300, 1000)),
}))

function download(
  stream: Readable,
  { start = 0, end = 1000 }: { start?: number; end?: number } = {},
  place?: OpenDownload['place'],
): OpenDownload {
  return {
    place: place ?? ({ location: 'azure://c', readBlocks: createBlockPool(64), halves: new Map() } as unknown as OpenDownload['place']),
    version: 'v',
    stream,
    watch: { signal: new AbortController().signal, progressed: () => undefined, stop: () => undefined, faultOf: (error) => error },
    turn: { waiting: false },
    start,
    end,
    sections: SECTIONS,
    call: { doing: 'read of x' },
    faultOf: (error) => error,
    signal: undefined,
  }
}

const streamOf = (bytes: Buffer, pieces = 77): Readable =>
  Readable.from(
    (function* () {
      for (let offset = 0; offset < bytes.length; offset += pieces) yield bytes.subarray(offset, offset + pieces)
    })(),
  )

async function taken(open: OpenDownload): Promise<{ bytes: Buffer; error: any }> {
  const chunks: Uint8Array[] = []
  let error: unknown
  try {
    for await (const chunk of readVerified(open)) chunks.push(chunk.slice())
  } catch (caught) {
    error = caught
  }
  return { bytes: Buffer.from(concatBytes(chunks)), error }
}

it('gives all bytes of what is sound, from any start', async () => {
  for (const start of [0, 1, 300, 555, 999]) {
    const { bytes, error } = await taken(download(streamOf(BYTES.subarray(start)), { start }))
    expect([error, bytes.equals(BYTES.subarray(start))]).toEqual([undefined, true])
  }
})

it('never gives the end of a section that is damaged', async () => {
  for (const at of [0, 299, 300, 650, 999]) {
    const damaged = Buffer.from(BYTES)
    damaged[at] = (damaged[at] ?? 0) ^ 1
    const { bytes, error } = await taken(download(streamOf(damaged)))
    expect(error).toMatchObject({ code: 'STORAGE_CHECKSUM_MISMATCH' })
    const section = SECTIONS.find(({ end }) => at < end)
    expect(bytes.length).toBeLessThan(section?.end ?? 0)
    expect(error.retryable).toBe(bytes.length === 0)
  }
})

it('checks a section across a break, and only where it goes on at the same byte', async () => {
  const damaged = Buffer.from(BYTES)
  damaged[10] = 1
  const place = download(streamOf(BYTES)).place
  const broken = streamOf(damaged.subarray(0, 200))
  const first = await taken(download(broken, {}, place))
  expect(first.error).toMatchObject({ code: 'STORAGE_UNREACHABLE', retryable: true })
  const start = first.bytes.length
  expect(start).toBeGreaterThan(100)
  const second = await taken(download(streamOf(BYTES.subarray(start)), { start }, place))
  expect(second.error).toMatchObject({ code: 'STORAGE_CHECKSUM_MISMATCH', retryable: false })
  expect(place.halves.size).toBe(0)
})

it('refuses more and fewer bytes than announced', async () => {
  const more = await taken(download(streamOf(BYTES), { end: 990 }))
  expect(more.error).toMatchObject({ code: 'STORAGE_UNREACHABLE' })
  const fewer = await taken(download(streamOf(BYTES.subarray(0, 999))))
  expect(fewer.error).toMatchObject({ code: 'STORAGE_UNREACHABLE' })
  expect(fewer.bytes.length).toBeLessThan(1000)
})
