import type { ProbeAdvice, ProbeAnswer, ProbeCheck, ProbeContext } from './probe.ts'
import { limited, median, noise, ok, rate, textSource } from './probe-support.ts'

const ROUNDS = 9
const SLOW_MS = 1_000
/** More transfers at once must gain at least this much to be worth their memory. */
const WORTH_IT = 1.15

/** How fast the storage is from here. */
export const speedChecks: readonly ProbeCheck[] = [
  latency('latency-put', 'time to store a small object', ({ store, at, call }) => store.put(at('latency'), textSource('x'), call)),
  latency('latency-head', 'time to ask for an object', ({ store, at, call }) => store.head(at('latency'), call)),
  latency('latency-get', 'time to read a small object', async ({ store, at, call }) => {
    for await (const chunk of await store.get(at('latency'), call)) if (chunk.length === 0) break
  }),
  throughput('throughput-up', 'upload', 'WALG_UPLOAD_DISK_CONCURRENCY', async ({ store, at, call, largeBytes }, lane) => {
    await store.put(at(`speed/${lane}`), noise(largeBytes, lane + 100), { ...call, size: largeBytes })
  }),
  throughput('throughput-down', 'download', 'WALG_DOWNLOAD_CONCURRENCY', async ({ store, at, call }, lane) => {
    await using body = await store.get(at(`speed/${lane}`), call)
    for await (const chunk of body) if (chunk.length === 0) break
  }),
]

function latency(id: string, title: string, run: (context: ProbeContext) => Promise<unknown>): ProbeCheck {
  return {
    id,
    title,
    run: async (context) => {
      const times: number[] = []
      for (let round = 0; round < ROUNDS; round += 1) {
        const startedAt = context.clock()
        await run(context)
        times.push(context.clock() - startedAt)
      }
      const middle = median(times)
      const detail = `${middle.toFixed(1)} ms (median of ${ROUNDS})`
      return middle > SLOW_MS ? limited(`${detail}: small objects will take long`) : ok(detail)
    },
  }
}

function throughput(
  id: string,
  what: string,
  setting: string,
  transfer: (context: ProbeContext, lane: number) => Promise<void>,
): ProbeCheck {
  return {
    id,
    title: `${what} by the number of transfers at once`,
    run: async (context) => {
      const found: { lanes: number; ms: number; bytes: number }[] = []
      for (const lanes of context.concurrencies) {
        const startedAt = context.clock()
        await Promise.all(Array.from({ length: lanes }, (_, lane) => transfer(context, lane)))
        found.push({ lanes, ms: context.clock() - startedAt, bytes: lanes * context.largeBytes })
      }
      return summarise(found, setting)
    },
  }
}

function summarise(
  found: readonly { readonly lanes: number; readonly ms: number; readonly bytes: number }[],
  setting: string,
): ProbeAnswer {
  const speed = ({ bytes, ms }: { readonly bytes: number; readonly ms: number }): number => bytes / Math.max(ms, 0.001)
  let best = found[0]
  for (const one of found) if (best === undefined || speed(one) > speed(best) * WORTH_IT) best = one
  const detail = found.map((one) => `${one.lanes}: ${rate(one.bytes, one.ms)}`).join(', ')
  if (best === undefined) return ok('nothing was tried')
  const advice: ProbeAdvice = {
    setting,
    value: String(best.lanes),
    why: `${rate(best.bytes, best.ms)} with ${best.lanes} at once; more gain less than a sixth`,
  }
  return { ...ok(detail), recommends: [advice] }
}
