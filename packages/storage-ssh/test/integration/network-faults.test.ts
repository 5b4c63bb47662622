import { sharedServer } from '@waltz/testkit'
import { testNetworkFaults } from '@waltz/testkit/network-faults'
import { createSshStore, type SshStoreOptions } from '../../src/index.ts'
import { storageFacts } from '../support/facts.ts'
import { optionsFor, sleep } from '../support/store-options.ts'

const sshd = await sharedServer('sshd')

testNetworkFaults({
  title: `network faults before ${sshd.title}`,
  missing: sshd.missing,
  forms: storageFacts.network,
  // Keys are agreed on for every connection, on both sides.
  atOnce: 5,
  async open({ partBytes }) {
    const { server } = sshd
    const root = await server.createFolder()
    const options = (more: Partial<SshStoreOptions>): SshStoreOptions =>
      optionsFor(server, root, { partBytes, partsInFlight: 2, connections: 2, ...more })
    const direct = createSshStore(options({}))
    return {
      target: { host: server.host, port: server.port },
      fixture(network) {
        // The proxy has another port, and known_hosts names hosts with theirs.
        const through: Partial<SshStoreOptions> = {
          port: network.port,
          hostKeys: { kind: 'known-hosts', files: [{ path: 'known_hosts', text: `[127.0.0.1]:${network.port} ${server.hostKey}\n` }] },
          sleep,
        }
        return {
          direct,
          open: async ({ connectTimeoutMs, idleTimeoutMs, retry }) =>
            createSshStore(options({ ...through, connectTimeoutMs, idleTimeoutMs, retry })),
          openUnresolvable: async ({ connectTimeoutMs, idleTimeoutMs, retry }) =>
            createSshStore(options({ ...through, host: 'storage.invalid', connectTimeoutMs, idleTimeoutMs, retry })),
          async leftovers(prefix) {
            let count = 0
            for await (const upload of direct.maintenance.unfinishedUploads(prefix)) if (upload.id !== '') count += 1
            return count
          },
        }
      },
      close: async () => direct[Symbol.asyncDispose](),
    }
  },
})
