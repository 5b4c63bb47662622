import { afterAll, beforeAll, describe, it } from 'vitest'
import { networkFaultCases, type NetworkFixture, type RequestLines } from '@waltz/storage/conformance'
import type { MaintainedStore } from '@waltz/storage'
import { createFaultProxy, startGcsFake, type FaultProxy, type GcsFake } from '@waltz/testkit'
import type { GcsStoreOptions } from '@waltz/storage-gcs'
import { gcsStore } from './support/store.ts'

const PART_BYTES = 2 ** 20

interface Form {
  readonly name: string
  readonly requests: RequestLines
  readonly options: Partial<GcsStoreOptions>
}

const COMMON = { get: /^GET .*alt=media/, delete: /^DELETE .*\/o\// }

const forms: readonly Form[] = [
  {
    name: 'resumable uploads',
    options: { chunkBytes: PART_BYTES },
    // The last piece makes the object: no request of its own does.
    requests: { ...COMMON, whole: /^POST .*uploadType=multipart/, part: /^PUT .*upload_id=/ },
  },
  {
    name: 'composed uploads',
    options: { chunkBytes: PART_BYTES, pieceConcurrency: 2 },
    requests: {
      ...COMMON,
      whole: /^POST .*uploadType=multipart&name=network/,
      part: /^POST .*uploadType=multipart&name=.waltz-pieces/,
      // A put with a condition goes through a session.
      complete: /^POST .*\/compose|^PUT .*upload_id=/,
    },
  },
]

describe.each(forms)('GCS store on a bad day, $name', ({ options, requests }) => {
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
      partBytes: PART_BYTES,
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
  it.for(cases)('$title', { timeout: 60_000 }, async ({ item }, { skip }) => {
    const reason = item.notApplicable(fixture)
    if (reason !== undefined) skip(reason)
    await item.run(fixture)
  })
})
