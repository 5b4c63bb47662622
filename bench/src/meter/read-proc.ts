/** The files of proc(5) at this moment. Processes may end at any time: what is gone reads as undefined. */
import { readFileSync, readdirSync } from 'node:fs'
import { parseBusyTicks, parseLoad, parsePeakResident, parseProcessStat, TICK_MS, type ProcessTimes } from './proc-files.ts'

export function busyMs(): number {
  return parseBusyTicks(readFileSync('/proc/stat', 'utf8')) * TICK_MS
}

export function loadNow(): number {
  return parseLoad(readFileSync('/proc/loadavg', 'utf8'))
}

/** Direct children that the main thread of a process started. */
export function childrenOf(pid: number): readonly number[] {
  const text = readIfThere(`/proc/${pid}/task/${pid}/children`)
  return text === undefined || text.trim() === '' ? [] : text.trim().split(' ').map(Number)
}

/** Bytes, 0 when the process is gone. */
export function peakResident(pid: number): number {
  return parsePeakResident(readIfThere(`/proc/${pid}/status`) ?? '')
}

/**
 * CPU time of a server so far: the postmaster, its children that are alive, and those that have ended (which the
 * postmaster waited for). Only differences of two readings mean something.
 */
export function serverCpuMs(postmaster: number): number {
  let ticks = 0
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const times = timesOf(Number(name))
    if (times?.parent === postmaster) ticks += times.ownTicks + times.childTicks
    else if (Number(name) === postmaster && times !== undefined) ticks += times.ownTicks + times.childTicks
  }
  return ticks * TICK_MS
}

function timesOf(pid: number): ProcessTimes | undefined {
  const text = readIfThere(`/proc/${pid}/stat`)
  return text === undefined || text === '' ? undefined : parseProcessStat(text)
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
