import { describe, expect, it, vi } from 'vitest'
import { conformanceCases, faultsOfSingleStores, networkFaultCases, type NetworkFaultCase } from '../../src/conformance.ts'
import { openHttpFixture } from '../support/network-fixture.ts'
import type { Defect } from '../support/http-object-store.ts'

const SMALL_PARTS = 150_000
/** Larger than what the system buffers: for slow uploads. */
const LARGE_PARTS = 6_000_000
const partsFor = ({ fault, name }: NetworkFaultCase): number => (fault === 'slow' && name.includes('upload') ? LARGE_PARTS : SMALL_PARTS)

/** A case that a broken store makes hang is broken as well. */
const PATIENCE_MS = 6000
vi.setConfig({ testTimeout: 30_000 })

describe.concurrent('the fault cases, on a store over HTTP', () => {
  it.each(networkFaultCases.map((item) => [item.fault, item.name, item] as const))('%s %s', async (_fault, _name, item) => {
    const fixture = await openHttpFixture(partsFor(item))
    try {
      expect(item.notApplicable(fixture)).toBeUndefined()
      await item.run(fixture)
    } finally {
      await fixture.close()
    }
  })
})

/** For every case a defect that it must find: the first line whose expression fits. */
const FOUND_BY: readonly (readonly [RegExp, ...Defect[]])[] = [
  [/create-only upload/, 'beaten by itself'],
  [/(no answer|accepts and says nothing)( every time|, (once|always))/, 'no watchdog'],
  [/every time is unavailable and leaves nothing/, 'failed put leaves its bytes'],
  [/answer to a request is lost/, 'no watchdog'],
  [/bit flipped in an upload/, 'no checksum up'],
  [/bit flipped in a download/, 'no checksum down'],
  [/^an upload .* (once|every part)/, 'no retries of its own'],
  [/download that (is reset|ends)/, 'short is whole'],
  [/download that stalls/, 'no watchdog'],
  [/another object of the same name/, 'no etag'],
  [/a listing that ends too early/, 'short is whole'],
  [/head, get, list and delete/, 'broken is missing'],
  [/refused connection|without an address/, 'broken is missing'],
  [/dropped while it was idle/, 'keeps connections'],
  [/storm/, 'retry-after unread'],
  [/without end is unavailable/, 'broken is missing'],
  [/to a part in the middle|to the end of an upload/, 'no retries of its own', 'keeps parts'],
  [/200 with an error/, 'any 200 is success'],
  [/from one moment on is denied/, 'refused is missing'],
  [/condition that the server does not know/, 'condition dropped'],
  [/abort ends an upload whose source hangs/, 'keeps parts'],
  [/abort ends an upload in parts/, 'keeps parts'],
  [/abort ends an upload/, 'keeps hanging connections'],
  [/abort ends a /, 'keeps hanging connections'],
  [/slow and moves/, 'time-out on the whole'],
]

/** Defects take the time of their time-outs: all of them in the soak, otherwise each case in turn of five. */
const soaking = (process.env['WALTZ_SOAK'] ?? '') !== ''
const broken = networkFaultCases.filter((_, index) => soaking || index % 5 === 0)

describe.concurrent('every fault case can fail', () => {
  it.each(broken.map((item) => [item.name, item] as const))('%s', async (name, item) => {
    const [, ...defects] = FOUND_BY.find(([expression]) => expression.test(name)) ?? []
    expect(defects).not.toEqual([])
    const fixture = await openHttpFixture(partsFor(item), defects)
    try {
      const outcome = await Promise.race([
        item.run(fixture).then(
          () => 'passed',
          () => 'failed',
        ),
        new Promise((resolve) => setTimeout(resolve, PATIENCE_MS, 'hung')),
      ])
      expect(outcome).not.toBe('passed')
    } finally {
      await fixture.close()
    }
  })
})

describe('the fault cases', () => {
  it('have names of their own, and say where the other faults are', () => {
    expect(new Set(networkFaultCases.map(({ name }) => name)).size).toBe(networkFaultCases.length)
    const numbers = new Set([...networkFaultCases.map(({ fault }) => fault), ...Object.keys(faultsOfSingleStores)])
    const all = Array.from({ length: 18 }, (_, index) => `F${index + 1}`)
    expect(all.filter((number) => !numbers.has(number))).toEqual([])
    expect(Object.keys(faultsOfSingleStores).filter((number) => networkFaultCases.some(({ fault }) => fault === number))).toEqual([])
  })

  it('do not apply where the fixture says so, with its reason', async () => {
    const fixture = await openHttpFixture(SMALL_PARTS)
    const said = networkFaultCases.map((item) => [
      item.fault,
      item.notApplicable({ ...fixture, http: false, partBytes: undefined, requests: {}, notApplicable: { F2: 'no such thing' } }),
    ])
    expect(said).toContainEqual(['F2', 'no such thing'])
    expect(said).toContainEqual(['F6', 'the store does not speak HTTP'])
    expect(said).toContainEqual(['F3', 'the store has no request line of its own for: whole'])
    expect(said).toContainEqual(['F1', undefined])
    await fixture.close()
  })
})

describe('the HTTP store of these tests keeps the contract', () => {
  it.each(conformanceCases.map((item) => [item.name, item] as const))('%s', async (_name, item) => {
    const fixture = await openHttpFixture(SMALL_PARTS)
    try {
      if (item.needs?.(fixture.direct) !== false) await item.run(fixture.direct)
    } finally {
      await fixture.close()
    }
  })
})
