import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { abortedFault, Fault, isFault } from '@waltz/errors'
import { concatBytes, lendBytes, type ByteSource } from '@waltz/bytes'
import {
  createByteBudget,
  createPartUploader,
  type ByteBudget,
  type MultipartTarget,
  type PutOptions,
  type UploadCall,
} from '../src/index.ts'
import { chunked, patternBytes } from '../src/conformance/sources.ts'
import { retryPolicy } from './support/wrapped-stores.ts'

const PART = 1000

/** What a request does before, or instead of, what it is for. */
type Fate = 'works' | 'fails' | 'refuses' | 'hangs' | 'answer lost' | 'late'

interface Shelf {
  readonly objects: Map<string, Uint8Array>
  readonly uploads: Map<number, Map<number, Uint8Array>>
  /** Every request, such as `part 3 attempt 2`. */
  readonly log: string[]
  readonly aborted: number[]
  readonly leftovers: string[]
  mostParts: number
}

const outage = (): Fault => new Fault('unavailable', 'TEST_OUTAGE', 'no answer')
const refusal = (): Fault => new Fault('denied', 'TEST_REFUSED', 'not allowed')

/** A place for parts that fails at chosen requests. `fate` is asked with the number of the request, from 0. */
function target(fate: (request: number) => Fate): { readonly shelf: Shelf; readonly target: MultipartTarget<number, number> } {
  const shelf: Shelf = { objects: new Map(), uploads: new Map(), log: [], aborted: [], leftovers: [], mostParts: 0 }
  let requests = 0
  let parts = 0
  let ids = 0
  const request = async <T>(name: string, { attempt, signal }: UploadCall, act: () => T): Promise<T> => {
    const chosen = fate(requests)
    requests += 1
    shelf.log.push(`${name} attempt ${attempt}`)
    if (signal.aborted) throw abortedFault(signal)
    if (chosen === 'fails') throw outage()
    if (chosen === 'refuses') throw refusal()
    if (chosen === 'hangs') {
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(abortedFault(signal)), { once: true }))
    }
    for (let turns = chosen === 'late' ? 20 : 1; turns > 0; turns -= 1) await new Promise((resolve) => setImmediate(resolve))
    if (signal.aborted) throw abortedFault(signal)
    const value = act()
    if (chosen === 'answer lost') throw outage()
    return value
  }
  const info = (key: string): { key: string; size: number; modifiedAt: Date } => ({
    key,
    size: shelf.objects.get(key)?.length ?? -1,
    modifiedAt: new Date(0),
  })
  return {
    shelf,
    target: {
      partBytes: PART,
      maxParts: 20,
      concurrency: 3,
      putWhole: (body, call) =>
        request('whole', call, () => {
          shelf.objects.set(call.key, new Uint8Array(body))
          return info(call.key)
        }),
      begin: (call) =>
        request('begin', call, () => {
          ids += 1
          shelf.uploads.set(ids, new Map())
          return ids
        }),
      async putPart(upload, { index, body }, call) {
        parts += 1
        shelf.mostParts = Math.max(shelf.mostParts, parts)
        try {
          return await request(`part ${index}`, call, () => {
            shelf.uploads.get(upload)?.set(index, new Uint8Array(body))
            return index
          })
        } finally {
          parts -= 1
        }
      },
      complete: (upload, stored, call) =>
        request('complete', call, () => {
          const kept = shelf.uploads.get(upload)
          // An earlier attempt may have done it.
          if (kept === undefined && call.attempt > 1 && shelf.objects.has(call.key)) return info(call.key)
          shelf.objects.set(call.key, concatBytes(stored.map((index) => kept?.get(index) ?? new Uint8Array(0))))
          shelf.uploads.delete(upload)
          return info(call.key)
        }),
      async abort(upload) {
        shelf.aborted.push(upload)
        shelf.uploads.delete(upload)
      },
    },
  }
}

interface Watched {
  readonly budget: ByteBudget
  readonly held: () => number
  readonly most: () => number
}

/** Counts what is held of a budget. */
function watchedBudget(maxBytes: number): Watched {
  const budget = createByteBudget(maxBytes)
  let held = 0
  let most = 0
  return {
    held: () => held,
    most: () => most,
    budget: {
      maxBytes,
      async acquire(bytes, signal) {
        const grant = await budget.acquire(bytes, signal)
        let released = false
        held += bytes
        most = Math.max(most, held)
        return {
          bytes,
          release() {
            if (!released) held -= bytes
            released = true
            grant.release()
          },
        }
      },
    },
  }
}

