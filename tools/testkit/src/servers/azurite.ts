import { createHmac, randomBytes } from 'node:crypto'
import { existsSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { nodeBinary } from '../binaries.ts'
import { mustRun } from '../run-as.ts'
import { cached } from '../shared-cache.ts'
import { workspaceRoot } from '../workspace-root.ts'
import type { ServerHome } from './server-home.ts'
import { freePorts } from './sockets.ts'
import { logsOf, startServer, type ServerFacts, type ServerOwner, type ServerUse } from './start-server.ts'

/** What a client needs to know of Azurite, Azure's own emulator of its blob storage. */
export interface AzuriteFacts extends ServerFacts {
  readonly account: string
  readonly accountKey: string
  /** With the account in its path: http://127.0.0.1:PORT/ACCOUNT */
  readonly endpoint: string
  readonly connectionString: string
}

/** An Azurite to work with. */
export interface Azurite extends AzuriteFacts, ServerUse {
  /** Makes a container of a random name (or the given one) and returns the name. */
  createContainer(name?: string): Promise<string>
}

/** The account that every Azurite has; its key is public. */
const ACCOUNT = 'devstoreaccount1'
const ACCOUNT_KEY = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=='

const installed = fileURLToPath(new URL('../../node_modules/azurite', import.meta.url))
const esbuild = join(workspaceRoot, 'node_modules/.bin/esbuild')

/** Packages that are missing for it. */
export function missingForAzurite(): readonly string[] {
  return [installed, esbuild].filter((path) => !existsSync(path))
}

/** Starts it with everything in memory. @throws Error with the logs when it does not start. */
export async function startAzurite(): Promise<Azurite & ServerOwner> {
  const { facts, owner } = await startServer('azurite', build)
  return { ...useAzurite(facts), ...owner }
}

/** Adds to the facts what can be done by them. */
export function useAzurite(facts: AzuriteFacts): Azurite {
  return { ...facts, logs: () => logsOf(facts), createContainer: (name) => createContainer(facts, name) }
}

async function build(home: ServerHome): Promise<AzuriteFacts> {
  const program = await bundledAzurite()
  const [port = 0] = await freePorts(1)
  const where = ['--blobHost', '127.0.0.1', '--blobPort', String(port)]
  // Clients are newer than it knows, and without the last option it talks to the internet.
  const how = ['--inMemoryPersistence', '--skipApiVersionCheck', '--disableTelemetry', '--silent']
  const server = home.start('azurite', await nodeBinary(), ['--no-deprecation', program, ...where, ...how])
  await home.until('azurite', () => server.listensOn(port))
  const endpoint = `http://127.0.0.1:${port}/${ACCOUNT}`
  const pairs = { DefaultEndpointsProtocol: 'http', AccountName: ACCOUNT, AccountKey: ACCOUNT_KEY, BlobEndpoint: endpoint }
  const connectionString = Object.entries(pairs)
    .map(([name, value]) => `${name}=${value};`)
    .join('')
  return { folder: home.path, pids: [server.pid], ports: [port], account: ACCOUNT, accountKey: ACCOUNT_KEY, endpoint, connectionString }
}

/** One file of it and its 180 packages, where the ordinary user can read it; it starts faster as well. */
async function bundledAzurite(): Promise<string> {
  const version = /azurite@([^/_(]+)/.exec(realpathSync(installed))?.[1] ?? 'unknown'
  const folder = await cached(`azurite-${version}`, async (draft) => {
    const leftOut = ['--external:pg-hstore', '--external:pg-native']
    const how = ['--bundle', '--platform=node', '--log-level=error', ...leftOut]
    const entry = join(realpathSync(installed), 'dist/src/blob/main.js')
    await mustRun(esbuild, [entry, ...how, `--outfile=${join(draft, 'azurite.cjs')}`], { user: 'self', cwd: workspaceRoot })
  })
  return join(folder, 'azurite.cjs')
}

/** By a request signed with the account's key (the Shared Key scheme), with nothing but Node. */
async function createContainer({ endpoint, account, accountKey }: AzuriteFacts, name?: string): Promise<string> {
  const container = name ?? `container-${randomBytes(6).toString('hex')}`
  const headers = { 'x-ms-date': new Date().toUTCString(), 'x-ms-version': '2021-12-02' }
  const canonicalHeaders = Object.entries(headers).map(([header, value]) => `${header}:${value}\n`)
  // An emulated account stands in the path, and so twice in the resource that is signed.
  const text = `PUT${'\n'.repeat(12)}${canonicalHeaders.join('')}/${account}/${account}/${container}\nrestype:container`
  const signature = createHmac('sha256', Buffer.from(accountKey, 'base64')).update(text).digest('base64')
  const response = await fetch(`${endpoint}/${container}?restype=container`, {
    method: 'PUT',
    headers: { ...headers, authorization: `SharedKey ${account}:${signature}` },
  })
  if (!response.ok) throw new Error(`making the container ${container} was answered ${response.status}: ${await response.text()}`)
  return container
}
