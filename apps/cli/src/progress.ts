import { formatBytes, formatDuration } from './format-amount.ts'
import type { Log } from './log.ts'
import type { Screen } from './screen.ts'

/** Long work as people see it: a line that redraws itself on a terminal, a log line every few seconds elsewhere. */
export interface Progress {
  /** Starts or changes the phase: 'reading', 'uploading', 'waiting for WAL'. `totalBytes` undefined when it is not known. */
  phase(name: string, totalBytes?: number): void
  /** Bytes done in this phase so far. */
  update(doneBytes: number): void
  /** A note that stays visible, such as what is being waited for. */
  note(text: string): void
  /** Clears the line. */
  finish(): void
}

/** What progress is shown with. */
export interface ProgressParts {
  readonly screen: Screen
  readonly log: Log
  readonly now: () => Date
  /** Calls back again and again until the returned function is called; keeps no process alive. */
  readonly every: (intervalMs: number, call: () => void) => () => void
}

const DRAW_EVERY_MS = 100
const LOG_EVERY_MS = 5000
/** The rate is that of the last few seconds, so that a stall shows. */
const RATE_WINDOW_MS = 10_000

interface Phase {
  readonly name: string
  readonly totalBytes: number | undefined
  readonly startedMs: number
  doneBytes: number
  /** Points of the rate window, oldest first. */
  samples: { readonly atMs: number; readonly bytes: number }[]
}

/** Makes the progress of one command. Nothing is shown before the first phase. */
export function createProgress(parts: ProgressParts): Progress {
  const { screen, log, now } = parts
  const intervalMs = screen.interactive ? DRAW_EVERY_MS : LOG_EVERY_MS
  let current: Phase | undefined
  let shownMs = 0
  let stop: (() => void) | undefined

  const show = (force: boolean): void => {
    if (current === undefined) return
    const atMs = now().getTime()
    if (!force && atMs - shownMs < intervalMs) return
    shownMs = atMs
    addSample(current, atMs)
    const text = progressText(current, atMs)
    if (screen.interactive) screen.status(text)
    else log.info(text)
  }
  return {
    phase(name, totalBytes) {
      const startedMs = now().getTime()
      // The same phase again has learnt its total, and goes on.
      const before = current?.name === name ? current : { startedMs, doneBytes: 0, samples: [{ atMs: startedMs, bytes: 0 }] }
      current = { ...before, name, totalBytes }
      stop ??= parts.every(screen.interactive ? DRAW_EVERY_MS : 1000, () => show(false))
      if (screen.interactive) show(true)
      else shownMs = startedMs
    },
    update(doneBytes) {
      if (current === undefined) return
      current.doneBytes = doneBytes
      show(false)
    },
    note: (text) => log.info(text),
    finish() {
      stop?.()
      stop = undefined
      current = undefined
      screen.status('')
    },
  }
}

function addSample(phase: Phase, atMs: number): void {
  phase.samples.push({ atMs, bytes: phase.doneBytes })
  while (phase.samples.length > 2 && atMs - (phase.samples[0]?.atMs ?? atMs) > RATE_WINDOW_MS) phase.samples.shift()
}

/** `uploading 1.2 GiB of 3.4 GiB (35%), 120 MiB/s, 0:18 left`; what is not known is left out. */
function progressText(phase: Phase, atMs: number): string {
  const elapsedMs = atMs - phase.startedMs
  const { doneBytes, totalBytes } = phase
  if (doneBytes === 0 && totalBytes === undefined) return `${phase.name}, ${formatDuration(elapsedMs)}`
  const rate = bytesPerSecond(phase)
  const parts = [rate > 0 ? `${formatBytes(rate)}/s` : 'no data for a while']
  if (elapsedMs < 1000 && rate <= 0) parts.pop()
  if (totalBytes === undefined || totalBytes <= 0) return [`${phase.name} ${formatBytes(doneBytes)}`, ...parts].join(', ')
  const percent = Math.min(100, Math.floor((doneBytes / totalBytes) * 100))
  if (rate > 0 && doneBytes < totalBytes) parts.push(`${formatDuration(((totalBytes - doneBytes) / rate) * 1000)} left`)
  return [`${phase.name} ${formatBytes(doneBytes)} of ${formatBytes(totalBytes)} (${percent}%)`, ...parts].join(', ')
}

function bytesPerSecond(phase: Phase): number {
  const first = phase.samples[0]
  const last = phase.samples.at(-1)
  if (first === undefined || last === undefined || last.atMs <= first.atMs) return 0
  return ((last.bytes - first.bytes) / (last.atMs - first.atMs)) * 1000
}
