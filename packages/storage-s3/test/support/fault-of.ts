import { isFault, type Fault } from '@waltz/errors'

/** The fault that a promise rejects with. @throws Error when it does not, or with something else. */
export async function faultOf(promise: Promise<unknown>): Promise<Fault> {
  const error = await promise.then(
    () => undefined,
    (failure: unknown) => failure,
  )
  if (!isFault(error)) throw new Error(`no fault but ${String(error)}`)
  return error
}
