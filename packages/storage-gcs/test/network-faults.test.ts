import { afterAll, beforeAll, describe, it } from 'vitest'
import { networkFaultCases, type NetworkFixture, type RequestLines } from '@waltz/storage/conformance'
import type { MaintainedStore } from '@waltz/storage'
import { createFaultProxy, formsToRun, startGcsFake, type FaultProxy, type GcsFake } from '@waltz/testkit'
import type { GcsStoreOptions } from '@waltz/storage-gcs'
import { storageFacts } from './support/facts.ts'
import { gcsStore } from './support/store.ts'

interface Form {
  readonly name: string
  readonly partBytes: number
  readonly requests: RequestLines
  readonly options: Partial<GcsStoreOptions>
}

const [resumable, composed] = storageFacts.network
const forms: readonly Form[] = [
  { ...resumable, options: { chunkBytes: resumable.partBytes } },
  { ...composed, options: { chunkBytes: composed.partBytes, pieceConcurrency: 2 } },
]

describe.each(formsToRun(forms))('GCS store on a bad day, $name', ({ options, partBytes, requests }) => {
  let fake: GcsFake
  let proxy: FaultProxy
  let direct: MaintainedStore
  let fixture: NetworkFixture
  beforeAll(async () => {
    fake = await startGcsFake()
    proxy = await createFaultProxy({ target: { host: '127.0.0.1', port: fake.port } })
    direct = gcsStore(fake, { ...options, keepVersions: true })
    fixture = {
      network: proxy,
      http: true,
      partBytes,
      requests,
      direct,
      open: async (limits) => gcsStore({ endpoint: `http://127.0.0.1:${proxy.port}` }, { ...options, ...limits }),
      openUnresolvable: async (limits) => gcsStore({ endpoint: 'http://storage.invalid' }, { ...options, ...limits }),
      leftovers: async (prefix) => fake.uploads.open() + (await Array.fromAsync(direct.maintenance.unfinishedUploads(prefix))).length,
    }
  })
  afterAll(async () => {
    await direct[Symbol.asyncDispose]()
    await proxy.close()
    await fake.stop()
  })
  const cases = networkFaultCases.map((item) => ({ title: `${item.fault} ${item.name}`, item }))
  it.for(cases)('$title', { timeout: 60_000 }, async ({ item }) => {
    const reason = item.notApplicable(fixture)
    // What cannot happen to this store is told in the table of docs/reference/storages.md.
    if (reason === undefined) await item.run(fixture)
  })
})
