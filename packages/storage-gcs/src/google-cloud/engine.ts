import { PassThroughClient } from 'google-auth-library'
import { optionsFault, requestRefusedFault } from '@waltz/storage'
import { collectChunks } from '../arrived-chunks.ts'
import type { Engine, EngineSurroundings, MediaCall, PageQuery, WriteCall, Written } from '../engine.ts'
import type { HttpAnswer } from '../http-call.ts'
import { readArrived } from '../read-arrived.ts'
import { clientFor, type RunClient } from './client.ts'
import { runOperation, type OperationCall } from './operation.ts'
import { putToSession } from './put-to-session.ts'
import { writeAll } from './write-all.ts'

/**
 * The JSON API by Google's client, `@google-cloud/storage`, whose classes make every request, over the store's connections. Tokens, names, conditions,
 * checksums and the order of pieces are the store's, as with its own requests.
 */
export function createGoogleCloudEngine(around: EngineSurroundings): Engine {
  const auth = new PassThroughClient() // tokens are the store's
  const run: RunClient = (call, work) => {
    const { headers = {} } = call
    return runOperation(around, call, (operation) => work(clientFor(auth, around, { operation, call, headers }), operation))
  }
  return {
    describe: async (call) => (await run(call, async ({ file }) => (await file(call.key).getMetadata())[0])).value,
    openMedia: (call) => openMedia(run, call),
    listPage: (query, call) => listPage(run, query, call),
    async remove({ key, generation, ifGeneration, doing, signal }) {
      const condition = ifGeneration === undefined ? {} : { ifGenerationMatch: ifGeneration }
      const alsoFine = ifGeneration === undefined ? [] : [412]
      const { status } = await run({ key, doing, signal, alsoFine }, async ({ file }) => await file(key, generation).delete(condition))
      return status < 300
    },
    async rewrite(call) {
      await run(call, async ({ file }) => await file(call.key).copy(file(call.to)))
    },
    storeWhole: (call) => storeWhole(run, call),
    beginSession: (call) => beginSession(run, around.bucket.location, call),
    putToSession: (call) => putToSession(run, around.endpoint, call),
    async endSession({ session, doing }) {
      const uri = around.endpoint + session.pathname + session.search
      await run({ doing, signal: undefined, alsoFine: [404, 410, 499] }, ({ request }) => request({ method: 'DELETE', uri }))
    },
    compose: async () => {
      throw optionsFault('the engine google-cloud stores no pieces in parallel') // refused before, with the options
    },
  }
}

async function openMedia(run: RunClient, call: MediaCall): Promise<HttpAnswer> {
  const { key, range, generation, doing, signal } = call
  const whole = range.start === 0 && range.end === undefined
  const part = whole ? {} : { start: range.start, ...(range.end === undefined ? {} : { end: range.end - 1 }) }
  const { status, headers, value } = await run({ key, doing, signal, alsoFine: [416] }, async ({ file }, operation) => {
    // The store compares checksums itself.
    const stream = file(key, generation).createReadStream({ ...part, decompress: false, validation: false })
    const arrived = collectChunks(stream)
    await new Promise((resolve, reject) => stream.once('response', resolve).once('error', reject))
    operation.keep()
    return { stream, arrived, operation }
  })
  if (value === undefined) return { status, headers, read: async function* () {}, close: () => undefined }
  const { stream, arrived, operation } = value
  const breakOff = (why: Error): void => {
    operation.breakOff(why)
    stream.destroy(why)
  }
  const close = (): void => {
    operation.end()
    stream.destroy()
  }
  return { status, headers, read: () => readArrived(operation.line, call, { arrived, breakOff, close }), close }
}

async function listPage(run: RunClient, query: PageQuery, call: OperationCall): Promise<unknown> {
  const given = Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined))
  return (await run(call, async ({ bucket }) => (await bucket.getFiles({ ...given, autoPaginate: false }))[2])).value
}

async function storeWhole(run: RunClient, call: WriteCall & { readonly body: Uint8Array }): Promise<Written<unknown>> {
  const { key, description, ifGeneration, body, doing, signal } = call
  const { value } = await run({ key, doing, signal, alsoFine: [412] }, async ({ file: fileOf }) => {
    const file = fileOf(key)
    const stream = file.createWriteStream({
      resumable: false,
      validation: false, // the checksum is in the description
      metadata: { ...description },
      ...condition(ifGeneration),
    })
    await writeAll(stream, body, signal)
    return file.metadata
  })
  return { written: value }
}

async function beginSession(
  run: RunClient,
  location: string,
  call: WriteCall & { readonly size: number | undefined },
): Promise<Written<URL>> {
  const { key, description, ifGeneration, size, doing, signal } = call
  const metadata = { ...description, ...(size === undefined ? {} : { contentLength: size }) }
  const { value, status } = await run({ key, doing, signal, alsoFine: [412] }, async ({ file }) => {
    const [address] = await file(key).createResumableUpload({ metadata, ...condition(ifGeneration) })
    return URL.parse(address)
  })
  if (status === 412) return { written: undefined }
  if (value !== null && value !== undefined) return { written: value }
  throw requestRefusedFault({ doing, location, answer: 'the answer names no upload session' })
}

function condition(ifGeneration: string | undefined): { preconditionOpts?: { ifGenerationMatch: string } } {
  return ifGeneration === undefined ? {} : { preconditionOpts: { ifGenerationMatch: ifGeneration } }
}