const policy = retryPolicy({ maxAttempts: 3 })

/** Uploads once; whatever happened, nothing is held and nothing half-done is left. */
async function upload(
  size: number,
  fate: (request: number) => Fate,
  given: { readonly options?: PutOptions; readonly source?: ByteSource; readonly budgetBytes?: number } = {},
) {
  const made = target(fate)
  const watched = watchedBudget(given.budgetBytes ?? 100 * PART)
  const uploader = createPartUploader(made.target, {
    budget: watched.budget,
    retry: policy,
    onLeftover: ({ key }) => made.shelf.leftovers.push(key),
  })
  const outcome: unknown = await uploader
    .upload('key', given.source ?? chunked(patternBytes(size), 300), given.options)
    .catch((error: unknown) => error)
  expect(watched.held()).toBe(0)
  expect(made.shelf.mostParts).toBeLessThanOrEqual(3)
  return { outcome, shelf: made.shelf, watched }
}

const works = (): Fate => 'works'

describe('an upload in parts', () => {
  it.each([0, 1, PART - 1, PART, PART + 1, 2 * PART, 2 * PART + 1, 20 * PART])(
    'of %d bytes is stored whole, size known or not',
    async (size) => {
      for (const options of [{}, { size }]) {
        const { outcome, shelf, watched } = await upload(size, works, { options })
        expect(outcome).toMatchObject({ key: 'key', size })
        expect(Buffer.compare(shelf.objects.get('key') as Uint8Array, patternBytes(size))).toBe(0)
        const expected =
          size <= PART ? ['whole attempt 1'] : Array.from({ length: Math.ceil(size / PART) }, (_, index) => `part ${index} attempt 1`)
        expect(shelf.log.filter((entry) => /part|whole/.test(entry)).toSorted()).toEqual(expected.toSorted())
        expect([shelf.aborted, shelf.uploads.size]).toEqual([[], 0])
        expect(watched.most()).toBeLessThanOrEqual(5 * PART)
      }
    },
  )

  const REQUESTS_OF_FIVE_PARTS = 7
  const numbers = Array.from({ length: REQUESTS_OF_FIVE_PARTS }, (_, number) => number)

  it.each(numbers)('succeeds when request %d fails once, loses its answer or is late', async (number) => {
    for (const fate of ['fails', 'answer lost', 'late'] as const) {
      const { outcome, shelf } = await upload(4.5 * PART, (request) => (request === number ? fate : 'works'))
      expect(outcome).toMatchObject({ size: 4.5 * PART })
      expect(Buffer.compare(shelf.objects.get('key') as Uint8Array, patternBytes(4.5 * PART))).toBe(0)
      expect(shelf.aborted).toEqual([])
      const again = shelf.log.filter((entry) => entry.endsWith('attempt 2'))
      expect(again).toHaveLength(fate === 'late' ? 0 : 1)
    }
  })

  it.each(numbers)('fails when request %d and all after it fail; its parts are removed once', async (number) => {
    for (const [fate, code] of [
      ['fails', 'TEST_OUTAGE'],
      ['refuses', 'TEST_REFUSED'],
    ] as const) {
      const { outcome, shelf } = await upload(4.5 * PART, (request) => (request >= number ? fate : 'works'))
      expect(isFault(outcome) && [outcome.code, outcome.retryable]).toEqual([code, false])
      if (fate === 'fails') expect((outcome as Fault).context).toMatchObject({ attempts: 3, operation: 'put', key: 'key' })
      expect([shelf.objects.size, shelf.uploads.size, shelf.aborted]).toEqual([0, 0, number === 0 ? [] : [1]])
      expect(shelf.log.filter((entry) => entry.endsWith('attempt 3')).length).toBeGreaterThanOrEqual(fate === 'fails' ? 1 : 0)
      expect(shelf.log.filter((entry) => entry.endsWith('attempt 4'))).toEqual([])
      if (fate === 'refuses') expect(shelf.log.filter((entry) => !entry.endsWith('attempt 1'))).toEqual([])
    }
  })

  it.each(numbers)('is ended by its signal while request %d hangs; its parts are removed once', async (number) => {
    const controller = new AbortController()
    const reason = number % 2 === 0 ? undefined : new Fault('unavailable', 'TEST_GONE', 'gone')
    const hanging = (request: number): Fate => {
      if (request !== number) return 'works'
      setTimeout(() => controller.abort(reason), 5)
      return 'hangs'
    }
    const { outcome, shelf } = await upload(4.5 * PART, hanging, { options: { signal: controller.signal } })
    expect(outcome).toMatchObject(reason === undefined ? { kind: 'aborted', code: 'ABORTED' } : { code: 'TEST_GONE' })
    expect([shelf.objects.size, shelf.uploads.size, shelf.aborted]).toEqual([0, 0, number === 0 ? [] : [1]])
  })

  it('stays within its budget and its concurrency, whatever happens, and is right or leaves nothing', async () => {
    const fates = fc.array(fc.constantFrom<Fate>('works', 'works', 'works', 'fails', 'answer lost', 'late', 'refuses'), { maxLength: 30 })
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 12 * PART }),
        fates,
        fc.integer({ min: 1, max: 6 * PART }),
        fc.boolean(),
        async (size, chosen, budgetBytes, known) => {
          const { outcome, shelf, watched } = await upload(size, (request) => chosen[request] ?? 'works', {
            budgetBytes,
            options: known ? { size } : {},
          })
          expect(watched.most()).toBeLessThanOrEqual(Math.max(budgetBytes, PART))
          if (isFault(outcome)) {
            expect(['TEST_OUTAGE', 'TEST_REFUSED']).toContain(outcome.code)
            // Only an answer that was lost can leave an object behind a failure: whole, then.
            const left = shelf.objects.get('key')
            if (left !== undefined) expect(Buffer.compare(left, patternBytes(size))).toBe(0)
          } else expect(Buffer.compare(shelf.objects.get('key') as Uint8Array, patternBytes(size))).toBe(0)
          // A begin whose answer was lost leaves an upload that nobody knows of: the only one that may stay.
          const unknown = chosen.filter((fate) => fate === 'answer lost').length
          expect(shelf.uploads.size).toBeLessThanOrEqual(unknown)
          expect(new Set(shelf.aborted).size).toBe(shelf.aborted.length)
          expect(shelf.leftovers).toEqual([])
        },
      ),
      { numRuns: 150 },
    )
  })

  it('many at once share one budget, and all end', async () => {
    const watched = watchedBudget(2 * PART)
    const made = target((request) => (request % 11 === 3 ? 'fails' : 'works'))
    const uploader = createPartUploader(made.target, { budget: watched.budget, retry: policy })
    const keys = Array.from({ length: 12 }, (_, index) => `key ${index}`)
    await Promise.all(keys.map((key, index) => uploader.upload(key, chunked(patternBytes(3500 + index, index), 700))))
    for (const [index, key] of keys.entries()) {
      expect(Buffer.compare(made.shelf.objects.get(key) as Uint8Array, patternBytes(3500 + index, index))).toBe(0)
    }
    expect([watched.most(), watched.held()]).toEqual([2 * PART, 0])
  })

  it('gives lent chunks back when it has copied them, and closes its source when it fails', async () => {
    let returned = 0
    let closed = false
    async function* lent(): AsyncGenerator<Uint8Array> {
      try {
        for (let index = 0; index < 30; index += 1) yield lendBytes(new Uint8Array(250), () => (returned += 1))
      } finally {
        closed = true
      }
    }
    expect((await upload(0, works, { source: lent() })).outcome).toMatchObject({ size: 7500 })
    expect([returned, closed]).toEqual([30, true])
    returned = 0
    closed = false
    await upload(0, (request) => (request === 2 ? 'refuses' : 'works'), { source: lent() })
    expect(closed).toBe(true)
    expect(returned).toBeGreaterThan(0)
  })

  it('is not held up by a source that hangs when a part has failed', async () => {
    async function* hanging(): AsyncGenerator<Uint8Array> {
      yield* chunked(patternBytes(1.5 * PART), 500)
      await new Promise(() => undefined)
    }
    const { outcome, shelf } = await upload(0, (request) => (request === 1 ? 'refuses' : 'works'), { source: hanging() })
    expect(outcome).toMatchObject({ code: 'TEST_REFUSED' })
    expect(shelf.aborted).toEqual([1])
  })

  it('passes a failure of its source on unchanged, wherever it comes', async () => {
    for (const after of [0, 500, PART, 1500, 3 * PART, 3500]) {
      const error = new Error('on purpose')
      async function* failing(): AsyncGenerator<Uint8Array> {
        yield* chunked(patternBytes(after), 500)
        throw error
      }
      const { outcome, shelf } = await upload(0, works, { source: failing() })
      expect(outcome).toBe(error)
      expect([shelf.objects.size, shelf.uploads.size, shelf.aborted.length]).toEqual([0, 0, after > PART ? 1 : 0])
    }
  })

  it('refuses what is too large: at once when the size is known, else when it has seen it', async () => {
    const known = await upload(20 * PART + 1, works, { options: { size: 20 * PART + 1 } })
    expect(known.outcome).toMatchObject({ kind: 'invalid', code: 'STORAGE_OBJECT_TOO_LARGE' })
    expect(known.shelf.log).toEqual([])
    const unknown = await upload(20 * PART + 1, works)
    expect(unknown.outcome).toMatchObject({ kind: 'invalid', code: 'STORAGE_OBJECT_TOO_LARGE' })
    expect([unknown.shelf.objects.size, unknown.shelf.aborted]).toEqual([0, [1]])
  })

  it('tells of parts that it could not remove, and still of what went wrong first', async () => {
    const made = target((request) => (request === 3 ? 'refuses' : 'works'))
    const left: unknown[] = []
    const broken = { ...made.target, abort: () => Promise.reject(outage()) }
    const uploader = createPartUploader(broken, {
      budget: createByteBudget(1e6),
      retry: policy,
      onLeftover: (leftover) => left.push(leftover),
    })
    await expect(uploader.upload('key', chunked(patternBytes(3500)))).rejects.toMatchObject({ code: 'TEST_REFUSED' })
    expect(left).toMatchObject([{ key: 'key', error: { code: 'TEST_OUTAGE' } }])
  })

  it('that is aborted does not wait for a removal that nobody answers; closing tells of it, once', async () => {
    const controller = new AbortController()
    const made = target((request) => (request === 2 ? 'hangs' : 'works'))
    const removal = Promise.withResolvers<void>()
    const left: { readonly key: string; readonly error: unknown }[] = []
    const events: string[] = []
    const uploader = createPartUploader(
      { ...made.target, abort: () => (events.push('removal begins'), removal.promise) },
      { budget: createByteBudget(1e6), retry: policy, onLeftover: (leftover) => left.push(leftover) },
    )
    const failing = uploader.upload('key', chunked(patternBytes(3500)), { signal: controller.signal }).catch((error: unknown) => error)
    while (made.shelf.log.length < 3) await new Promise((resolve) => setImmediate(resolve))
    controller.abort()
    expect(await failing).toMatchObject({ code: 'ABORTED' })
    expect([events, left]).toEqual([['removal begins'], []])
    await uploader.close()
    expect(left).toMatchObject([{ key: 'key', error: { code: 'STORAGE_STALLED' } }])
    removal.reject(outage())
    await uploader.close()
    expect(left).toHaveLength(1)
  })

  it('waits for the removal when nobody is in a hurry, and closing waits for one that goes on', async () => {
    const gate = Promise.withResolvers<void>()
    const refused = target((request) => (request === 2 ? 'refuses' : 'works'))
    const patient = createPartUploader({ ...refused.target, abort: () => gate.promise }, { budget: createByteBudget(1e6), retry: policy })
    let ended = false
    const failing = patient.upload('key', chunked(patternBytes(3500))).finally(() => (ended = true))
    failing.catch(() => undefined)
    for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    expect(ended).toBe(false)
    gate.resolve()
    await expect(failing).rejects.toMatchObject({ code: 'TEST_REFUSED' })
  })

  it('holds nothing of the budget while its source has not begun: a source may wait for the end of another upload', async () => {
    const made = target(works)
    const uploader = createPartUploader(made.target, { budget: createByteBudget(PART), retry: policy })
    const second = Promise.withResolvers<void>()
    async function* afterTheSecond(): AsyncGenerator<Uint8Array> {
      await second.promise
      yield* chunked(patternBytes(2 * PART), 300)
    }
    const first = uploader.upload('first', afterTheSecond())
    await uploader.upload('second', chunked(patternBytes(3 * PART), 300))
    second.resolve()
    await expect(first).resolves.toMatchObject({ size: 2 * PART })
  })
})
