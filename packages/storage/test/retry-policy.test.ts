import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Fault } from '@waltz/errors'
import { retried, startAttempts, throttledFault, type RetryEvent } from '../src/index.ts'
import { fakeTime, retryPolicy } from './support/wrapped-stores.ts'

const call = { operation: 'put', key: 'a', signal: undefined }
const busy = (retryAfterMs?: number): Fault => throttledFault({ doing: 'store a', location: 'test:' }, retryAfterMs)

describe('a retry policy', () => {
  it('waits any part of a doubling time, never less than the store asked for, never more than is allowed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.option(fc.integer({ min: 0, max: 200_000 }), { nil: undefined }), { minLength: 1, maxLength: 8 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        async (asked, random) => {
          const time = fakeTime()
          const events: RetryEvent[] = []
          const policy = retryPolicy({ maxAttempts: 100, sleep: time.sleep, random: () => random, onRetry: (event) => events.push(event) })
          const attempts = startAttempts(policy, call)
          for (const retryAfterMs of asked) await attempts.failed(busy(retryAfterMs))
          expect(time.slept).toEqual(events.map(({ delayMs }) => delayMs))
          for (const [index, slept] of time.slept.entries()) {
            const after = Math.min(asked[index] ?? 0, 60_000)
            const longest = Math.min(1000, 100 * 2 ** index)
            expect(slept).toBeGreaterThanOrEqual(after)
            expect(slept).toBeLessThanOrEqual(Math.max(longest, Math.round(after * 1.25)))
            expect(slept).toBeGreaterThanOrEqual(Math.round(random * longest))
          }
        },
      ),
    )
  })

  it('cuts what a store asks for to the longest wait allowed', async () => {
    const time = fakeTime()
    const policy = retryPolicy({ sleep: time.sleep, random: () => 0, maxRetryAfterMs: 5000 })
    await startAttempts(policy, call).failed(busy(86_400_000))
    expect(time.slept).toEqual([5000])
  })

  it('gives up after its attempts, tells of them, and keeps kind, code and hint', async () => {
    let tries = 0
    const failing = retried(retryPolicy({ maxAttempts: 4 }), call, () => {
      tries += 1
      return Promise.reject(busy(10))
    })
    await expect(failing).rejects.toMatchObject({
      kind: 'unavailable',
      code: 'STORAGE_THROTTLED',
      retryable: false,
      context: { attempts: 4, operation: 'put', key: 'a', retryAfterMs: 10 },
      hint: 'lower the concurrency, or try again later',
    })
    expect(tries).toBe(4)
  })

  it('does not try again what makes no sense to try again', async () => {
    for (const error of [
      new Error('x'),
      new Fault('denied', 'TEST_DENIED', 'no'),
      new Fault('unavailable', 'TEST_LONG', 'full', { retryable: false }),
    ]) {
      const time = fakeTime()
      await expect(retried(retryPolicy({ sleep: time.sleep }), call, () => Promise.reject(error))).rejects.toBe(error)
      expect(time.slept).toEqual([])
    }
  })

  it('ends its wait with the signal', async () => {
    const controller = new AbortController()
    const sleep = (_ms: number, signal?: AbortSignal): Promise<void> =>
      new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new Error('woken'))))
    const waiting = retried(retryPolicy({ sleep }), { ...call, signal: controller.signal }, () => Promise.reject(busy()))
    setImmediate(() => controller.abort())
    await expect(waiting).rejects.toMatchObject({ kind: 'aborted' })
  })
})
