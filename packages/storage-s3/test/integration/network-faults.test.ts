import { afterAll, beforeAll, describe, it } from 'vitest'
import { networkFaultCases, type NetworkFixture } from '@waltz/storage/conformance'
import { createFaultProxy, sharedServer, type FaultProxy } from '@waltz/testkit'
import { createS3Store, type S3StoreOptions } from '../../src/index.ts'
import { storageFacts } from '../support/facts.ts'
import { radosgwOptions } from '../support/radosgw.ts'
import type { MaintainedStore } from '@waltz/storage'

const radosgw = await sharedServer('radosgw')

describe.skipIf(radosgw.missing !== undefined)(`S3 on ${radosgw.title}, over a network that fails`, () => {
  let proxy: FaultProxy
  let direct: MaintainedStore
  let options: S3StoreOptions
  const fixture = (): NetworkFixture => ({
    network: proxy,
    ...storageFacts.network[0],
    direct,
    open: async (limits) => createS3Store({ ...options, endpoint: `http://127.0.0.1:${proxy.port}`, provider: 'ceph', ...limits }),
    openUnresolvable: async (limits) => createS3Store({ ...options, endpoint: 'http://storage.invalid', ...limits }),
    async leftovers(prefix) {
      let count = 0
      for await (const { key } of direct.maintenance.unfinishedUploads(prefix)) if (key.startsWith(prefix)) count += 1
      return count
    },
  })
  beforeAll(async () => {
    const { hostname, port } = new URL(radosgw.server.endpoint)
    proxy = await createFaultProxy({ target: { host: hostname, port: Number(port) } })
    options = radosgwOptions(radosgw.server, await radosgw.server.createBucket())
    direct = createS3Store(options)
  })
  afterAll(async () => {
    await direct?.[Symbol.asyncDispose]()
    await proxy?.close()
  })

  it.each(networkFaultCases.map((item) => [item.fault, item.name, item] as const))('%s %s', async (_fault, _name, item) => {
    const used = fixture()
    const reason = item.notApplicable(used)
    if (reason === undefined) await item.run(used)
  })
})
