import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Fault } from '@waltz/errors'
import { watchForStall, type StallWatch } from '../src/index.ts'

/** A clock that goes on only when told, in steps as small as wanted. */
function slowTime(): {
  now: () => number
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>
  pass: (ms: number) => Promise<void>
  sleepers: () => number
} {
  let now = 0
  const sleepers = new Set<{ readonly until: number; readonly wake: () => void }>()
  return {
    now: () => now,
    sleepers: () => sleepers.size,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        const sleeper = { until: now + ms, wake: resolve }
        sleepers.add(sleeper)
        signal?.addEventListener('abort', () => {
          sleepers.delete(sleeper)
          reject(new Error('woken'))
        })
      }),
    async pass(ms) {
      now += ms
      for (const sleeper of sleepers) {
        if (sleeper.until > now) continue
        sleepers.delete(sleeper)
        sleeper.wake()
      }
      await new Promise((resolve) => setImmediate(resolve))
    },
  }
}

const IDLE = 1000
function start(signal?: AbortSignal): { watch: StallWatch; time: ReturnType<typeof slowTime> } {
  const time = slowTime()
  return { time, watch: watchForStall({ idleMs: IDLE, sleep: time.sleep, doing: 'upload of a', location: 'test:', signal }) }
}

describe('a watch for stalls', () => {
  it('fires one to one and a quarter of the idle time after the last byte, and never before', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 10, max: 990 }), { maxLength: 12 }), async (gaps) => {
        const { watch, time } = start()
        for (const gap of gaps) {
          for (let passed = 0; passed < gap; passed += 10) await time.pass(10)
          expect(watch.signal.aborted).toBe(false)
          watch.progressed()
        }
        const last = time.now()
        while (!watch.signal.aborted && time.now() < last + 3 * IDLE) await time.pass(10)
        expect(time.now() - last).toBeGreaterThanOrEqual(IDLE)
        expect(time.now() - last).toBeLessThanOrEqual(IDLE * 1.25 + 10)
        expect(watch.signal.reason).toMatchObject({ kind: 'unavailable', code: 'STORAGE_STALLED', retryable: true })
        expect(time.sleepers()).toBe(0)
      }),
      { numRuns: 30 },
    )
  })

  it('tells its own fault of whatever the request then failed with', async () => {
    const { watch, time } = start()
    for (let passed = 0; passed <= 1250; passed += 50) await time.pass(50)
    expect(watch.faultOf(new Error('socket hang up'))).toBe(watch.signal.reason)
    expect((watch.signal.reason as Fault).message).toBe('the upload of a in test: made no progress for 1 s')
  })

  it('ends with its request, and leaves no sleeper', async () => {
    const controller = new AbortController()
    const { watch, time } = start(controller.signal)
    await time.pass(300)
    watch.stop()
    watch.stop()
    expect(time.sleepers()).toBe(0)
    await time.pass(5000)
    controller.abort()
    expect(watch.signal.aborted).toBe(false)
    const error = new Error('the request failed by itself')
    expect(watch.faultOf(error)).toBe(error)
  })

  it("passes the caller's abort on, also one from before", () => {
    const controller = new AbortController()
    const { watch, time } = start(controller.signal)
    controller.abort()
    expect(watch.faultOf(new Error('x'))).toMatchObject({ kind: 'aborted' })
    expect(time.sleepers()).toBe(0)
    const reason = new Fault('unavailable', 'TEST_GONE', 'gone')
    const late = start(AbortSignal.abort(reason))
    expect(late.watch.signal.aborted).toBe(true)
    expect(late.watch.faultOf(undefined)).toBe(reason)
    expect(late.time.sleepers()).toBe(0)
  })
})
