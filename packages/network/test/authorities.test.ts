import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer as createHttpServer, type IncomingMessage } from 'node:http'
import { createServer, get } from 'node:https'
import { connect, type AddressInfo, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { createHttpAgents, type HttpAgentOptions } from '../src/index.ts'

const folder = mkdtempSync(join(tmpdir(), 'waltz-network-'))
const servers: Server[] = []
afterAll(() => {
  for (const server of servers) server.close()
  rmSync(folder, { recursive: true, force: true })
})

/** A certificate for localhost that is its own authority. */
function selfSigned(): { readonly key: string; readonly cert: string } | undefined {
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
  const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', ...subject]
  try {
    execFileSync('openssl', [...args, '-keyout', key, '-out', cert], { stdio: 'ignore' })
    return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
  } catch {
    return undefined
  }
}

const pair = selfSigned()

async function listen(server: Server): Promise<number> {
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, resolve))
  return (server.address() as AddressInfo).port
}

async function statusOf(url: URL, options: Partial<HttpAgentOptions>): Promise<number | string | undefined> {
  const agents = await createHttpAgents({ target: url, ...options })
  try {
    return await new Promise<number | undefined>((resolve, reject) =>
      get(url, { agent: agents.https }, (answer: IncomingMessage) => resolve(answer.resume().statusCode)).on('error', reject),
    )
  } catch (error) {
    return (error as { code?: string }).code
  } finally {
    agents.destroy()
  }
}

describe.skipIf(pair === undefined)("authorities of one's own (skipped without openssl)", () => {
  it('are trusted, directly and behind a proxy; nothing else is by them', async () => {
    const port = await listen(createServer({ ...pair }, (_request, answer) => answer.end('secret')))
    const tunnels: string[] = []
    const proxy = createHttpServer()
    proxy.on('connect', (request, client, head) => {
      tunnels.push(String(request.url))
      const server = connect(port, 'localhost', () => {
        client.write('HTTP/1.1 200 Connection established\r\n\r\n')
        server.write(head)
        server.pipe(client).pipe(server)
      })
      for (const socket of [server, client]) socket.on('error', () => undefined)
    })
    const by = `http://localhost:${await listen(proxy)}`
    const url = new URL(`https://localhost:${port}/`)
    const ca = pair?.cert ?? ''
    expect(await statusOf(url, { ca })).toBe(200)
    expect(await statusOf(url, { ca, onlyOwnAuthorities: true })).toBe(200)
    expect(await statusOf(url, {})).toBe('DEPTH_ZERO_SELF_SIGNED_CERT')
    expect(await statusOf(url, { ca, proxy: by })).toBe(200)
    expect(await statusOf(url, { proxy: by })).toBe('DEPTH_ZERO_SELF_SIGNED_CERT')
    expect(tunnels).toEqual([`localhost:${port}`, `localhost:${port}`])
    expect(await statusOf(new URL(`https://127.0.0.1:${port}/`), { ca })).toBe('ERR_TLS_CERT_ALTNAME_INVALID')
  })
})
