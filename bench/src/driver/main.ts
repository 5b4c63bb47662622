/** Runs one job (JSON in the first argument) and prints what it took. Started by the harness, with `--conditions=source`. */
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { createBlockPool, giveBack } from '@waltz/bytes'
import { parsePeakResident } from '../meter/proc-files.ts'
import { formatReport, type DriverJob } from './job.ts'
import { openStage, type OpenedStage } from './stages.ts'

/** How long the stage works before the clock starts: a shorter time would be about the compiler of the runtime. */
const WARM_MS = 1000

const job = JSON.parse(process.argv[2] ?? '') as DriverJob
const stage = await openStage(job)
if (job.warm) await warmUp(stage, job)
process.stdout.write(formatReport(await run(stage, job)))

async function run(stage: OpenedStage, job: DriverJob): Promise<Parameters<typeof formatReport>[0]> {
  const sink = openSync(job.output ?? '/dev/null', 'w')
  const baseRssBytes = residentFromNowOn()
  const cpu = process.cpuUsage()
  const began = performance.now()
  const sums = await Promise.all(Array.from({ length: job.streams }, () => through(stage, job, (chunk) => writeWhole(sink, chunk))))
  const wallMs = performance.now() - began
  const { user, system } = process.cpuUsage(cpu)
  const peakRssBytes = parsePeakResident(readFileSync('/proc/self/status', 'utf8'))
  closeSync(sink)
  const [bytesIn, bytesOut] = [sums.reduce((sum, { into }) => sum + into, 0), sums.reduce((sum, { out }) => sum + out, 0)]
  return { wallMs, cpuMs: (user + system) / 1000, baseRssBytes, peakRssBytes, bytesIn, bytesOut }
}

/** Makes Linux forget the peak so far; what is resident now. */
function residentFromNowOn(): number {
  writeFileSync('/proc/self/clear_refs', '5')
  return parsePeakResident(readFileSync('/proc/self/status', 'utf8'))
}

function writeWhole(sink: number, chunk: Uint8Array): void {
  for (let at = 0; at < chunk.length;) at += writeSync(sink, chunk, at)
}

async function through(
  stage: OpenedStage,
  job: DriverJob,
  write: (chunk: Uint8Array) => void,
): Promise<{ readonly into: number; readonly out: number }> {
  const sums = { into: 0, out: 0 }
  for await (const chunk of stage.run(readInput(job, sums, stage.chunkBytes))) {
    sums.out += chunk.length
    write(chunk)
    giveBack(chunk)
  }
  return sums
}

async function warmUp(stage: OpenedStage, job: DriverJob): Promise<void> {
  const end = performance.now() + WARM_MS
  let worked = true
  while (worked && performance.now() < end) {
    worked = false
    for await (const chunk of stage.run(readInput(job, { into: 0 }, stage.chunkBytes))) {
      worked = chunk.length > 0
      giveBack(chunk)
      if (performance.now() >= end) break
    }
  }
}

/** The input, a chunk read ahead while the stage works, in lent chunks: as the stores and the reader of data files do it. */
async function* readInput(job: DriverJob, sums: { into: number }, chunkBytes: number): AsyncGenerator<Uint8Array, void, undefined> {
  const pool = createBlockPool(chunkBytes)
  const handle = await open(job.input)
  try {
    const { size } = await handle.stat()
    const total = size === 0 ? 0 : (job.bytes ?? size)
    if (total === 0) return
    const read = async (offset: number): Promise<Uint8Array> => {
      const chunk = pool.take()
      const wanted = Math.min(chunk.length, total - offset, size - (offset % size))
      const { bytesRead } = await handle.read(chunk, 0, wanted, offset % size)
      if (bytesRead !== wanted) throw new Error(`${job.input} has become shorter`)
      return wanted === chunk.length ? chunk : chunk.subarray(0, wanted)
    }
    let ahead = read(0)
    while (sums.into < total) {
      const chunk = await ahead
      sums.into += chunk.length
      if (sums.into < total) ahead = read(sums.into)
      yield chunk
    }
  } finally {
    await handle.close()
  }
}
