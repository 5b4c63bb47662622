/** Interleaved rounds: in each round every peer once, beginning with another one each time. */
import { syncAll } from './files.ts'
import { measure } from './meter/measure.ts'
import type { Action, Bench, Cell, Remark, ResultRow, Sample, Workload } from './model.ts'
import { formatMiB, formatMs } from './report/units.ts'
import { isDisturbed, lessDisturbed, rotated } from './statistics.ts'

interface Track {
  readonly cell: Cell
  readonly samples: Sample[]
  storedBytes: number | undefined
  checked: boolean
  failed: boolean
}

export interface WorkloadResult {
  readonly rows: readonly ResultRow[]
  readonly remarks: readonly Remark[]
}

/** Says how far a workload has come, from 0 to 1. */
export type Advance = (done: number, text: string) => void

/** Measures all cells of a workload. A cell that fails is taken out and told of; the others go on. */
export async function runWorkload(bench: Bench, workload: Workload, advance: Advance): Promise<WorkloadResult> {
  const open = await workload.open(bench)
  const remarks: Remark[] = []
  const tracks = open.cells.map((cell): Track => ({ cell, samples: [], storedBytes: undefined, checked: false, failed: false }))
  try {
    const rounds = workload.warmUps + workload.rounds
    for (let round = 0; round < rounds; round++) {
      for (const [index, track] of rotated(tracks, round).entries()) {
        bench.signal.throwIfAborted()
        if (track.failed) continue
        const place = round < workload.warmUps ? 'warm-up' : `round ${round - workload.warmUps + 1} of ${workload.rounds}`
        advance((round + index / tracks.length) / rounds, `${place}: ${track.cell.peer}`)
        try {
          const sample = await runOnce(track, open.server, { patience: bench.options.patience, diskless: workload.diskless === true })
          if (round >= workload.warmUps) track.samples.push(sample)
        } catch (error) {
          bench.signal.throwIfAborted()
          track.failed = true
          const text = error instanceof Error ? error.message : String(error)
          remarks.push({ workload: workload.title, peer: track.cell.peer, text, failure: true })
          bench.progress.say(`FAILED: ${track.cell.peer}: ${text}`)
        }
      }
    }
  } finally {
    await open.close()
  }
  const { suite, operation, codec, bytes, content, compact, title, against } = workload
  const some = { ...(codec && { codec }), ...(bytes && { bytes }), ...(content && { content }), ...(compact && { compact }) }
  const facts = { suite, operation, title, against, ...some }
  const rows = tracks
    .filter((track) => !track.failed)
    .map(({ cell, samples, storedBytes }): ResultRow => ({
      ...facts,
      peer: cell.peer,
      samples,
      storedBytes,
      ...(cell.action.requests && { requests: cell.action.requests }),
    }))
  return { rows, remarks }
}

type Server = Awaited<ReturnType<Workload['open']>>['server']

async function runOnce(track: Track, server: Server, options: { readonly patience: number; readonly diskless: boolean }): Promise<Sample> {
  const { action } = track.cell
  await action.prepare()
  // Nobody begins with what is left of another's checkpoint, or with another's dirty pages.
  if (server?.isRunning() === true) await server.query('checkpoint')
  if (!options.diskless) syncAll()
  const once = async (): Promise<Sample> => withoutStart(await measure(action.command, server?.pid()), action.start)
  let sample = await once()
  for (let left = options.patience; left > 0 && isDisturbed(sample); left -= 1) {
    await action.prepare()
    sample = lessDisturbed(sample, await once())
  }
  if (!track.checked) {
    await action.check?.()
    track.storedBytes = action.stored?.()
    track.checked = true
  }
  return sample
}

function withoutStart(sample: Sample, start: Action['start']): Sample {
  if (start === undefined) return sample
  return { ...sample, wallMs: Math.max(0, sample.wallMs - start.wallMs), cpuMs: Math.max(0, sample.cpuMs - start.cpuMs) }
}

/** One line about one row, for whoever watches. */
export function shortLine(row: ResultRow): string {
  const least = (key: 'wallMs' | 'cpuMs'): number => Math.min(...row.samples.map((sample) => sample[key]))
  const peak = Math.max(...row.samples.map((sample) => sample.peakRssBytes))
  return `    ${row.peer.padEnd(20)} ${formatMs(least('wallMs')).padStart(9)}  cpu ${formatMs(least('cpuMs')).padStart(9)}  ${formatMiB(peak).padStart(8)}`
}
