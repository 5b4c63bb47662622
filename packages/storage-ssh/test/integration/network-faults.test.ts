import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { networkFaultCases, type NetworkFixture } from '@waltz/storage/conformance'
import { createFaultProxy, formsToRun, sharedServer, type FaultProxy } from '@waltz/testkit'
import { createSshStore, type SshStore, type SshStoreOptions } from '../../src/index.ts'
import { storageFacts } from '../support/facts.ts'
import { optionsFor, sleep } from '../support/store-options.ts'

const sshd = await sharedServer('sshd')

describe.skipIf(sshd.missing !== undefined).each(formsToRun(storageFacts.network))(
  `network faults before ${sshd.title}, $name`,
  ({ http, partBytes }) => {
    let proxy: FaultProxy
    let direct: SshStore
    let fixture: NetworkFixture

    beforeAll(async () => {
      const { server } = sshd
      proxy = await createFaultProxy({ target: { host: server.host, port: server.port } })
      const root = await server.createFolder()
      // The proxy has another port, and known_hosts names hosts with theirs.
      const options = (more: Partial<SshStoreOptions>): SshStoreOptions =>
        optionsFor(server, root, { partBytes, partsInFlight: 2, connections: 2, ...more })
      direct = createSshStore(options({}))
      const through: Partial<SshStoreOptions> = {
        port: proxy.port,
        hostKeys: { kind: 'known-hosts', files: [{ path: 'known_hosts', text: `[127.0.0.1]:${proxy.port} ${server.hostKey}\n` }] },
        sleep,
      }
      fixture = {
        network: proxy,
        http,
        partBytes,
        open: async ({ connectTimeoutMs, idleTimeoutMs, retry }) =>
          createSshStore(options({ ...through, connectTimeoutMs, idleTimeoutMs, retry })),
        openUnresolvable: async ({ connectTimeoutMs, idleTimeoutMs, retry }) =>
          createSshStore(options({ ...through, host: 'storage.invalid', connectTimeoutMs, idleTimeoutMs, retry })),
        direct,
        async leftovers(prefix) {
          let count = 0
          for await (const upload of direct.maintenance.unfinishedUploads(prefix)) if (upload.id !== '') count += 1
          return count
        },
      }
    })
    afterAll(async () => {
      await direct[Symbol.asyncDispose]()
      await proxy.close()
    })

    it.each(networkFaultCases.map((item) => [item.fault, item.name, item] as const))(
      '%s: %s',
      { timeout: 60_000 },
      async (_fault, _name, item) => {
        const reason = item.notApplicable(fixture)
        if (reason === undefined) await item.run(fixture)
        else expect(reason).toMatch(/HTTP|no request line|smaller than what the system buffers/)
      },
    )
  },
)
