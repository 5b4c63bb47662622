import type { MaintainedStore } from '@waltz/storage'
import type { NetworkFixture } from '@waltz/storage/conformance'
import { sharedServer } from '@waltz/testkit'
import { testNetworkFaults } from '@waltz/testkit/network-faults'
import { storageFacts } from '../support/facts.ts'
import { azuriteStore } from '../support/store.ts'

const azurite = await sharedServer('azurite')

testNetworkFaults({
  title: `bad days of an Azure store on ${azurite.title}`,
  missing: azurite.missing,
  forms: storageFacts.network,
  async open({ partBytes: bufferBytes }) {
    const container = await azurite.server.createContainer()
    const endpoint = new URL(azurite.server.endpoint)
    const direct = azuriteStore(azurite.server, { container, bufferBytes })
    const openAt = async (host: string, limits: Parameters<NetworkFixture['open']>[0]): Promise<MaintainedStore> =>
      azuriteStore({ ...azurite.server, endpoint: `http://${host}${endpoint.pathname}` }, { container, bufferBytes, ...limits })
    return {
      target: { host: '127.0.0.1', port: Number(endpoint.port) },
      fixture: (network) => ({
        direct,
        open: (limits) => openAt(`127.0.0.1:${network.port}`, limits),
        openUnresolvable: (limits) => openAt('storage.invalid', limits),
        // Azure has no request that removes uncommitted blocks without making an object: they stay, unseen, until the next put of the name.
        leftovers: async () => 0,
      }),
      close: async () => direct[Symbol.asyncDispose](),
    }
  },
})
