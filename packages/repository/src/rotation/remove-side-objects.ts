import { Fault, isFault, throwIfAborted } from '@waltz/errors'
import type { ObjectInfo } from '@waltz/storage'
import { findKey, readHead } from './find-key.ts'
import type { RotationContext } from './rotate-object.ts'
import type { RotationFailure } from './rotate-objects.ts'
import { isSealedKey, sideFolder } from './sealed-objects.ts'

/**
 * Removes what runs that ended in the middle left in the side folder. What may be the last good copy of an object stays, and is
 * reported: where the object itself is gone, opens with no key, or is under the same key with another size.
 */
export async function removeSideObjects(context: RotationContext): Promise<readonly RotationFailure[]> {
  const { store, call } = context
  const kept: RotationFailure[] = []
  const old: string[] = []
  for await (const side of store.list(sideFolder, call)) {
    const key = side.key.slice(sideFolder.length)
    if (!isSealedKey(key)) continue
    try {
      if (await isNeeded(context, key, side)) kept.push({ key: side.key, fault: needed(side.key, key) })
      else old.push(side.key)
    } catch (error) {
      throwIfAborted(call.signal)
      if (!isFault(error)) throw error
      kept.push({ key: side.key, fault: error })
    }
  }
  if (old.length > 0) await store.delete(old, call)
  return kept
}

async function isNeeded(context: RotationContext, key: string, side: ObjectInfo): Promise<boolean> {
  const { store, call } = context
  try {
    const { size } = await store.head(key, call)
    const found = await keyOf(context, key)
    if (found === undefined) return true
    return size !== side.size && found === (await keyOf(context, side.key))
  } catch (error) {
    if (isFault(error, 'not-found')) return true
    throw error
  }
}

/** Undefined when no key opens it; `plain` for what is not encrypted. */
async function keyOf({ store, call, keys }: RotationContext, key: string): Promise<string | undefined> {
  const found = await findKey(await readHead(store, key, { ...call, keys }), keys)
  return found.kind === 'none' ? undefined : found.kind === 'plain' ? 'plain' : found.key.label
}

function needed(side: string, key: string): Fault {
  return new Fault('conflict', 'ROTATION_SIDE_KEPT', `${side} was left by an earlier run, and ${key} is not whole`, {
    hint: `It may be the only good copy. Look at both; then copy it to ${key}, or remove it with waltz st rm.`,
    context: { side, key },
  })
}
