import { describe, expect, test } from 'vitest'
import type { ResultRow, Sample } from '../src/model.ts'
import { isDisturbed, lessDisturbed, median, mergeRows, ratios, rotated, spread, summarize } from '../src/statistics.ts'

const sample = (change: Partial<Sample> = {}): Sample => ({
  wallMs: 100,
  cpuMs: 80,
  serverCpuMs: 0,
  peakRssBytes: 1,
  foreignCpuMs: 0,
  load: 0,
  ...change,
})

describe('median and spread', () => {
  test('the middle one, or the mean of the two in the middle', () => {
    expect(median([9, 1, 5])).toBe(5)
    expect(median([9, 1, 5, 6])).toBe(5.5)
    expect(median([7])).toBe(7)
  })

  test('numbers are sorted as numbers, and the argument stays as it was', () => {
    const values = [100, 9, 20]
    expect(spread(values)).toEqual({ min: 9, median: 20, max: 100 })
    expect(values).toEqual([100, 9, 20])
    expect(spread([]).min).toBeNaN()
  })
})

describe('disturbed runs', () => {
  test('are those in which others took more than a fifth of a core', () => {
    expect([sample({ foreignCpuMs: 24 }), sample({ foreignCpuMs: 26 })].map(isDisturbed)).toEqual([false, true])
  })

  test('of two the one counts of which others took the smaller part', () => {
    const [long, short] = [sample({ wallMs: 1000, foreignCpuMs: 300 }), sample({ foreignCpuMs: 50 })]
    expect([lessDisturbed(long, short), lessDisturbed(short, long)]).toEqual([long, long])
  })
})

describe('summaries', () => {
  test('ratios divide minima by minima', () => {
    const ours = summarize({ samples: [sample({ wallMs: 60, cpuMs: 50 }), sample({ wallMs: 50, cpuMs: 90 })] })
    const theirs = summarize({ samples: [sample({ wallMs: 100, cpuMs: 25 }), sample({ wallMs: 400, cpuMs: 400 })] })
    expect(ratios(ours, theirs)).toEqual({ wall: 0.5, cpu: 2 })
  })

  test('foreign CPU is summed over all rounds, so that the coarse clock evens out', () => {
    const rough = [sample({ foreignCpuMs: 10 }), sample({ foreignCpuMs: -10 }), sample({ foreignCpuMs: 30 })]
    expect(summarize({ samples: rough }).foreignCores).toBeCloseTo(0.1)
    expect(summarize({ samples: [sample({ foreignCpuMs: -10 })] }).foreignCores).toBe(0)
  })

  test('a row is noisy when others took more than the clock can err', () => {
    expect(summarize({ samples: [sample({ wallMs: 10, foreignCpuMs: 6 })] }).noisy).toBe(false)
    expect(summarize({ samples: [sample({ wallMs: 1000, foreignCpuMs: 210 })] }).noisy).toBe(true)
    expect(summarize({ samples: [sample({ wallMs: 1000, foreignCpuMs: 190 })] }).noisy).toBe(false)
  })
})

test('every round begins one further', () => {
  expect([0, 1, 2, 3].map((round) => rotated(['a', 'b', 'c'], round).join(''))).toEqual(['abc', 'bca', 'cab', 'abc'])
  expect(rotated([], 3)).toEqual([])
})

test('samples of the same peer of the same workload come together', () => {
  const row = (title: string, peer: string, wallMs: number): ResultRow => ({
    suite: 's',
    operation: 'o',
    title,
    against: 'a',
    peer,
    samples: [sample({ wallMs })],
    storedBytes: undefined,
  })
  const merged = mergeRows([row('x', 'waltz', 1), row('x', 'tar', 2), row('y', 'waltz', 3), row('x', 'waltz', 4)])
  expect(merged.map(({ title, peer, samples }) => [title, peer, ...samples.map(({ wallMs }) => wallMs)])).toEqual([
    ['x', 'waltz', 1, 4],
    ['x', 'tar', 2],
    ['y', 'waltz', 3],
  ])
})
