import { describe, expect, it } from 'vitest'
import { concatBytes, sourceOf } from '@waltz/bytes'
import { clipRange, createObjectBody, openPutBody, type ObjectBody } from '../src/index.ts'

/** A source that notes when it is closed, and hangs after its first chunk. */
function hanging(): { source: AsyncIterable<Uint8Array>; closed: () => boolean } {
  let closed = false
  let pulls = 0
  const iterator = {
    next: (): Promise<IteratorResult<Uint8Array>> => {
      pulls += 1
      return pulls === 1 ? Promise.resolve({ done: false, value: new Uint8Array(5) }) : new Promise(() => undefined)
    },
    return: async (): Promise<IteratorResult<Uint8Array>> => ((closed = true), { done: true, value: undefined }),
  }
  return { source: { [Symbol.asyncIterator]: () => iterator }, closed: () => closed }
}

const collect = async (source: AsyncIterable<Uint8Array>): Promise<Uint8Array> => {
  const chunks: Uint8Array[] = []
  for await (const chunk of source) chunks.push(chunk)
  return concatBytes(chunks)
}

describe('openPutBody', () => {
  it('closes the source by itself when the signal fires in the middle of a pull', async () => {
    const { source, closed } = hanging()
    const controller = new AbortController()
    const reading = collect(openPutBody('key', source, { signal: controller.signal }))
    setImmediate(() => controller.abort())
    await expect(reading).rejects.toMatchObject({ kind: 'aborted' })
    expect(closed()).toBe(true)
  })

  it('fails again when it is pulled after a failure, and is over when it was closed', async () => {
    const body = openPutBody('key', sourceOf('12345'), { size: 3 })
    await expect(collect(body)).rejects.toMatchObject({ code: 'STORAGE_SIZE_MISMATCH' })
    await expect(collect(body)).rejects.toMatchObject({ code: 'STORAGE_SIZE_MISMATCH' })
    const unused = openPutBody('key', sourceOf('12345'), {})
    await unused.close()
    await unused.close()
    expect(await collect(unused)).toHaveLength(0)
  })

  it('drops empty chunks and takes the exact size', async () => {
    const withEmpty = (async function* () {
      yield new Uint8Array(0)
      yield new Uint8Array([1, 2])
      yield new Uint8Array(0)
      yield new Uint8Array([3])
    })()
    const lengths: number[] = []
    for await (const chunk of openPutBody('key', withEmpty, { size: 3 })) lengths.push(chunk.length)
    expect(lengths).toEqual([2, 1])
  })
})

describe('createObjectBody', () => {
  const make = (): { body: ObjectBody; closes: () => number } => {
    let closes = 0
    const body = createObjectBody({
      info: { key: 'key', size: 10, modifiedAt: new Date(0) },
      read: () => sourceOf('12345', '67890'),
      close: async () => void (closes += 1),
    })
    return { body, closes: () => closes }
  }

  it('is closed once, at its end, whoever asks', async () => {
    const { body, closes } = make()
    expect(await collect(body)).toHaveLength(10)
    expect(closes()).toBe(1)
    await body[Symbol.asyncDispose]()
    expect(closes()).toBe(1)
  })

  it('cannot be read twice at the same time, nor read on after disposal', async () => {
    const { body } = make()
    const iterator = body[Symbol.asyncIterator]()
    await iterator.next()
    expect(() => body[Symbol.asyncIterator]()).toThrow(expect.objectContaining({ code: 'STORAGE_BODY_USED' }) as Error)
    await body[Symbol.asyncDispose]()
    await expect(iterator.next()).rejects.toMatchObject({ code: 'STORAGE_BODY_USED' })
  })
})

describe('clipRange', () => {
  it('cuts a range to the object', () => {
    expect(
      [undefined, { start: 3 }, { start: 3, end: 99 }, { start: 99 }, { start: 99, end: 100 }].map((range) => clipRange(range, 10)),
    ).toEqual([
      { start: 0, end: 10 },
      { start: 3, end: 10 },
      { start: 3, end: 10 },
      { start: 10, end: 10 },
      { start: 10, end: 10 },
    ])
  })
})
