import type { GcsStoreOptions } from '@waltz/storage-gcs'
import { startGcsFake, type NetworkForm } from '@waltz/testkit'
import { testNetworkFaults } from '@waltz/testkit/network-faults'
import { storageFacts } from './support/facts.ts'
import { gcsStore } from './support/store.ts'

const [resumable, composed] = storageFacts.network
const forms: readonly (NetworkForm & { readonly options: Partial<GcsStoreOptions> })[] = [
  { ...resumable, options: { chunkBytes: resumable.partBytes } },
  { ...composed, options: { chunkBytes: composed.partBytes, pieceConcurrency: 2 } },
]

testNetworkFaults({
  title: 'GCS store on a bad day',
  missing: undefined,
  forms,
  async open({ options }) {
    const fake = await startGcsFake()
    const direct = gcsStore(fake, { ...options, keepVersions: true })
    return {
      target: { host: '127.0.0.1', port: fake.port },
      fixture: (network) => ({
        direct,
        open: async (limits) => gcsStore({ endpoint: `http://127.0.0.1:${network.port}` }, { ...options, ...limits }),
        openUnresolvable: async (limits) => gcsStore({ endpoint: 'http://storage.invalid' }, { ...options, ...limits }),
        leftovers: async (prefix) =>
          fake.uploads.open(prefix) + (await Array.fromAsync(direct.maintenance.unfinishedUploads(prefix))).length,
      }),
      async close() {
        await direct[Symbol.asyncDispose]()
        await fake.stop()
      },
    }
  },
})
