import { describe, expect, it } from 'vitest'
import { abortedFault, assert, Fault, isFault, throwIfAborted } from '../src/index.ts'

describe('Fault', () => {
  it('is retryable by default only when the service did not answer', () => {
    expect(new Fault('unavailable', 'X', 'x').retryable).toBe(true)
    expect(new Fault('corrupt', 'X', 'x').retryable).toBe(false)
    expect(new Fault('unavailable', 'X', 'x', { retryable: false }).retryable).toBe(false)
  })

  it('keeps its cause, hint and context', () => {
    const cause = new Error('below')
    const fault = new Fault('denied', 'STORAGE_DENIED', 'may not', { cause, hint: 'ask', context: { key: 'a' } })
    expect(fault).toMatchObject({ kind: 'denied', code: 'STORAGE_DENIED', message: 'may not', hint: 'ask', cause, context: { key: 'a' } })
  })

  it('is recognised across two copies of the package, where instanceof is not', async () => {
    const copy = (await import('../src/fault.ts?copy' as string)) as typeof import('../src/fault.ts')
    const foreign = new copy.Fault('not-found', 'X', 'x')
    expect(foreign instanceof Fault).toBe(false)
    expect(isFault(foreign)).toBe(true)
    expect(isFault(foreign, 'not-found')).toBe(true)
    expect(isFault(foreign, 'denied')).toBe(false)
  })

  it('is not anything else', () => {
    for (const value of [undefined, null, 'text', 1, new Error('plain'), { kind: 'denied' }]) expect(isFault(value)).toBe(false)
  })
})

describe('assert', () => {
  it('reports a broken invariant as internal', () => {
    expect(() => assert(false, 'two and two')).toThrow(expect.objectContaining({ kind: 'internal', code: 'ASSERTION_FAILED' }))
    expect(() => assert(true, 'fine')).not.toThrow()
  })
})

describe('aborted signals', () => {
  it('become a fault of kind aborted', () => {
    const controller = new AbortController()
    expect(() => throwIfAborted(undefined)).not.toThrow()
    expect(() => throwIfAborted(controller.signal)).not.toThrow()
    controller.abort(new Error('why'))
    expect(() => throwIfAborted(controller.signal)).toThrow(expect.objectContaining({ kind: 'aborted', code: 'ABORTED' }))
  })

  it('keep a reason that already says what happened', () => {
    const reason = new Fault('unavailable', 'SERVER_GONE', 'the server went away')
    expect(abortedFault(AbortSignal.abort(reason))).toBe(reason)
  })
})
