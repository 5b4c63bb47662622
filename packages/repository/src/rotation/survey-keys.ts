import { isFault, throwIfAborted } from '@waltz/errors'
import type { ObjectStore } from '@waltz/storage'
import { addObject, NO_AMOUNT, type Amount } from './amount.ts'
import { atOnce } from './at-once.ts'
import { findKey, readHead, type NamedKey } from './find-key.ts'
import { sealedGroups, type SealedObject } from './sealed-objects.ts'

/** What is looked through, and for which keys. */
export interface SurveyOptions {
  readonly store: Pick<ObjectStore, 'get' | 'list' | 'listGroups'>
  /** In the order in which they are tried. */
  readonly keys: readonly NamedKey[]
  /** Objects that are looked at together. */
  readonly objectsAtOnce: number
  readonly signal?: AbortSignal | undefined
  /** Told after each object how many bytes of objects were looked at. */
  readonly observe?: ((bytes: number) => void) | undefined
}

/** How much lies under which key. */
export interface KeySurvey {
  /** By label, in the order of the keys; also keys that nothing lies under. */
  readonly byKey: ReadonlyMap<string, Amount>
  readonly plain: Amount
  /** No key fits. */
  readonly unknown: Amount
  /** Some of those, for messages. */
  readonly unknownKeys: readonly string[]
}

const MOST_NAMED = 10

/**
 * Looks at the beginning of every sealed object. Changes nothing.
 * @throws Fault of the store, or of a key service that was asked and did not answer.
 */
export async function surveyKeys({ store, keys, objectsAtOnce, signal, observe }: SurveyOptions): Promise<KeySurvey> {
  const call = signal === undefined ? {} : { signal }
  const byKey = new Map(keys.map(({ label }) => [label, NO_AMOUNT]))
  let plain = NO_AMOUNT
  let unknown = NO_AMOUNT
  const unknownKeys: string[] = []
  const look = async ({ key, size }: SealedObject): Promise<void> => {
    throwIfAborted(signal)
    const head = await readHead(store, key, { ...call, keys }).catch(unlessGone)
    if (head === undefined) return
    const found = await findKey(head, keys)
    if (found.kind === 'key') byKey.set(found.key.label, addObject(byKey.get(found.key.label) ?? NO_AMOUNT, size))
    else if (found.kind === 'plain') plain = addObject(plain, size)
    else {
      unknown = addObject(unknown, size)
      if (unknownKeys.length < MOST_NAMED) unknownKeys.push(key)
    }
    observe?.(size)
  }
  for await (const { objects } of sealedGroups(store, call)) await atOnce(objects, objectsAtOnce, look)
  return { byKey, plain, unknown, unknownKeys }
}

/** Deleted since it was listed. */
function unlessGone(error: unknown): undefined {
  if (!isFault(error, 'not-found')) throw error
}
