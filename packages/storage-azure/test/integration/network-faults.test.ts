import { afterAll, beforeAll, describe, it } from 'vitest'
import { networkFaultCases, type NetworkFixture } from '@waltz/storage/conformance'
import { createFaultProxy, sharedServer, type FaultProxy } from '@waltz/testkit'
import type { MaintainedStore } from '@waltz/storage'
import { azuriteStore } from '../support/store.ts'

const azurite = await sharedServer('azurite')

/** Small blocks, so that little is many; and one size at which a whole body is slow to leave. */
const sizes: readonly (readonly [name: string, bufferBytes: number])[] = [
  ['blocks of 300 kB', 300_000],
  ['blocks of 6 MB', 6_000_000],
]

describe.skipIf(azurite.missing !== undefined).each(sizes)(`bad days of an Azure store on ${azurite.title}, %s`, (_name, bufferBytes) => {
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
      http: true,
      partBytes: bufferBytes,
      requests: {
        whole: /^PUT (?!.*[?&]comp=)/,
        part: /^PUT .*[?&]comp=block(?:&|\s)/,
        complete: /^PUT .*[?&]comp=blocklist/,
        get: /^GET (?!.*[?&]comp=)/,
        delete: /^DELETE /,
      },
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
    async (_name, item, ...[context]: readonly any[]) => {
      const reason = item.notApplicable(fixture)
      if (reason === undefined) await item.run(fixture)
      else context?.skip?.(reason)
    },
  )
})
