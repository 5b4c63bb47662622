import { createServer, get, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { createHttpAgents, type HttpAgents } from '../src/index.ts'

const MIB = 1_048_576
const open: (() => void)[] = []
afterEach(() => {
  for (const close of open.splice(0)) close()
})

async function start(server: Server): Promise<{ url: (path: string) => URL; agents: HttpAgents; sockets: Socket[] }> {
  const sockets: Socket[] = []
  server.on('connection', (socket) => sockets.push(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = (path: string): URL => new URL(path, `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const agents = await createHttpAgents({ target: url('/') })
  open.push(() => {
    agents.destroy()
    server.closeAllConnections()
    server.close()
  })
  return { url, agents, sockets }
}

const answerTo = (url: URL, { http: agent }: HttpAgents): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => get(url, { agent }, resolve).on('error', reject))

/** Bytes that tell where they belong. */
function patterned(bytes: number, first: number): Buffer {
  const all = Buffer.alloc(bytes)
  for (let offset = 0; offset < bytes; offset += 4) all.writeUInt32LE((first + offset) >>> 0, offset)
  return all
}

describe('connections that receive into one buffer', () => {
  it('keep the bytes of answers apart, kept for long or read slowly', async () => {
    const server = createServer(({ url = '' }, answer) => answer.end(patterned(8 * MIB, Number(url.slice(1)) * 99_991)))
    const { url, agents, sockets } = await start(server)
    const read = async (number: number): Promise<boolean> => {
      const chunks: Buffer[] = []
      for await (const chunk of await answerTo(url(`/${number}`), agents)) {
        chunks.push(chunk as Buffer) // looked at only when more has come through the same buffer
        if (chunks.length % 8 === number) await delay(1)
      }
      return Buffer.concat(chunks).equals(patterned(8 * MIB, number * 99_991))
    }
    expect(await Promise.all([read(1), read(2), read(3)])).toEqual([true, true, true])
    expect(await Promise.all([read(4), read(5), read(6)])).toEqual([true, true, true])
    expect(sockets.length).toBe(3)
  })

  it('stop receiving while nobody reads', async () => {
    const body = patterned(64 * MIB, 7)
    const { url, agents, sockets } = await start(createServer((_request, answer) => answer.end(body)))
    const answer = await answerTo(url('/'), agents)
    const chunks = answer[Symbol.asyncIterator]() as AsyncIterator<Buffer>
    await chunks.next()
    await delay(200)
    const socket = answer.socket
    expect(socket.bytesRead).toBeLessThan(4 * MIB)
    expect(sockets.length).toBe(1)
    let bytes = 0
    for (let step = await chunks.next(); step.done !== true; step = await chunks.next()) bytes += step.value.length
    expect(bytes).toBeGreaterThan(60 * MIB)
  })

  it('are closed when something comes that nobody asked for', async () => {
    const { url, agents, sockets } = await start(createServer((_request, answer) => answer.end('asked')))
    const read = async (): Promise<string> => {
      let text = ''
      for await (const chunk of await answerTo(url('/'), agents)) text += String(chunk)
      return text
    }
    expect(await read()).toBe('asked')
    sockets[0]?.write('HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nunasked')
    await expect.poll(() => sockets[0]?.destroyed).toBe(true)
    expect(await read()).toBe('asked')
    expect(sockets.length).toBe(2)
  })

  it('end a body that was cut off with an error', async () => {
    const server = createServer((_request, answer) => {
      answer.writeHead(200, { 'content-length': 10 })
      answer.write('12345', () => answer.destroy())
    })
    const { url, agents } = await start(server)
    const answer = await answerTo(url('/'), agents)
    await expect(answer.toArray()).rejects.toMatchObject({ code: 'ECONNRESET' })
  })
})
