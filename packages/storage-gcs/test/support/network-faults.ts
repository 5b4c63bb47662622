import type { GcsStoreOptions } from '@waltz/storage-gcs'
import { startGcsFake, type NetworkForm } from '@waltz/testkit'
import { testNetworkFaults } from '@waltz/testkit/network-faults'
import { gcsStore } from './store.ts'

/** How a store is tried, and the options that make it so. */
export type GcsForm = NetworkForm & { readonly options: Partial<GcsStoreOptions> }

/** Registers the fault cases, each form before a fake of its own. */
export function testGcsFaults(title: string, forms: readonly GcsForm[]): void {
  testNetworkFaults({
    title,
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
}
