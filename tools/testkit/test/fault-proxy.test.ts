import { Agent, createServer as createHttpServer, request as httpRequest, type IncomingMessage, type Server as HttpServer } from 'node:http'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import type { NetworkFault } from '@waltz/storage/conformance'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createFaultProxy, type FaultProxy } from '../src/index.ts'

const cleanUps: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp()
})

const portOf = (server: Server | HttpServer): number => (server.address() as AddressInfo).port
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const bytesOf = (length: number): Buffer => Buffer.from(Uint8Array.from({ length }, (_, index) => (index * 31) % 251))

async function proxyTo(server: Server | HttpServer): Promise<FaultProxy> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const proxy = await createFaultProxy({ target: { host: '127.0.0.1', port: portOf(server) } })
  cleanUps.push(
    () => {
      if ('closeAllConnections' in server) server.closeAllConnections()
      server.close()
    },
    () => proxy.close(),
  )
  return proxy
}

/** A client of any protocol, with all that it got. */
function dial(port: number): { socket: Socket; got: () => Buffer; ended: () => string | undefined } {
  const chunks: Buffer[] = []
  let ended: string | undefined
  const socket = connect({ port, host: '127.0.0.1' })
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.on('end', () => (ended ??= 'end'))
  socket.on('error', (error: Error & { code?: string }) => (ended ??= error.code))
  cleanUps.push(() => {
    socket.destroy()
  })
  return { socket, got: () => Buffer.concat(chunks), ended: () => ended }
}

