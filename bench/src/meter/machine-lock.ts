/** One heavy program at a time on a machine that several people use: flock(1) on a file that all of them know. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'

/** A lock that is held for a while and then offered to others. */
export interface MachineLock {
  /** Between two pieces of work: has the lock when it is done. @throws Error when the lock cannot be had, or the signal comes first. */
  turn(signal?: AbortSignal): Promise<void>
  release(): Promise<void>
}

/** How long others may have to wait, as long as no piece of work takes longer by itself. */
const SLICE_MS = 45_000

/** The lock of a file; without one there is nothing to wait for. */
export function createMachineLock(file: string | undefined, sliceMs: number = SLICE_MS): MachineLock {
  let holder: { readonly child: ChildProcess; readonly gone: Promise<unknown>; readonly sinceMs: number } | undefined
  const release = async (): Promise<void> => {
    const held = holder
    holder = undefined
    held?.child.stdin?.end()
    await held?.gone
  }
  return {
    release,
    async turn(signal) {
      if (file === undefined || (holder !== undefined && performance.now() - holder.sinceMs < sliceMs)) return
      await release()
      // It says when it has the lock, and ends with its input.
      const child = spawn('flock', [file, 'sh', '-c', 'echo; cat'], { stdio: ['pipe', 'pipe', 'inherit'] })
      const stop = (): void => void child.kill()
      signal?.addEventListener('abort', stop)
      const gone = once(child, 'close')
      const locked = await Promise.race([once(child.stdout, 'data').then(() => true), gone.then(() => false)])
      signal?.removeEventListener('abort', stop)
      if (!locked) throw new Error(`${file} cannot be locked`)
      holder = { child, gone, sinceMs: performance.now() }
    },
  }
}
