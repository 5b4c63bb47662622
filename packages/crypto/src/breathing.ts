/** After so many bytes timers, sockets and other streams get their turn: about 5 ms of work. */
const BREATH_BYTES = 4_194_304

/**
 * Counts the bytes that one stream worked on and lets the event loop turn every few milliseconds. Without it a source that never
 * waits, such as one that was read ahead, would keep everything else from running.
 */
export function breathing(): (bytes: number) => Promise<void> | undefined {
  let worked = 0
  return (bytes) => {
    worked += bytes
    if (worked < BREATH_BYTES) return undefined
    worked = 0
    return new Promise((resolve) => setImmediate(resolve))
  }
}