describe('any protocol', () => {
  /** Gives back what it gets; notes it. */
  let received: Buffer[]
  let serverConnections: Set<Socket>
  let proxy: FaultProxy
  beforeEach(async () => {
    received = []
    serverConnections = new Set()
    const server = createServer((socket) => {
      serverConnections.add(socket)
      socket.on('close', () => serverConnections.delete(socket))
      socket.on('error', () => undefined)
      socket.on('data', (chunk: Buffer) => {
        received.push(chunk)
        socket.write(chunk)
      })
    })
    cleanUps.push(() => {
      for (const socket of serverConnections) socket.destroy()
    })
    proxy = await proxyTo(server)
  })
  const arrived = (): Buffer => Buffer.concat(received)

  test('bytes pass in both directions, and ends too', async () => {
    const { socket, got, ended } = dial(proxy.port)
    const bytes = bytesOf(3_000_000)
    socket.write(bytes)
    await expect.poll(() => got().length).toBe(bytes.length)
    expect(got().equals(bytes)).toBe(true)
    expect([proxy.openConnections(), proxy.struck()]).toEqual([1, 0])
    socket.end()
    await expect.poll(ended).toBe('end')
    await expect.poll(() => proxy.openConnections()).toBe(0)
    await expect.poll(() => serverConnections.size).toBe(0)
  })

  test('what begins like a request but is none passes as well', async () => {
    const { socket, got } = dial(proxy.port)
    socket.write('SSH-2.0-x\r\n')
    await expect.poll(() => got().toString()).toBe('SSH-2.0-x\r\n')
    const second = dial(proxy.port)
    second.socket.write('GET nothing\r\n\r\nmore')
    await expect.poll(() => second.got().toString()).toBe('GET nothing\r\n\r\nmore')
  })

  test('refuse: nothing listens, open connections are reset; afterwards the same port serves again', async () => {
    const open = dial(proxy.port)
    open.socket.write('1')
    await expect.poll(() => open.got().toString()).toBe('1')
    proxy.set({ kind: 'refuse' })
    await expect.poll(open.ended).toBe('ECONNRESET')
    const refused = dial(proxy.port)
    await expect.poll(refused.ended).toBe('ECONNREFUSED')
    proxy.set(undefined)
    const again = dial(proxy.port)
    again.socket.write('2')
    await expect.poll(() => again.got().toString()).toBe('2')
  })

  test('refuse a number of times: reset at once, and counted', async () => {
    proxy.set({ kind: 'refuse', times: 2 })
    const refused = [dial(proxy.port), dial(proxy.port)]
    for (const { ended } of refused) await expect.poll(ended).toBe('ECONNRESET')
    expect(proxy.struck()).toBe(2)
    const third = dial(proxy.port)
    third.socket.write('3')
    await expect.poll(() => third.got().toString()).toBe('3')
  })

  test('silence: accepted, and nothing is said, on new and on open connections', async () => {
    const open = dial(proxy.port)
    open.socket.write('1')
    await expect.poll(() => open.got().toString()).toBe('1')
    proxy.set({ kind: 'silence', times: 2 })
    const silent = dial(proxy.port)
    silent.socket.write('2')
    open.socket.write('3')
    await pause(100)
    expect([silent.got().length, open.got().toString(), arrived().toString()]).toEqual([0, '1', '1'])
    expect([silent.ended(), open.ended(), proxy.struck(), proxy.openConnections()]).toEqual([undefined, undefined, 2, 2])
    const third = dial(proxy.port)
    third.socket.write('4')
    await expect.poll(() => third.got().toString()).toBe('4')
    for (const { socket } of [silent, open]) socket.destroy()
    await expect.poll(() => proxy.openConnections()).toBe(1)
  })

  test('stall-upload: so many bytes arrive and no more; the client is held up; its going away is noticed', async () => {
    const { socket, ended } = dial(proxy.port)
    socket.write('before')
    await expect.poll(() => arrived().length).toBe(6)
    proxy.set({ kind: 'stall-upload', afterBytes: 1000 })
    const flushed = { all: false }
    socket.write(Buffer.alloc(30_000_000), () => (flushed.all = true))
    await expect.poll(() => arrived().length).toBe(1006)
    await pause(100)
    expect([arrived().length, flushed.all, ended(), proxy.struck(), proxy.openConnections()]).toEqual([1006, false, undefined, 1, 1])
    socket.destroy()
    await expect.poll(() => proxy.openConnections()).toBe(0)
    await expect.poll(() => serverConnections.size).toBe(0)
  })

  test('stall-download: so many bytes are given and no more; what is set next does not revive the connection', async () => {
    proxy.set({ kind: 'stall-download', afterBytes: 10, times: 1 })
    const { socket, got, ended } = dial(proxy.port)
    socket.write(bytesOf(100))
    await expect.poll(() => got().length).toBe(10)
    proxy.set(undefined)
    socket.write('more')
    await pause(60)
    expect([got().length, ended()]).toEqual([10, undefined])
    const other = dial(proxy.port)
    other.socket.write(bytesOf(100))
    await expect.poll(() => other.got().length).toBe(100)
    socket.destroy()
    await expect.poll(() => proxy.openConnections()).toBe(1)
  })

  test.each(['reset-upload', 'reset-download'] as const)('%s: the connection is reset after so many bytes', async (kind) => {
    proxy.set({ kind, afterBytes: 70_000, times: 1 })
    const { socket, got, ended } = dial(proxy.port)
    socket.write(bytesOf(200_000))
    await expect.poll(ended).toMatch(/ECONNRESET|EPIPE/)
    if (kind === 'reset-upload') expect(arrived().length).toBeLessThanOrEqual(70_000)
    else expect(got().length).toBeLessThanOrEqual(70_000)
    await expect.poll(() => serverConnections.size).toBe(0)
    const next = dial(proxy.port)
    next.socket.write(bytesOf(200_000))
    await expect.poll(() => next.got().length).toBe(200_000)
    expect(proxy.struck()).toBe(1)
  })

  test('cut-download: an orderly end after exactly so many bytes', async () => {
    proxy.set({ kind: 'cut-download', afterBytes: 70_000 })
    const { socket, got, ended } = dial(proxy.port)
    const bytes = bytesOf(200_000)
    socket.write(bytes.subarray(0, 100_000))
    await expect.poll(ended).toBe('end')
    expect(got().equals(bytes.subarray(0, 70_000))).toBe(true)
  })

  test.each(['flip-upload', 'flip-download'] as const)('%s: one bit of one byte differs', async (kind) => {
    proxy.set({ kind, afterBytes: 5000, times: 1 })
    const { socket, got } = dial(proxy.port)
    const bytes = bytesOf(20_000)
    socket.write(bytes)
    await expect.poll(() => got().length).toBe(bytes.length)
    const differing = [...got().entries()].filter(([index, byte]) => byte !== bytes[index])
    expect(differing).toEqual([[5000, (bytes[5000] ?? 0) ^ 0x10]])
    expect(arrived().equals(bytes)).toBe(kind === 'flip-download')
    socket.write(bytes)
    await expect.poll(() => got().length).toBe(2 * bytes.length)
    expect(got().subarray(20_000).equals(bytes)).toBe(true)
    expect(proxy.struck()).toBe(1)
  })

  test('slow: every byte comes, piece by piece', async () => {
    proxy.set({ kind: 'slow', bytesPerSecond: 20_000 })
    const { socket, got } = dial(proxy.port)
    const bytes = bytesOf(4000)
    const started = performance.now()
    socket.write(bytes)
    let pieces = 0
    socket.on('data', () => (pieces += 1))
    await expect.poll(() => got().length, { interval: 10 }).toBe(bytes.length)
    expect(performance.now() - started).toBeGreaterThan(180)
    expect(pieces).toBeGreaterThanOrEqual(5)
    expect([got().equals(bytes), proxy.struck()]).toEqual([true, 1])
    proxy.set(undefined)
    socket.write(bytesOf(4000))
    await expect.poll(() => got().length).toBe(8000)
  })

  test('a server that is not there resets the client', async () => {
    const nowhere = await createFaultProxy({ target: { host: '127.0.0.1', port: 1 } })
    cleanUps.push(() => nowhere.close())
    await expect.poll(dial(nowhere.port).ended).toBe('ECONNRESET')
  })
})

