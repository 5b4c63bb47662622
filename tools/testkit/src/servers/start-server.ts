import { join } from 'node:path'
import { createServerHome, tails, type ServerHome } from './server-home.ts'

/** What every server tells about itself; plain values, so that one process can tell another. */
export interface ServerFacts {
  /** Its temporary folder. Everything that the server writes lies below it. */
  readonly folder: string
  readonly pids: readonly number[]
  readonly ports: readonly number[]
}

/** What everybody may do with a server. */
export interface ServerUse {
  /** The end of its logs, for a message about a failure. */
  logs(): string
}

/** What only the one who started a server may do. */
export interface ServerOwner extends AsyncDisposable {
  /** Kills its processes by their ids and removes its folder; resolves when they are gone. May be called twice. */
  stop(): Promise<void>
}

const ATTEMPTS = 4
const PORT_TAKEN = /address already in use|EADDRINUSE|unable to bind|failed to bind|Cannot bind to/i

/**
 * Starts a server in a home of its own by `build`, which resolves with its facts when it answers. When a port was snatched
 * away meanwhile it begins anew with others.
 * @throws Error with the logs when it does not start; nothing is left behind then.
 */
export async function startServer<Facts extends ServerFacts>(
  name: string,
  build: (home: ServerHome) => Promise<Facts>,
): Promise<{ readonly facts: Facts; readonly owner: ServerOwner }> {
  for (let attempt = 1; ; attempt += 1) {
    const home = createServerHome()
    try {
      const facts = await build(home)
      return { facts, owner: { stop: home.stop, [Symbol.asyncDispose]: home.stop } }
    } catch (error) {
      const logs = home.logs()
      await home.stop()
      if (attempt < ATTEMPTS && PORT_TAKEN.test(logs)) continue
      throw new Error(`${name} did not start: ${error instanceof Error ? error.message : String(error)}\n${logs}`, { cause: error })
    }
  }
}

/** Reads the logs of a server by its facts. */
export function logsOf(facts: ServerFacts): string {
  return tails(join(facts.folder, 'log'))
}
