import { isFault, type Fault } from '@waltz/errors'

/** The fault that `action` throws or rejects with; anything else it throws passes through. */
export async function faultOf(action: () => unknown): Promise<Fault> {
  try {
    await action()
  } catch (error) {
    if (isFault(error)) return error
    throw error
  }
  throw new Error('nothing was thrown')
}
