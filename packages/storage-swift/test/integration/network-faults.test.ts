import { afterAll, beforeAll, describe, it } from 'vitest'
import { networkFaultCases, type NetworkFixture } from '@waltz/storage/conformance'
import type { MaintainedStore } from '@waltz/storage'
import { createFaultProxy, swiftSession, type FaultProxy } from '@waltz/testkit'
import { createSwiftStore, type SwiftStoreOptions } from '../../src/index.ts'
import { commonOptions, swiftServers, swiftStore } from '../support/store.ts'

const MIB = 2 ** 20
const kinds: readonly (readonly [name: string, options: Partial<SwiftStoreOptions>])[] = [
  ['whole', { largeObjects: 'whole' }],
  ['in segments', { largeObjects: 'segments', partBytes: MIB }],
]

for (const server of await swiftServers()) {
  describe.skipIf(server.missing !== undefined).each(kinds)(`bad days of a Swift store on ${server.title}, %s`, (_name, options) => {
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
        http: true,
        partBytes: options.largeObjects === 'segments' ? MIB : undefined,
        requests: {
          whole: /^PUT (?!\S*_segments\/)(?!\S*multipart-manifest)/,
          part: /^PUT \S*_segments\//,
          complete: /^PUT \S*multipart-manifest=put/,
          get: /^GET (?!\S*(auth|info))/,
          delete: /^(DELETE|POST \S*bulk-delete)/,
        },
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
      async (_name, item, ...[context]: readonly any[]) => {
        const reason = item.notApplicable(fixture)
        if (reason === undefined) await item.run(fixture)
        else context?.skip?.(reason)
      },
    )
  })
}
