import { createServer, get as httpGet, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { createHttpAgents, isExemptFromProxy, type HttpAgents } from '../src/index.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

async function listen(server: Server): Promise<URL> {
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
}

async function read(url: URL, agents: HttpAgents): Promise<string> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => httpGet(url, { agent: agents.http }, resolve).on('error', reject))
  let text = ''
  for await (const chunk of answer.setEncoding('utf8')) text += String(chunk)
  return text
}

describe('agents', () => {
  it('connect directly without a proxy, and close their connections', async () => {
    const sockets = new Set<unknown>()
    const server = createServer((_request, answer) => answer.end('direct'))
    server.on('connection', (socket) => {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
    })
    const target = await listen(server)
    const agents = await createHttpAgents({ target })
    expect([await read(target, agents), agents.proxied]).toEqual(['direct', false])
    expect(sockets.size).toBe(1)
    agents.destroy()
    await expect.poll(() => sockets.size).toBe(0)
  })

  it('go through the proxy, with its user and password, unless the host is exempt', async () => {
    const seen: string[] = []
    const proxy = await listen(
      createServer((request, answer) => {
        seen.push(`${request.url} ${Buffer.from(request.headers['proxy-authorization']?.slice(6) ?? '', 'base64').toString()}`)
        answer.end('by proxy')
      }),
    )
    const target = await listen(createServer((_request, answer) => answer.end('direct')))
    proxy.username = 'user'
    proxy.password = 'word'
    const through = await createHttpAgents({ target, proxy: proxy.href })
    expect([await read(target, through), through.proxied]).toEqual(['by proxy', true])
    expect(seen).toEqual([`${target.href} user:word`])
    const exempt = await createHttpAgents({ target, proxy: proxy.href, noProxy: '127.0.0.1' })
    expect([await read(target, exempt), exempt.proxied]).toEqual(['direct', false])
    through.destroy()
    exempt.destroy()
  })

  it('tunnel https through the proxy', async () => {
    const seen: string[] = []
    const server = createServer()
    server.on('connect', (request, socket) => {
      seen.push(String(request.url))
      socket.end('HTTP/1.1 502 no way\r\n\r\n')
    })
    const proxy = await listen(server)
    const agents = await createHttpAgents({ target: new URL('https://store.example/'), proxy: proxy.href })
    const { get } = await import('node:https')
    const answer = await new Promise<IncomingMessage>((resolve, reject) =>
      get('https://store.example/', { agent: agents.https }, resolve).on('error', reject),
    )
    expect(answer.statusCode).toBe(502) // what the proxy says when there is no tunnel
    expect(seen).toEqual(['store.example:443'])
    agents.destroy()
  })

  it('refuse what is no proxy and no certificate', async () => {
    const target = new URL('https://store.example/')
    for (const proxy of ['proxy:3128', 'socks5://proxy', 'nonsense']) {
      await expect(createHttpAgents({ target, proxy })).rejects.toMatchObject({ kind: 'invalid', code: 'NETWORK_PROXY_INVALID' })
    }
    await expect(createHttpAgents({ target, ca: 'not a certificate' })).rejects.toMatchObject({ code: 'NETWORK_CA_INVALID' })
  })
})

describe('hosts that are exempt from the proxy', () => {
  const cases: readonly (readonly [url: string, list: string | undefined, exempt: boolean])[] = [
    ['https://store.example/', undefined, false],
    ['https://store.example/', '', false],
    ['https://store.example/', '*', true],
    ['https://store.example/', 'example', true],
    ['https://store.example/', '.example', true],
    ['https://bucket.store.example/', 'other, store.example', true],
    ['https://notstore.example/', 'store.example', false],
    ['https://store.example:8443/', 'store.example:8443', true],
    ['https://store.example/', 'store.example:8443', false],
    ['https://store.example/', 'store.example:443', true],
    ['http://STORE.example/', 'Store.Example:80', true],
    ['http://[::1]:8080/', '::1', true],
    ['http://[::1]:8080/', '[::1]:8080', true],
    ['http://[::1]:8080/', '[::1]:9090', false],
    ['http://10.0.0.1/', '10.0.0.1 10.0.0.2', true],
  ]
  it.each(cases)('%s with %s: %s', (url, list, exempt) => {
    expect(isExemptFromProxy(new URL(url), list)).toBe(exempt)
  })
})
