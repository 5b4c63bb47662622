import { Agent as HttpAgent, type AgentOptions } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { rootCertificates } from 'node:tls'
import { Fault } from '@waltz/errors'
import { isExemptFromProxy } from './no-proxy.ts'
import { receiveIntoOneBuffer } from './one-buffer.ts'

/** How a store connects. */
export interface HttpAgentOptions {
  /** Where requests go; decides whether the proxy is used. Requests to other hosts through the same agents take the same way. */
  readonly target: URL
  /** Certificates in PEM form, trusted besides those that Node trusts. */
  readonly ca?: string
  /** Trust only `ca`. */
  readonly onlyOwnAuthorities?: boolean
  /** URL of an HTTP or HTTPS proxy, with user and password if it wants them; undefined or empty: none. */
  readonly proxy?: string
  /** Hosts that are reached without it: see `isExemptFromProxy`. */
  readonly noProxy?: string
  /** Connections at the same time. 64 unless given. */
  readonly maxSockets?: number
}

/** Agents for Node's `http` and `https`, with connections of their own. */
export interface HttpAgents {
  readonly http: HttpAgent
  readonly https: HttpsAgent
  /** Whether requests go through a proxy. */
  readonly proxied: boolean
  /** Closes all connections, busy ones too. Harmless when called again. */
  destroy(): void
}

const MOST_SOCKETS = 64
/** Idle connections are closed before most servers and load balancers do it. */
const KEEP_ALIVE_MS = 15_000

/**
 * Makes the agents of one store. The proxy's code is loaded only where there is a proxy. No I/O.
 * @throws Fault `invalid` `NETWORK_PROXY_INVALID`; `invalid` `NETWORK_CA_INVALID` for a text without a certificate.
 */
export async function createHttpAgents(options: HttpAgentOptions): Promise<HttpAgents> {
  const proxy = proxyFor(options)
  const connection: AgentOptions = {
    keepAlive: true,
    keepAliveMsecs: 1000,
    maxSockets: options.maxSockets ?? MOST_SOCKETS,
    timeout: KEEP_ALIVE_MS,
  }
  const trusted = trustedAuthorities(options)
  const tls = trusted === undefined ? {} : { ca: trusted }
  const [http, https] =
    proxy === undefined
      ? [receiveIntoOneBuffer(new HttpAgent(connection)), receiveIntoOneBuffer(new HttpsAgent({ ...connection, ...tls }))]
      : await proxyAgents(proxy, { ...connection, ...tls })
  return {
    http,
    https,
    proxied: proxy !== undefined,
    destroy() {
      http.destroy()
      https.destroy()
    },
  }
}

async function proxyAgents(proxy: URL, options: AgentOptions & { readonly ca?: string[] }): Promise<[HttpAgent, HttpsAgent]> {
  const [{ HttpProxyAgent }, { HttpsProxyAgent }] = await Promise.all([import('http-proxy-agent'), import('https-proxy-agent')])
  const https = new HttpsProxyAgent(proxy, options)
  // It keeps the authority for the proxy's own certificate; the server behind the tunnel is judged by the options of the agent.
  if (options.ca !== undefined) Object.assign(https.options, { ca: options.ca })
  return [new HttpProxyAgent(proxy, options), https]
}

function proxyFor({ target, proxy, noProxy }: HttpAgentOptions): URL | undefined {
  if (proxy === undefined || proxy === '') return undefined
  const parsed = URL.canParse(proxy) ? new URL(proxy) : undefined
  if (parsed === undefined || !['http:', 'https:'].includes(parsed.protocol)) {
    throw new Fault('invalid', 'NETWORK_PROXY_INVALID', 'the proxy setting is not a URL that begins with http:// or https://', {
      hint: 'it looks like http://proxy.example.org:3128',
    })
  }
  return isExemptFromProxy(target, noProxy) ? undefined : parsed
}

function trustedAuthorities({ ca, onlyOwnAuthorities = false }: HttpAgentOptions): string[] | undefined {
  if (ca === undefined) return undefined
  if (!ca.includes('-----BEGIN CERTIFICATE-----')) {
    throw new Fault('invalid', 'NETWORK_CA_INVALID', 'the file of trusted authorities holds no certificate', {
      hint: 'it needs at least one "-----BEGIN CERTIFICATE-----" block (PEM)',
    })
  }
  return onlyOwnAuthorities ? [ca] : [...rootCertificates, ca]
}
