/** How often a run asks its store for something: a run of its own, through a proxy that counts, or with calls of the system counted. */
import { createServer, request as send, Agent } from 'node:http'
import type { AddressInfo } from 'node:net'
import { readFileSync } from 'node:fs'
import { measure } from '../meter/measure.ts'
import type { Command } from '../model.ts'

/** A proxy before an S3 server. Signatures stay valid: they are over the name that the client was told. */
export interface CountingProxy {
  readonly endpoint: string
  /** What was asked since the last time. */
  take(): { readonly listings: number; readonly objects: number; readonly others: number }
  close(): void
}

/** Opens a proxy on a free port of the loopback address. */
export async function openCountingProxy(endpoint: string): Promise<CountingProxy> {
  const { hostname, port } = new URL(endpoint)
  const agent = new Agent({ keepAlive: true })
  const counts = { listings: 0, objects: 0, others: 0 }
  const server = createServer((incoming, outgoing) => {
    const url = incoming.url ?? ''
    if (incoming.method !== 'GET') counts.others += 1
    else if (url.includes('list-type=') || url.includes('prefix=')) counts.listings += 1
    else counts.objects += 1
    const forwarded = send({ hostname, port, agent, method: incoming.method, path: url, headers: incoming.headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(outgoing)
    })
    forwarded.on('error', () => outgoing.destroy())
    incoming.pipe(forwarded)
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    take: () => {
      const taken = { ...counts }
      Object.assign(counts, { listings: 0, objects: 0, others: 0 })
      return taken
    },
    close: () => {
      server.close()
      server.closeAllConnections()
      agent.destroy()
    },
  }
}

/** Runs a command through the proxy (it must have been given the proxy's endpoint). */
export async function requestsOf(command: Command, proxy: CountingProxy): Promise<string> {
  proxy.take()
  await measure(command, undefined)
  const { listings, objects, others } = proxy.take()
  return `${listings} pages, ${objects} objects${others === 0 ? '' : `, ${others} others`}`
}

/** Runs a command with the system's calls counted. `preload` and `counts` are paths that its user can read and write. */
export async function callsOf(
  command: Command,
  { preload, counts }: { readonly preload: string; readonly counts: string },
): Promise<string> {
  const env = { ...command.env, NODE_OPTIONS: `--import=${preload}`, WALTZ_BENCH_COUNTS: counts }
  await measure({ ...command, env }, undefined)
  const { folders, looks, opens } = JSON.parse(readFileSync(counts, 'utf8')) as Record<'folders' | 'looks' | 'opens', number>
  return `${folders} folder reads, ${looks} stats, ${opens} opens`
}
