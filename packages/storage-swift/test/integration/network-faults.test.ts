import { afterAll, beforeAll, describe, it } from 'vitest'
import { networkFaultCases, type NetworkFixture } from '@waltz/storage/conformance'
import type { MaintainedStore } from '@waltz/storage'
import { createFaultProxy, formsToRun, swiftSession, type FaultProxy } from '@waltz/testkit'
import { createSwiftStore, type SwiftStoreOptions } from '../../src/index.ts'
import { storageFacts } from '../support/facts.ts'
import { commonOptions, swiftServers, swiftStore } from '../support/store.ts'

const [whole, segments] = storageFacts.network
type Form = (typeof storageFacts.network)[number]
const kinds: readonly (readonly [name: string, form: Form, options: Partial<SwiftStoreOptions>])[] = [
  [whole.name, whole, { largeObjects: 'whole' }],
  [segments.name, segments, { largeObjects: 'segments', partBytes: segments.partBytes }],
]

for (const server of formsToRun(await swiftServers())) {
  describe.skipIf(server.missing !== undefined).each(formsToRun(kinds))(
    `bad days of a Swift store on ${server.title}, %s`,
    (_name, form, options) => {
      let proxy: FaultProxy
      let direct: MaintainedStore
      let fixture: NetworkFixture
      beforeAll(async () => {
        const account = server.account()
        const container = await server.container()
        const origin = new URL(account.authUrl)
        proxy = await createFaultProxy({ target: { host: '127.0.0.1', port: Number(origin.port) } })
        direct = swiftStore(account, { container, ...options })
        const { storageUrl } = await swiftSession(account)
        // Logins go the same way as everything else.
        const openAt = async (host: string, limits: Parameters<NetworkFixture['open']>[0]): Promise<MaintainedStore> =>
          createSwiftStore({
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
        fixture = {
          network: proxy,
          ...form,
          open: (limits) => openAt(`127.0.0.1:${proxy.port}`, limits),
          openUnresolvable: (limits) => openAt('storage.invalid', limits),
          direct,
          async leftovers(prefix) {
            let count = 0
            for await (const { key } of direct.maintenance.unfinishedUploads(prefix)) if (key.startsWith(prefix)) count += 1
            return count
          },
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
}