describe('HTTP', () => {
  let seen: string[]
  let proxy: FaultProxy
  let agent: Agent
  beforeEach(async () => {
    seen = []
    agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const server = createHttpServer((request, answer) => {
      const chunks: Buffer[] = []
      request.on('error', () => undefined)
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        seen.push(`${request.method} ${request.url} ${Buffer.concat(chunks).length}`)
        answer.end(`served ${request.url}`)
      })
    })
    proxy = await proxyTo(server)
    cleanUps.push(() => agent.destroy())
  })

  interface Sent {
    readonly method?: string
    readonly path?: string
    readonly body?: Buffer
    readonly headers?: Record<string, string>
  }
  type Got = readonly [status: number | undefined, body: string, headers: IncomingMessage['headers']]

  function send({ method = 'GET', path = '/', body, headers = {} }: Sent): Promise<Got> {
    return new Promise((resolve, reject) => {
      const request = httpRequest({ host: '127.0.0.1', port: proxy.port, agent, method, path, headers })
      request.on('error', reject)
      request.on('response', (answer) => {
        let text = ''
        answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
        answer.on('end', () => resolve([answer.statusCode, text, answer.headers]))
        answer.on('error', reject)
      })
      if (headers['expect'] === undefined) request.end(body)
      else {
        request.on('continue', () => request.end(body))
        request.flushHeaders()
      }
    })
  }
  const busy: NetworkFault = {
    kind: 'answer',
    status: 503,
    headers: { 'retry-after': '7' },
    body: '<Code>SlowDown</Code>',
    matching: /^PUT \/a/,
    times: 2,
  }

  test('matching requests are answered so often, in the place of the server, over one connection that goes on', async () => {
    proxy.set(busy)
    const bodies: readonly Sent[] = [
      { body: bytesOf(300_000), headers: { 'content-length': '300000' } },
      { body: bytesOf(100_000), headers: { 'transfer-encoding': 'chunked' } },
    ]
    for (const sent of bodies) {
      const [status, body, headers] = await send({ method: 'PUT', path: '/a', ...sent })
      expect([status, body, headers['retry-after']]).toEqual([503, '<Code>SlowDown</Code>', '7'])
      expect((await send({ path: '/a' }))[1]).toBe('served /a')
    }
    for (const sent of bodies) expect((await send({ method: 'PUT', path: '/a', ...sent }))[0]).toBe(200)
    expect(seen).toEqual(['GET /a 0', 'GET /a 0', 'PUT /a 300000', 'PUT /a 100000'])
    expect([proxy.struck(), proxy.openConnections()]).toEqual([2, 1])
  })

  test('a client that waits for leave to send its body gets the answer at once; otherwise its leave from the server', async () => {
    proxy.set({ ...busy, times: 1 })
    const sent: Sent = { method: 'PUT', path: '/a', body: bytesOf(5000), headers: { expect: '100-continue', 'content-length': '5000' } }
    expect((await send(sent))[0]).toBe(503)
    expect((await send(sent))[0]).toBe(200)
    expect(seen).toEqual(['PUT /a 5000'])
  })

  test('every request is answered without an expression; the answer to HEAD has no body', async () => {
    proxy.set({ kind: 'answer', status: 429, body: 'slow down' })
    expect((await send({}))[1]).toBe('slow down')
    const [status, body, headers] = await send({ method: 'HEAD' })
    expect([status, body, headers['content-length']]).toEqual([429, '', '9'])
    expect([seen, proxy.struck(), proxy.openConnections()]).toEqual([[], 2, 1])
  })

  test('lose-answer: the request is served, its answer never comes', async () => {
    proxy.set({ kind: 'lose-answer', matching: /^PUT /, times: 1 })
    expect((await send({ path: '/before' }))[0]).toBe(200)
    const lost = send({ method: 'PUT', path: '/a', body: bytesOf(5000), headers: { expect: '100-continue', 'content-length': '5000' } })
    await expect.poll(() => seen.at(-1)).toBe('PUT /a 5000')
    await pause(50)
    expect([proxy.struck(), proxy.openConnections()]).toEqual([1, 1])
    agent.destroy()
    await expect(lost).rejects.toMatchObject({ code: 'ECONNRESET' })
    await expect.poll(() => proxy.openConnections()).toBe(0)
    expect((await send({ method: 'PUT', path: '/b' }))[0]).toBe(200)
  })

  test('an answer may lie about its length and end the connection', async () => {
    proxy.set({ kind: 'answer', status: 200, headers: { 'content-length': '100', connection: 'close' }, body: 'short' })
    await expect(send({})).rejects.toMatchObject({ code: 'ECONNRESET' })
  })

  test('heads in pieces, trailers and bodies that look like requests are followed', async () => {
    proxy.set({ kind: 'answer', status: 503, matching: /^GET \/second/ })
    const { socket, got } = dial(proxy.port)
    const sent = [
      'PO',
      'ST /first HTTP/1.1\r\nHost: x\r\nTransfer-Enc',
      'oding: chunked\r\n\r',
      '\n1',
      '4;name=value\r\nGET /second HTTP/1.1\r',
      '\n0\r\nTrailer: x\r\n',
      '\r\nGET /second HTTP/1.1\r\nHost: x\r\n\r\nGET /third HTTP/1.1\r\nHost: x\r\n\r\n',
    ]
    for (const piece of sent) {
      socket.write(piece)
      await pause(10)
    }
    await expect.poll(() => seen.length).toBe(2)
    expect(seen).toEqual(['POST /first 20', 'GET /third 0'])
    expect(got().toString()).toContain('HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n')
  })
})
