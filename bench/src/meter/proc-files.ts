/** Reads what Linux says of processes and of the machine (proc(5)). Times are in ticks of a hundredth of a second. */

/** Milliseconds of one tick: USER_HZ is 100 on every Linux of x64. */
export const TICK_MS = 10

export interface ProcessTimes {
  readonly parent: number
  /** user and system time of the process itself */
  readonly ownTicks: number
  /** of its children that ended and were waited for */
  readonly childTicks: number
}

/** Reads `/proc/PID/stat`. The name in parentheses may hold anything, spaces and parentheses included. */
export function parseProcessStat(text: string): ProcessTimes {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const ticks = (first: number): number => Number(fields[first - 3]) + Number(fields[first - 2])
  const times = { parent: Number(fields[1]), ownTicks: ticks(14), childTicks: ticks(16) }
  if (Object.values(times).some((value) => !Number.isFinite(value))) throw new Error(`not a stat file: ${text}`)
  return times
}

/** Busy ticks of all cores out of `/proc/stat`: everything but idle and waiting for disks; guests are part of user time. */
export function parseBusyTicks(text: string): number {
  const [, user, nice, system, , , irq, softIrq, steal] = (/^cpu .*$/m.exec(text)?.[0] ?? '').split(/\s+/).map(Number)
  const busy = [user, nice, system, irq, softIrq, steal].reduce<number>((sum, ticks) => sum + (ticks ?? Number.NaN), 0)
  if (!Number.isFinite(busy)) throw new Error('/proc/stat has no line for all cores')
  return busy
}

/** Load average of one minute out of `/proc/loadavg`. */
export function parseLoad(text: string): number {
  return Number(text.split(' ')[0])
}

/** `VmHWM` of `/proc/PID/status` in bytes: the most that was resident so far. 0 for a process that is ending. */
export function parsePeakResident(text: string): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1024
}
