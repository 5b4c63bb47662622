// By path: the test kit depends on this package.
import { createFaultProxy } from '../../../../tools/testkit/src/fault-proxy.ts'
import { createByteBudget, sleepOrAbort, type ObjectStore } from '../../src/index.ts'
import type { FaultCaseLimits, NetworkFixture } from '../../src/conformance.ts'
import { createHttpObjectStore, type Defect } from './http-object-store.ts'
import { startObjectServer } from './http-object-server.ts'

/** A server, a network in front of it, and stores over both. */
export interface OpenedFixture extends NetworkFixture {
  close(): Promise<void>
}

export const realSleep = (ms: number, signal?: AbortSignal): Promise<void> =>
  sleepOrAbort(
    (wait, ends) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(resolve, wait)
        ends?.addEventListener('abort', () => {
          clearTimeout(timer)
          reject(new Error('ended'))
        })
      }),
    ms,
    signal,
  )

export async function openHttpFixture(partBytes: number, defects: readonly Defect[] = []): Promise<OpenedFixture> {
  const server = await startObjectServer()
  const target = { host: '127.0.0.1', port: server.port }
  const network = await createFaultProxy({ target })
  const budget = createByteBudget(16 * partBytes)
  const store = (place: { readonly host: string; readonly port: number }, limits: FaultCaseLimits, wrong: readonly Defect[]): ObjectStore =>
    createHttpObjectStore({
      ...place,
      ...limits,
      partBytes,
      budget,
      defects: wrong,
      now: () => new Date(),
      sleep: realSleep,
      randomHex: (digits) => '0'.repeat(digits),
    })
  const plain: FaultCaseLimits = {
    connectTimeoutMs: 10_000,
    idleTimeoutMs: 10_000,
    maxAttempts: 1,
    retry: { maxAttempts: 1, baseDelayMs: 1, maxDelayMs: 1, random: () => 0.5, sleep: realSleep },
  }
  const direct = store(target, plain, [])
  return {
    network,
    http: true,
    partBytes,
    requests: {
      whole: /^PUT \/[^?]* /,
      part: /^PUT .*[?&]part=/,
      complete: /^POST .*[?]complete=/,
      get: /^GET \/[^?]/,
      delete: /^DELETE \/[^?]* /,
    },
    direct,
    open: async (limits) => store({ host: '127.0.0.1', port: network.port }, limits, defects),
    openUnresolvable: async (limits) => store({ host: 'storage.invalid', port: 80 }, limits, defects),
    leftovers: async (prefix) => [...server.uploads.values()].filter(({ key }) => key.startsWith(prefix)).length,
    async close() {
      await direct[Symbol.asyncDispose]()
      await network.close()
      server.close()
    },
  }
}
