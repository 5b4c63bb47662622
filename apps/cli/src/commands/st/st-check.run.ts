import { Fault, isFault } from '@waltz/errors'
import { sourceOf } from '@waltz/bytes'
import type { Invocation } from '../../command.ts'
import { keyOf, onEachTarget, uniqueHex } from './targets.ts'

/**
 * Whether the storage can be read (CMD 8): its root is listed, then every object that was named must be there. Resolves to 0.
 * @throws Fault `unavailable` `STORAGE_CHECK_FAILED` that names all objects that are missing or cannot be read; faults of the storage.
 */
export async function runStCheckRead(invocation: Invocation): Promise<number> {
  const { args, io, log } = invocation
  const call = { signal: io.signal }
  return await onEachTarget(invocation, async ({ store, name }) => {
    for await (const { key } of store.list('', { ...call, oneLevel: true })) if (key !== '') break
    const problems: string[] = []
    for (const path of args) {
      try {
        await store.head(keyOf(path), call)
      } catch (error) {
        io.signal.throwIfAborted()
        problems.push(
          isFault(error, 'not-found') ? `${path} is missing` : `${path}: ${error instanceof Error ? error.message : String(error)}`,
        )
      }
    }
    if (problems.length > 0) {
      throw new Fault('unavailable', 'STORAGE_CHECK_FAILED', `storage ${name}: ${problems.join('; ')}`, {
        hint: 'waltz st ls shows what is there',
        context: { storage: name, problems: problems.length },
        retryable: false,
      })
    }
    log.info(`storage ${name} can be read: ${store.location}`)
  })
}

/** Whether the storage can be written: an object is stored under a random name and deleted again. Resolves to 0. @throws Fault of the storage. */
export async function runStCheckWrite(invocation: Invocation): Promise<number> {
  const { io, log } = invocation
  const call = { signal: io.signal }
  return await onEachTarget(invocation, async ({ store, name }) => {
    const key = `test_${uniqueHex(io, 32)}`
    await store.put(key, sourceOf('written by waltz st check write'), call)
    try {
      await store.delete([key], call)
    } catch (error) {
      log.warn(`storage ${name}: ${key} could not be deleted again: ${error instanceof Error ? error.message : String(error)}`)
    }
    log.info(`storage ${name} can be written: ${store.location}`)
  })
}
