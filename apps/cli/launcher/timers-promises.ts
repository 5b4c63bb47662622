/** What `node:timers/promises` is for the one file of the WAL commands, for the reason that `fs-promises.ts` tells. */
import type promises from 'node:timers/promises'

const wait = (ms: number, value: unknown, options: { readonly signal?: AbortSignal; readonly ref?: boolean } = {}): Promise<unknown> => {
  const { signal, ref = true } = options
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      clearTimeout(timer)
      reject(Object.assign(new Error('The operation was aborted'), { name: 'AbortError', code: 'ABORT_ERR', cause: signal?.reason }))
    }
    const timer = globalThis.setTimeout(() => {
      signal?.removeEventListener('abort', abort)
      resolve(value)
    }, ms)
    if (!ref) timer.unref()
    if (signal?.aborted === true) abort()
    else signal?.addEventListener('abort', abort, { once: true })
  })
}

export const setTimeout = wait as typeof promises.setTimeout
