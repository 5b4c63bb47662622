import { describe, expect, it } from 'vitest'
import { afterCall, afterTrial, aliveness, weightOf, type StorageStatus } from '../src/failover/aliveness.ts'

const limits = { aliveLimit: 0.99, deadLimit: 0.88, alphaAliveMax: 0.05, alphaAliveMin: 0.01, alphaDeadMax: 0.5, alphaDeadMin: 0.1 }
const alive: StorageStatus = { potential: 1000, actual: 1000, alive: true, updatedMs: 0 }
const call = (ok: boolean, weight = 1000) => ({ weight, ok, atMs: 7 })

describe('aliveness', () => {
  it('moves by the smallest weight while all is well', () => {
    expect(afterCall(alive, call(true), limits)).toEqual({ ...alive, updatedMs: 7 })
    expect(afterCall(alive, call(false), limits)).toEqual({ potential: 1000, actual: 990, alive: true, updatedMs: 7 })
  })

  it('moves by the greatest weight near the edge of death', () => {
    const near = { ...alive, actual: 880 }
    expect(afterCall(near, call(false), limits)).toEqual({ potential: 1000, actual: 836, alive: false, updatedMs: 7 })
    const half = { ...alive, actual: 940 } // in the middle between 0.88 and 1
    expect(afterCall(half, call(false), limits).actual).toBeCloseTo(940 * 0.97)
  })

  it('comes back fast from quite dead, and only at the upper limit', () => {
    const dead = { potential: 1000, actual: 0, alive: false, updatedMs: 0 }
    const first = afterCall(dead, call(true), limits)
    expect(first).toMatchObject({ potential: 1000, actual: 500, alive: false })
    let status: StorageStatus = first
    let calls = 1
    while (!status.alive && calls < 100) {
      status = afterCall(status, call(true), limits)
      calls += 1
    }
    expect(aliveness(status, limits)).toBeGreaterThanOrEqual(0.99)
    expect(calls).toBeGreaterThan(10)
  })

  it('dies after about a dozen failures in a row', () => {
    let status = alive
    let failures = 0
    while (status.alive) {
      status = afterCall(status, call(false), limits)
      failures += 1
    }
    expect(failures).toBeGreaterThan(3)
    expect(failures).toBeLessThan(15)
  })

  it('believes a trial at once', () => {
    expect(afterTrial(alive, false, 9)).toEqual({ potential: 1000, actual: 0, alive: false, updatedMs: 9 })
    expect(afterTrial({ ...alive, actual: 3, alive: false }, true, 9)).toEqual({ potential: 1000, actual: 1000, alive: true, updatedMs: 9 })
    expect(afterTrial(undefined, false, 9)).toMatchObject({ alive: false, actual: 0 })
    expect(aliveness(afterTrial(undefined, false, 9), limits)).toBe(0)
  })

  it('stays what it was without experience', () => {
    expect(aliveness({ potential: 0, actual: 0, alive: true, updatedMs: 0 }, limits)).toBe(0.88)
  })

  it('weighs calls as WAL-G does', () => {
    const weigh = (operation: string, bytes = 0, count = 1) => weightOf(operation, { bytes, count })
    expect(['head', 'list', 'listGroups', 'copy', 'get', 'put', 'delete'].map((operation) => weigh(operation))).toEqual([
      1000, 2000, 2000, 2000, 1000, 1000, 500,
    ])
    expect(weigh('put', 1_048_576 * 100)).toBe(3000)
    expect(weigh('delete', 0, 100)).toBe(1500)
  })
})
