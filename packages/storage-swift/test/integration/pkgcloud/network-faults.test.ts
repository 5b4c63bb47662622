import { formsToRun, swiftSession, type NetworkForm } from '@waltz/testkit'
import { testNetworkFaults } from '@waltz/testkit/network-faults'
import type { MaintainedStore } from '@waltz/storage'
import type { NetworkFixture } from '@waltz/storage/conformance'
import type { SwiftStoreOptions } from '../../../src/index.ts'
import { createPkgcloudStore } from '../../../src/pkgcloud.ts'
import { storageFacts } from '../../support/facts.ts'
import { commonOptions, swiftServers, swiftStore } from '../../support/store.ts'

const [whole, segments] = storageFacts.network
const forms: readonly (NetworkForm & { readonly options: Partial<SwiftStoreOptions> })[] = [
  { ...whole, options: { largeObjects: 'whole' } },
  { ...segments, options: { largeObjects: 'segments', partBytes: segments.partBytes } },
]

for (const server of formsToRun(await swiftServers())) {
  testNetworkFaults({
    title: `bad days of a Swift store by pkgcloud on ${server.title}`,
    missing: server.missing,
    forms,
    async open({ options }) {
      const account = server.account()
      const container = await server.container()
      const origin = new URL(account.authUrl)
      const direct = swiftStore(account, { container, ...options })
      const { storageUrl } = await swiftSession(account)
      const openAt = async (host: string, limits: Parameters<NetworkFixture['open']>[0]): Promise<MaintainedStore> =>
        createPkgcloudStore({
          ...commonOptions(),
          container,
          ...options,
          ...limits,
          auth: {
            url: account.authUrl.replace(origin.host, host),
            user: account.user,
            password: account.key,
            storageUrl: storageUrl.replace(origin.host, host),
          },
        })
      return {
        target: { host: '127.0.0.1', port: Number(origin.port) },
        fixture: (network) => ({
          direct,
          open: (limits) => openAt(`127.0.0.1:${network.port}`, limits),
          openUnresolvable: (limits) => openAt('storage.invalid', limits),
          leftovers: async (prefix) => (await Array.fromAsync(direct.maintenance.unfinishedUploads(prefix))).length,
        }),
        close: async () => direct[Symbol.asyncDispose](),
      }
    },
  })
}
