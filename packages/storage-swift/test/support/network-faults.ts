import type { MaintainedStore } from '@waltz/storage'
import type { NetworkFixture } from '@waltz/storage/conformance'
import { formsToRun, swiftSession, type NetworkForm } from '@waltz/testkit'
import { testNetworkFaults } from '@waltz/testkit/network-faults'
import type { SwiftStoreOptions } from '../../src/index.ts'
import { storageFacts } from './facts.ts'
import { commonOptions, swiftServers, swiftStore } from './store.ts'

const [whole, segments] = storageFacts.network
const forms: readonly (NetworkForm & { readonly options: Partial<SwiftStoreOptions> })[] = [
  { ...whole, options: { largeObjects: 'whole' } },
  { ...segments, options: { largeObjects: 'segments', partBytes: segments.partBytes } },
]

/** Registers the fault cases for the stores that `create` makes; `title` is what they are called. */
export async function testSwiftFaults(title: string, create: (options: SwiftStoreOptions) => MaintainedStore): Promise<void> {
  for (const server of formsToRun(await swiftServers())) {
    testNetworkFaults({
      title: `bad days of ${title} on ${server.title}`,
      missing: server.missing,
      forms,
      async open({ options }) {
        const account = server.account()
        const container = await server.container()
        const origin = new URL(account.authUrl)
        const direct = swiftStore(account, { container, ...options })
        const { storageUrl } = await swiftSession(account)
        // Logins go the same way as everything else.
        const openAt = async (host: string, limits: Parameters<NetworkFixture['open']>[0]): Promise<MaintainedStore> =>
          create({
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
            async leftovers(prefix) {
              let count = 0
              for await (const { key } of direct.maintenance.unfinishedUploads(prefix)) if (key.startsWith(prefix)) count += 1
              return count
            },
          }),
          close: async () => direct[Symbol.asyncDispose](),
        }
      },
    })
  }
}
