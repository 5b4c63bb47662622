import { createSshStore, type SshStore, type SshStoreOptions } from '../../src/index.ts'
import type { PlainServer } from './plain-server.ts'
import { surroundings } from './store-options.ts'

/** A store at the server of this process. */
export function plainStore(server: Pick<PlainServer, 'port' | 'root'>, more: Partial<SshStoreOptions> = {}): SshStore {
  return createSshStore({
    ...surroundings,
    host: '127.0.0.1',
    port: server.port,
    user: 'somebody',
    root: server.root,
    authentication: { password: 'open sesame' },
    hostKeys: { kind: 'accept-any' },
    ...more,
  })
}
