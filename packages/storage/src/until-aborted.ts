import { abortedFault } from '@waltz/errors'

/**
 * The outcome of `promise`, or the signal's fault as soon as it fires, whichever is first. What the promise does
 * later is ignored, so the caller must know that nobody needs it any more.
 * @throws Fault `aborted` `ABORTED`, or the signal's own reason when that is a fault.
 */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(abortedFault(signal))
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
    const settled = (): void => signal.removeEventListener('abort', onAbort)
    promise.then(
      (value) => {
        settled()
        resolve(value)
      },
      (error: unknown) => {
        settled()
        reject(error)
      },
    )
  })
}
