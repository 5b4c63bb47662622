import { describe, expect, it } from 'vitest'
import { conformanceCases, largeCasesWithin, manyCases, partCases, raceCases } from '@waltz/storage/conformance'
import { formsToRun, soaking } from '@waltz/testkit'
import { observeStore, withLimits, withPrefix, withRetry, type ObjectStore } from '@waltz/storage'
import { storageFacts } from './support/facts.ts'
import { fileStore, temporaryRoot } from './support/temporary-root.ts'

const sleep = async (_ms: number, signal?: AbortSignal): Promise<void> => signal?.throwIfAborted()
const policy = { maxAttempts: 3, baseDelayMs: 1, maxDelayMs: 1, random: () => 0, sleep }
const limits = { maxRequests: 2, bytesPerSecond: 1e9, now: () => new Date(), sleep }

const stores: readonly (readonly [name: string, make: () => ObjectStore])[] = [
  ['bare', () => fileStore(temporaryRoot())],
  ['with sync', () => fileStore(temporaryRoot(), { sync: true })],
  [
    'with all wrappers',
    () => observeStore(withPrefix(withRetry(withLimits(fileStore(temporaryRoot()), limits), policy), 'p'), () => undefined),
  ],
  ['prefix', () => withPrefix(fileStore(temporaryRoot()), 'some/folder')],
  ['retry', () => withRetry(fileStore(temporaryRoot()), policy)],
  ['limits', () => withLimits(fileStore(temporaryRoot()), limits)],
  ['observe', () => observeStore(fileStore(temporaryRoot()), () => undefined)],
]

describe.each(formsToRun(stores, 3))('file store, %s', (_name, make) => {
  const store = make()
  it('claims what the reference of storages says', () => {
    expect(store.capabilities).toMatchObject(storageFacts.capabilities)
  })
  it.each(conformanceCases.map((item) => [item.name, item] as const))('%s', { timeout: 60_000 }, async (_case, item) => {
    if (item.needs?.(store) !== false) await item.run(store)
  })
})

describe('file store, larger cases', () => {
  const bound = { usedBytes: () => process.memoryUsage.rss(), maxBytes: 60_000_000 }
  const cases = [...partCases(storageFacts.partBytes), ...raceCases(storageFacts.races), ...largeCasesWithin(bound)]
  const many = soaking ? manyCases(100_000, bound) : []
  const store = fileStore(temporaryRoot())
  it.each([...cases, ...many].map((item) => [item.name, item] as const))(
    '%s',
    { timeout: soaking ? 600_000 : 60_000 },
    async (_case, item) => {
      expect(item.needs?.(store) ?? true).toBe(true)
      await item.run(store)
    },
  )
})
