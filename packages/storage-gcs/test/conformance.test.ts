import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { conformanceCases, largeCases, partCases, raceCases, type ConformanceCase } from '@waltz/storage/conformance'
import type { GcsStoreOptions } from '@waltz/storage-gcs'
import { withPrefix, withRetry, type ObjectStore } from '@waltz/storage'
import { formsToRun, startGcsFake, type GcsFake } from '@waltz/testkit'
import { storageFacts } from './support/facts.ts'
import { gcsStore, quickly } from './support/store.ts'

const MIB = 2 ** 20

/** Against the fake: there is no server of Google's to run. Its own client, which few choose, goes through them in the soak. */
const stores: readonly (readonly [name: string, make: (fake: GcsFake) => ObjectStore])[] = [
  ['one request each', (fake) => gcsStore(fake)],
  ['resumable in pieces of 256 KiB, pages of 10', (fake) => gcsStore(fake, { chunkBytes: MIB / 4, pageSize: 10 })],
  ['composed of pieces in parallel', (fake) => gcsStore(fake, { chunkBytes: MIB / 4, pieceConcurrency: 4 })],
  ["by Google's client, pages of 10", (fake) => gcsStore(fake, { engine: 'google-cloud', chunkBytes: MIB / 4, pageSize: 10 })],
  [
    "by Google's client, under a key",
    (fake) => gcsStore(fake, { engine: 'google-cloud', encryptionKey: new Uint8Array(32).fill(7), chunkBytes: MIB }),
  ],
  [
    "by Google's client, with a service account",
    (fake) => gcsStore(fake, { engine: 'google-cloud', credentials: { kind: 'key', key: { ...fake.serviceAccountKey } } }),
  ],
  ['under a key', (fake) => gcsStore(fake, { encryptionKey: new Uint8Array(32).fill(7), chunkBytes: MIB, pieceConcurrency: 2 })],
  [
    'with a service account, retries and a prefix',
    (fake) => withPrefix(withRetry(gcsStore(fake, { credentials: { kind: 'key', key: { ...fake.serviceAccountKey } } }), quickly), 'a/b'),
  ],
]

describe.each(formsToRun(stores, 3))('GCS store, %s', (name, make) => {
  let fake: GcsFake
  let store: ObjectStore
  beforeAll(async () => {
    fake = await startGcsFake({ auth: name.includes('service account') })
    store = make(fake)
  })
  afterAll(async () => {
    await store[Symbol.asyncDispose]()
    expect(fake.uploads.open()).toBe(0)
    await fake.stop()
  })
  it.each(conformanceCases.map((item) => [item.name, item] as const))('%s', { timeout: 60_000 }, async (_case, item) => {
    expect(item.needs?.(store) ?? true).toBe(true)
    await item.run(store)
    expect((await Array.fromAsync(store.list(''))).filter(({ key }) => key.includes('waltz-pieces'))).toEqual([])
  })
  it('claims what the reference of storages says', () => {
    expect(store.capabilities).toMatchObject(storageFacts.capabilities)
  })
})

const parts = partCases(storageFacts.partBytes)
const larger: readonly (readonly [name: string, cases: readonly ConformanceCase[], options: Partial<GcsStoreOptions>])[] = [
  ['resumable', [...parts, ...raceCases(storageFacts.races)], { chunkBytes: storageFacts.partBytes }],
  ['composed', parts, { chunkBytes: storageFacts.partBytes, pieceConcurrency: 4 }],
  ["by Google's client", [...parts, ...raceCases(storageFacts.races)], { engine: 'google-cloud', chunkBytes: storageFacts.partBytes }],
  ['200 MiB', largeCases, {}],
]

describe.each(formsToRun(larger, 2))('GCS store, larger cases, %s', (_name, cases, options) => {
  let fake: GcsFake
  let store: ObjectStore
  beforeAll(async () => {
    fake = await startGcsFake()
    store = gcsStore(fake, options)
  })
  afterAll(async () => {
    await store[Symbol.asyncDispose]()
    await fake.stop()
  })
  it.each(cases.map((item) => [item.name, item] as const))('%s', { timeout: 60_000 }, async (_case, item) => {
    expect(item.needs?.(store) ?? true).toBe(true)
    await item.run(store)
  })
})
