import { sharedServer } from '@waltz/testkit'
import { testNetworkFaults } from '@waltz/testkit/network-faults'
import { createS3Store } from '../../src/index.ts'
import { storageFacts } from '../support/facts.ts'
import { radosgwOptions } from '../support/radosgw.ts'

const radosgw = await sharedServer('radosgw')

testNetworkFaults({
  title: `S3 on ${radosgw.title}, over a network that fails`,
  missing: radosgw.missing,
  forms: storageFacts.network,
  async open({ partBytes }) {
    const options = { ...radosgwOptions(radosgw.server, await radosgw.server.createBucket()), partBytes }
    const direct = createS3Store(options)
    const { hostname, port } = new URL(options.endpoint ?? '')
    return {
      target: { host: hostname, port: Number(port) },
      fixture: (network) => ({
        direct,
        open: async (limits) => createS3Store({ ...options, endpoint: `http://127.0.0.1:${network.port}`, provider: 'ceph', ...limits }),
        openUnresolvable: async (limits) => createS3Store({ ...options, endpoint: 'http://storage.invalid', ...limits }),
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
