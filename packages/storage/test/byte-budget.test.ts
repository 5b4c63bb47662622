import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Fault } from '@waltz/errors'
import { createByteBudget, type GrantedBytes } from '../src/index.ts'

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

type Step = { readonly kind: 'ask'; readonly bytes: number } | { readonly kind: 'release' | 'abort'; readonly pick: number }
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('ask' as const), bytes: fc.integer({ min: 1, max: 150 }) }),
  fc.record({ kind: fc.constantFrom('release' as const, 'abort' as const), pick: fc.nat(20) }),
)

describe('a byte budget', () => {
  it('never grants more than it has, but for one that is larger than all of it, and serves in order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const budget = createByteBudget(100)
        const waiting: { readonly number: number; readonly bytes: number; readonly controller: AbortController }[] = []
        const held: GrantedBytes[] = []
        const granted: number[] = []
        for (const [number, { kind, ...rest }] of steps.entries()) {
          if (kind === 'ask') {
            const request = { number, bytes: (rest as { bytes: number }).bytes, controller: new AbortController() }
            waiting.push(request)
            budget.acquire(request.bytes, request.controller.signal).then(
              (grant) => {
                waiting.splice(waiting.indexOf(request), 1)
                granted.push(number)
                held.push(grant)
              },
              () => waiting.splice(waiting.indexOf(request), 1),
            )
          } else {
            const { pick } = rest as { pick: number }
            if (kind === 'abort') waiting[pick % Math.max(1, waiting.length)]?.controller.abort()
            else if (held.length > 0) {
              const [grant] = held.splice(pick % held.length, 1)
              grant?.release()
              grant?.release()
            }
          }
          await settle()
          const sum = held.reduce((bytes, grant) => bytes + grant.bytes, 0)
          expect(sum <= 100 || held.length === 1).toBe(true)
          // Nobody waits who would fit and is first.
          const [first] = waiting
          expect(first === undefined || (held.length > 0 && sum + first.bytes > 100)).toBe(true)
        }
        expect(granted).toEqual(granted.toSorted((left, right) => left - right))
        while (held.length > 0 || waiting.length > 0) {
          for (const grant of held.splice(0)) grant.release()
          await settle()
        }
      }),
    )
  })

  it('does not hold what was asked for with a signal that had fired, nor forgets those behind an abort', async () => {
    const budget = createByteBudget(10)
    const fired = AbortSignal.abort(new Fault('unavailable', 'TEST_GONE', 'gone'))
    await expect(budget.acquire(5, fired)).rejects.toMatchObject({ code: 'TEST_GONE' })
    const first = await budget.acquire(8)
    const controller = new AbortController()
    const large = budget.acquire(9, controller.signal)
    const small = budget.acquire(2)
    controller.abort()
    await expect(large).rejects.toMatchObject({ kind: 'aborted' })
    expect((await small).bytes).toBe(2)
    first.release()
    expect((await budget.acquire(8)).bytes).toBe(8)
  })

  it.each([0, -1, Number.NaN])('cannot be one of %d bytes', (bytes) => {
    expect(() => createByteBudget(bytes)).toThrow(expect.objectContaining({ code: 'STORAGE_WRAPPER_INVALID' }) as Error)
  })
})
