import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { conformanceCases, largeCases, partCases, type ConformanceCase } from '@waltz/storage/conformance'
import type { MaintainedStore, ObjectStore } from '@waltz/storage'
import { formsToRun, soaking } from '@waltz/testkit'
import type { SwiftStoreOptions } from '../../src/index.ts'
import { storageFacts } from '../support/facts.ts'
import { swiftServers, swiftStore } from '../support/store.ts'

const MIB = storageFacts.partBytes
const listing = conformanceCases.filter(({ name }) => /list|group|delete|keys/.test(name))

/** Streams begin at 64 KiB; segments have a MiB, since Swift reads at most one smaller one a second. */
const kinds: readonly (readonly [name: string, cases: readonly ConformanceCase[], options: Partial<SwiftStoreOptions>])[] = [
  ['whole', [...conformanceCases, ...partCases(MIB), ...(soaking ? largeCases : [])], { partBytes: MIB }],
  ['streamed', conformanceCases.filter((item) => !listing.includes(item)), { partBytes: 65_536 }],
  [
    'in segments',
    [...conformanceCases.filter((item) => !listing.includes(item)), ...partCases(MIB)],
    { partBytes: MIB, largeObjects: 'segments' },
  ],
  ['with pages of ten and single deletes', listing, { listPageKeys: 10, bulkDelete: false }],
]

/** The same with a claim of everything that the facts give a reason not to claim. */
function claimingAll(store: ObjectStore): ObjectStore {
  const claims = { conditionalPut: true, conditionalMultipart: 'store', ifMatch: true } as const
  const unclaimed = Object.entries(claims).filter(([name]) => name in storageFacts.unclaimed)
  return { ...store, capabilities: { ...store.capabilities, ...Object.fromEntries(unclaimed) } }
}

for (const server of await swiftServers()) {
  describe.skipIf(server.missing !== undefined).each(formsToRun(kinds))(`a Swift store on ${server.title}, %s`, (_name, cases, options) => {
    let store: MaintainedStore
    beforeAll(async () => {
      store = swiftStore(server.account(), { container: await server.container(), ...options })
    })
    afterAll(async () => store[Symbol.asyncDispose]())
    it('claims what the reference of storages says', () => {
      expect(store.capabilities).toMatchObject(storageFacts.capabilities)
    })
    it.each(cases.map((item) => [item.name, item] as const))('%s', { timeout: 60_000 }, async (_case, item) => {
      if (item.needs?.(store) ?? true) await item.run(store)
      // What is stated not to be claimed is the only reason.
      else expect(item.needs?.(claimingAll(store))).toBe(true)
    })
  })
}
