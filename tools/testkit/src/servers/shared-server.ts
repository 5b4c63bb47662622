import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import type { KeeperAnswer } from './keeper.ts'
import { sharedKinds, type SharedServerName, type SharedServers } from './shared-kinds.ts'

/** Names, in the environment of test processes, the socket at which servers are asked for. */
export const SHARED_SERVERS = 'WALTZ_SHARED_SERVERS'

/** Where the socket of that name is. */
export function socketPath(name: string): string {
  return `\0${name}`
}

/** A server that the test files of a run share, or why there is none. */
export interface SharedServer<Name extends SharedServerName> {
  /** What is not installed, and how to install it; undefined when the server runs. */
  readonly missing: string | undefined
  /** The server's name, and behind it what is missing: for the title of the tests, so that whoever skips them says why. */
  readonly title: string
  /** The server. @throws Error when it is missing: not to be touched outside of hooks and tests. */
  readonly server: SharedServers[Name]
}

const known = new Map<SharedServerName, Promise<SharedServer<SharedServerName>>>()

/**
 * The server of that name that all test files of this run share, started when it is first asked for and stopped after the last
 * test. It is in use by others: every test makes a bucket, container or folder of its own, and nobody stops it or fills it up.
 *
 *     const radosgw = await sharedServer('radosgw')
 *     describe.skipIf(radosgw.missing !== undefined)(`S3 on ${radosgw.title}`, () => {
 *       it('...', async () => { const bucket = await radosgw.server.createBucket() ... })
 *     })
 *
 * Outside of Vitest the server is started for this process, and ends with it.
 * @throws Error with the logs when its programs are there but it does not start.
 */
export async function sharedServer<Name extends SharedServerName>(name: Name): Promise<SharedServer<Name>> {
  const found = known.get(name) ?? find(name)
  known.set(name, found)
  return (await found) as SharedServer<Name>
}

async function find<Name extends SharedServerName>(name: Name): Promise<SharedServer<Name>> {
  const kind = sharedKinds[name]
  const absent = kind.missing()
  if (absent.length > 0) {
    const missing = `not installed: ${absent.join(', ')}; ${kind.install}`
    return {
      missing,
      title: `${name} (${missing})`,
      get server(): never {
        throw new Error(`${name} is ${missing}`)
      },
    }
  }
  const socket = process.env[SHARED_SERVERS]
  const server = socket === undefined ? await kind.start() : kind.use((await ask(socket, name)) as never)
  return { missing: undefined, title: name, server: server as unknown as SharedServers[Name] }
}

/** Asks the run for the facts of a server. */
async function ask(at: string, name: string): Promise<object> {
  const socket = connect(socketPath(at))
  socket.write(`${name}\n`)
  const line = await new Promise<string>((resolve, reject) => {
    socket.once('error', reject)
    createInterface({ input: socket }).once('line', resolve)
    socket.once('close', () => reject(new Error(`nobody answered the question for the server ${name}`)))
  })
  socket.destroy()
  const { facts, problem } = JSON.parse(line) as KeeperAnswer
  if (facts === undefined) throw new Error(problem ?? `no facts about the server ${name}`)
  return facts
}
