/**
 * Keeps the servers that the tests of one run share: starts each when it is first asked for, by a line with its name on standard
 * input, and answers with a line of JSON. It ends, and with it every server, when standard input does: so also when the run
 * that it belongs to was killed. It has a process group of its own and does not hear Ctrl-C.
 */
import { createInterface } from 'node:readline'
import { isSharedServerName, sharedKinds } from './shared-kinds.ts'
import type { ServerOwner } from './start-server.ts'

/** One answer; `facts` when the server is there, `problem` when it could not be started. */
export interface KeeperAnswer {
  readonly name: string
  readonly facts?: object
  readonly problem?: string
}

const started: ServerOwner[] = []
const asked = new Set<string>()
// Whoever listened may be gone; the servers still have to be stopped.
process.stdout.on('error', () => undefined)
process.stderr.on('error', () => undefined)

const lines = createInterface({ input: process.stdin })
lines.on('line', (name) => {
  if (asked.has(name)) return
  asked.add(name)
  void answer(name).then((text) => process.stdout.write(`${JSON.stringify(text)}\n`))
})
lines.once('close', () => {
  // Those that are just being started are killed, and their folders removed, as this process exits.
  void Promise.allSettled(started.map((server) => server.stop())).finally(() => process.exit(0))
})

async function answer(name: string): Promise<KeeperAnswer> {
  try {
    if (!isSharedServerName(name)) throw new Error(`there is no server ${name}`)
    const server = await sharedKinds[name].start()
    started.push(server)
    return { name, facts: server }
  } catch (error) {
    return { name, problem: error instanceof Error ? error.message : String(error) }
  }
}
