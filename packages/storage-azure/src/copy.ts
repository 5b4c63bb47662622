import type { BlobBeginCopyFromUrlPollState } from '@azure/storage-blob'
import { throwIfAborted } from '@waltz/errors'
import { serverFailedFault, sleepOrAbort, type CallOptions } from '@waltz/storage'
import { checkName } from './names.ts'
import { attempt, type Place } from './place.ts'

/** Between looks at a copy that the service does not make at once. */
const LOOK_MS = 500

/**
 * `ObjectStore.copy`: Copy Blob. Within one account the service makes it at once; where it does not, the copy is looked at until it is
 * done.
 */
export async function copyObject(place: Place, from: string, to: string, options: CallOptions | undefined): Promise<void> {
  throwIfAborted(options?.signal)
  checkName(from)
  checkName(to)
  const doing = `copy of ${from} to ${to}`
  const started = await attempt(place, { doing, key: from }, options, async (container, abortSignal) => {
    const poller = await container
      .getBlobClient(to)
      .beginCopyFromURL(container.getBlobClient(from).url, { abortSignal, intervalInMs: LOOK_MS })
    poller.stopPolling()
    return (poller.getOperationState() as BlobBeginCopyFromUrlPollState).copyId
  })
  try {
    while (!(await isCopied(place, { doing, to, copyId: started }, options)))
      await sleepOrAbort(place.options.sleep, LOOK_MS, options?.signal)
  } catch (error) {
    if (options?.signal?.aborted === true) await cancel(place, to, started)
    throw error
  }
}

interface Copy {
  readonly doing: string
  readonly to: string
  readonly copyId: string | undefined
}

async function isCopied(place: Place, { doing, to, copyId }: Copy, options: CallOptions | undefined): Promise<boolean> {
  return await attempt(place, { doing, key: to }, options, async (container, abortSignal) => {
    const { copyStatus, copyId: last, copyStatusDescription } = await container.getBlobClient(to).getProperties({ abortSignal })
    // Replaced meanwhile: this copy is history.
    if (copyStatus === undefined || copyStatus === 'success' || (copyId !== undefined && last !== copyId)) return true
    if (copyStatus === 'pending') return false
    throw serverFailedFault({ doing, location: place.location, answer: copyStatusDescription ?? copyStatus })
  })
}

async function cancel(place: Place, to: string, copyId: string | undefined): Promise<void> {
  if (copyId === undefined) return
  await attempt(place, { doing: `cancellation of the copy to ${to}`, key: to }, undefined, (container, abortSignal) =>
    container.getBlobClient(to).abortCopyFromURL(copyId, { abortSignal }),
  ).catch(() => undefined) // the failure that led here is the one to tell
}
