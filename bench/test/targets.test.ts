import { describe, expect, test } from 'vitest'
import type { ResultRow } from '../src/model.ts'
import { peers } from '../src/peers/index.ts'
import { suites } from '../src/suites/index.ts'
import { parseArguments } from '../src/arguments.ts'
import { judge, targets, type Target } from '../src/targets.ts'

const MIB = 2 ** 20

interface Figures {
  readonly wallMs?: number
  readonly cpuMs?: number
  readonly peakMiB?: number
}

function row(peer: string, change: Partial<ResultRow> = {}, { wallMs = 100, cpuMs = 100, peakMiB = 100 }: Figures = {}): ResultRow {
  const samples = [
    { wallMs, cpuMs, serverCpuMs: 0, peakRssBytes: peakMiB * MIB, foreignCpuMs: 0, load: 0 },
    { wallMs: wallMs * 2, cpuMs: cpuMs * 2, serverCpuMs: 0, peakRssBytes: peakMiB * MIB, foreignCpuMs: 0, load: 0 },
  ]
  const facts = { suite: 'backup', operation: 'backup', codec: 'lz4', bytes: 1, title: 'backup lz4, 1 B', against: 'tar' } as const
  return { ...facts, peer, samples, storedBytes: undefined, ...change }
}

const target: Target = { suite: 'backup', operation: 'backup', codec: 'lz4', against: 'tar', wall: 0.5, cpu: 0.8, peakMiB: 160 }

describe('judgement', () => {
  test('ratios of minima against the peer of the same workload, and memory against its limit', () => {
    const rows = [row('waltz', {}, { wallMs: 50, cpuMs: 81 }), row('tar'), row('tar', { title: 'another' }, { wallMs: 1 })]
    expect(judge(rows, [target]).map(({ measure, figure, state }) => [measure, figure, state])).toEqual([
      ['wall', '0.50', 'met'],
      ['CPU', '0.81', 'missed'],
      ['peak RSS', '100 MiB', 'met'],
    ])
    expect(judge([row('waltz', {}, { peakMiB: 161 })], [target]).at(-1)).toMatchObject({ figure: '161 MiB', state: 'missed' })
  })

  test('without the peer, or without the workload, nothing is judged', () => {
    expect(judge([row('waltz')], [target]).map(({ state }) => state)).toEqual(['not measured', 'not measured', 'met'])
    expect(judge([row('tar')], [target]).map(({ state }) => state)).toEqual(['not measured', 'not measured', 'not measured'])
    expect(judge([row('waltz', { codec: 'zstd' })], [target])[0]).toMatchObject({ workload: 'backup lz4', figure: '-' })
  })

  test('all sizes alike', () => {
    const sized = (bytes: number, peakMiB: number): ResultRow => row('waltz', { bytes, title: `${bytes}` }, { peakMiB })
    const alike: Target = { suite: 'backup', operation: 'backup', sizesWithin: 0.15 }
    expect(judge([sized(1, 100), sized(3, 114)], [alike])).toMatchObject([{ figure: '+14 %', state: 'met' }])
    expect(judge([sized(1, 120), sized(3, 100)], [alike])).toMatchObject([{ figure: '+20 %', state: 'missed' }])
    expect(judge([sized(1, 120)], [alike])).toMatchObject([{ state: 'not measured' }])
  })

  test('ten times as much beside the plain one, more or less', () => {
    const memory = (content: string, peakMiB: number): ResultRow => row('waltz', { suite: 'memory', content, title: content }, { peakMiB })
    const grown: Target = { suite: 'memory', operation: 'backup', content: 'many files', plainWithin: 0.15 }
    const figures = (peakMiB: number): unknown => judge([memory('plain', 100), memory('many files', peakMiB)], [grown])
    expect(figures(115)).toMatchObject([{ figure: '+15 %', state: 'met' }])
    expect(figures(120)).toMatchObject([{ state: 'missed' }])
    expect(figures(80)).toMatchObject([{ figure: '-20 %', state: 'missed' }])
    expect(judge([memory('many files', 1)], [grown])).toMatchObject([{ state: 'not measured' }])
  })
})

describe('the tables', () => {
  const workloads = suites.flatMap((suite) =>
    suite.workloads(
      parseArguments(
        [],
        suites.map(({ name }) => name),
      ),
    ),
  )

  test('every target asks for a workload and a peer that exist', () => {
    for (const { suite, operation, codec, content, against } of targets) {
      const fits = workloads.some(
        (workload) =>
          workload.suite === suite &&
          workload.operation === operation &&
          (codec === undefined || workload.codec === codec) &&
          (content === undefined || workload.content === content),
      )
      expect(fits, JSON.stringify({ suite, operation, codec, content })).toBe(true)
      if (against !== undefined) expect(peers.map(({ name }) => name)).toContain(against)
    }
  })

  test('every workload has a title of its own and divides by a peer that exists', () => {
    expect(new Set(workloads.map(({ title }) => title)).size).toBe(workloads.length)
    for (const { against } of workloads) expect(peers.map(({ name }) => name)).toContain(against)
  })
})
