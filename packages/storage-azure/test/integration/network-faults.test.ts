import { afterAll, beforeAll, describe, it } from 'vitest'
import { networkFaultCases, type NetworkFixture } from '@waltz/storage/conformance'
import { createFaultProxy, formsToRun, sharedServer, type FaultProxy } from '@waltz/testkit'
import type { MaintainedStore } from '@waltz/storage'
import { storageFacts } from '../support/facts.ts'
import { azuriteStore } from '../support/store.ts'

const azurite = await sharedServer('azurite')

describe.skipIf(azurite.missing !== undefined).each(formsToRun(storageFacts.network))(
  `bad days of an Azure store on ${azurite.title}, $name`,
  (form) => {
    const bufferBytes = form.partBytes
    let proxy: FaultProxy
    let direct: MaintainedStore
    let fixture: NetworkFixture
    beforeAll(async () => {
      const container = await azurite.server.createContainer()
      const endpoint = new URL(azurite.server.endpoint)
      proxy = await createFaultProxy({ target: { host: '127.0.0.1', port: Number(endpoint.port) } })
      direct = azuriteStore(azurite.server, { container, bufferBytes })
      const openAt = async (host: string, limits: Parameters<NetworkFixture['open']>[0]): Promise<MaintainedStore> =>
        azuriteStore({ ...azurite.server, endpoint: `http://${host}${endpoint.pathname}` }, { container, bufferBytes, ...limits })
      fixture = {
        network: proxy,
        ...form,
        open: (limits) => openAt(`127.0.0.1:${proxy.port}`, limits),
        openUnresolvable: (limits) => openAt('storage.invalid', limits),
        direct,
        // Azure has no request that removes uncommitted blocks without making an object: they stay, unseen, until the next put of the name.
        leftovers: async () => 0,
      }
    })
    afterAll(async () => {
      await direct[Symbol.asyncDispose]()
      await proxy.close()
    })
    it.each(networkFaultCases.map((item) => [`${item.fault}: ${item.name}`, item] as const))(
      '%s',
      { timeout: 60_000 },
      async (_name, item) => {
        if (item.notApplicable(fixture) === undefined) await item.run(fixture)
      },
    )
  },
)
