import { sharedServer, startGcsFake } from '@waltz/testkit'

/** What a README's example needs around it: variables that name a server. */
export interface Surroundings extends AsyncDisposable {
  readonly env: Readonly<Record<string, string>>
}

const nothing: Surroundings = { env: {}, [Symbol.asyncDispose]: () => Promise.resolve() }

/** Packages whose examples speak with a server, by folder name; each starts one, or says why there is none. */
const starting: Readonly<Record<string, () => Promise<Surroundings | string>>> = {
  async 'storage-gcs'() {
    const fake = await startGcsFake()
    return { env: { GCS_ENDPOINT: fake.endpoint }, [Symbol.asyncDispose]: () => fake.stop() }
  },
  async 'storage-azure'() {
    const azurite = await sharedServer('azurite')
    if (azurite.missing !== undefined) return azurite.missing
    const { server } = azurite
    const env = {
      AZURE_STORAGE_ACCOUNT: server.account,
      AZURE_STORAGE_ACCESS_KEY: server.accountKey,
      AZURE_ENDPOINT: server.endpoint,
      AZURE_CONTAINER: await server.createContainer(),
    }
    return { ...nothing, env }
  },
  async 'storage-ssh'() {
    const sshd = await sharedServer('sshd')
    if (sshd.missing !== undefined) return sshd.missing
    const { server } = sshd
    const env = {
      SSH_HOST: server.host,
      SSH_PORT: String(server.port),
      SSH_USERNAME: server.user,
      SSH_KEY: server.privateKeyFile,
      SSH_KNOWN_HOSTS: server.knownHostsFile,
      SSH_FOLDER: await server.createFolder(),
    }
    return { ...nothing, env }
  },
}

/** Whether the example of a package speaks with a server of its kind. */
export function needsStorageServer(name: string): boolean {
  return name in starting
}

/** What the example of a package needs; the reason, as text, when it is not there. Dispose of it at the end. */
export async function exampleSurroundings(name: string): Promise<Surroundings | string> {
  return (await starting[name]?.()) ?? nothing
}
