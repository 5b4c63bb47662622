import { writeSync } from 'node:fs'

const WAIT_MS = 5

/**
 * A function that writes text or bytes to an open file descriptor before it returns, and tells whether anybody still takes them: a Node stream would load the network code
 * for a pipe, and may hold lines that are lost when the process ends. A reader that is slow is waited for; one that went
 * away (`waltz backup-list | head -1`) changes nothing about the work. Any other failure is told to `onError`, once.
 */
export function createTextWriter(
  descriptor: number,
  onError: (error: NodeJS.ErrnoException) => void,
): (text: string | Uint8Array) => boolean {
  let usable = true
  return (text) => {
    let rest = typeof text === 'string' ? Buffer.from(text, 'utf8') : text
    while (usable && rest.length > 0) {
      try {
        rest = rest.subarray(writeSync(descriptor, rest))
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        if (code === 'EAGAIN') waitShortly()
        else {
          usable = false
          if (code !== 'EPIPE') onError(error as NodeJS.ErrnoException)
        }
      }
    }
    return usable
  }
}

/** A pipe that somebody else made non-blocking is full; there is nothing better to do than to wait. */
function waitShortly(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WAIT_MS)
}
