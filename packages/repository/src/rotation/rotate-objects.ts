import { Fault, isFault, throwIfAborted } from '@waltz/errors'
import type { ObjectStore } from '@waltz/storage'
import { addObject, NO_AMOUNT, type Amount } from './amount.ts'
import { atOnce } from './at-once.ts'
import type { NamedKey } from './find-key.ts'
import { openManifestKeeper, type ManifestKeeper } from './manifest-keeper.ts'
import { noteEncryption } from './note-encryption.ts'
import { removeSideObjects } from './remove-side-objects.ts'
import { rotateObject, type RotationContext } from './rotate-object.ts'
import { isFinished, sealedGroups, type SealedGroup, type SealedObject } from './sealed-objects.ts'

/** What is brought under which key. */
export interface RotateOptions {
  readonly store: ObjectStore
  /** Opens and encrypts; one data key of it serves for all objects. */
  readonly current: NamedKey
  /** Open what is not under the current key yet. */
  readonly previous: readonly NamedKey[]
  /** What becomes of objects that are compressed and not encrypted. */
  readonly plaintext: 'leave' | 'encrypt'
  /** Objects that are worked on together, each a stream. */
  readonly objectsAtOnce: number
  readonly signal?: AbortSignal | undefined
  readonly observe?: ((event: RotationEvent) => void) | undefined
}

/** What became of an object. */
export type RotationOutcome =
  | 'rotated'
  /** It was under the current key. */
  | 'already'
  /** It is not encrypted, and stays so. */
  | 'plain'
  /** Its backup was never announced: it is being made, or was left behind. */
  | 'unfinished'
  | 'failed'

/** One object was dealt with. */
export interface RotationEvent {
  readonly key: string
  readonly outcome: RotationOutcome
  /** Its size before. */
  readonly bytes: number
  readonly failure?: Fault
}

/** An object that stayed as it was, and why. */
export interface RotationFailure {
  readonly key: string
  readonly fault: Fault
}

/** What was done. */
export interface RotationResult {
  readonly amounts: Readonly<Record<RotationOutcome, Amount>>
  /** The first hundred; `observe` is told of all. */
  readonly failures: readonly RotationFailure[]
  /** Whether the record of the repository now says for the first time that it holds encrypted objects. */
  readonly noted: boolean
}

const MOST_FAILURES = 100

/**
 * Encrypts every sealed object with the current key that another one opens: a new form beside it, proven with the current key alone, then
 * in its place. At every moment each object is whole and opens with one of the keys, and the manifests of Waltz accept it; when the
 * run ends in the middle, another one goes on. An object that fails stays as it was, and the others go on.
 * @throws Fault `invalid` `ROTATION_KEY_ONE_WAY` when the current key cannot open what it encrypts; of the store when it cannot be listed.
 */
export async function rotateObjects(options: RotateOptions): Promise<RotationResult> {
  const { store, current, previous, signal, plaintext } = options
  if (!current.cipher.canDecrypt) throw oneWay(current)
  const call = signal === undefined ? {} : { signal }
  const context: RotationContext = { store, current, keys: [current, ...previous], plaintext, call }
  const tally = createTally(options)
  for (const failure of await removeSideObjects(context)) tally.fail(failure.key, 0, failure.fault)
  for await (const group of sealedGroups(store, call)) await rotateGroup(context, group, { tally, options })
  const holdsEncrypted = tally.amounts.rotated.objects + tally.amounts.already.objects > 0
  let noted = false
  try {
    noted = holdsEncrypted && (await noteEncryption(context))
  } catch (error) {
    throwIfAborted(signal)
    tally.fail('waltz/cluster.json', 0, error)
  }
  return { amounts: tally.amounts, failures: tally.failures, noted }
}

interface Tally {
  readonly amounts: Record<RotationOutcome, Amount>
  readonly failures: RotationFailure[]
  done(object: SealedObject, outcome: RotationOutcome): void
  fail(key: string, bytes: number, error: unknown): void
}

function createTally({ observe }: RotateOptions): Tally {
  const amounts = { rotated: NO_AMOUNT, already: NO_AMOUNT, plain: NO_AMOUNT, unfinished: NO_AMOUNT, failed: NO_AMOUNT }
  const failures: RotationFailure[] = []
  return {
    amounts,
    failures,
    done({ key, size }, outcome) {
      amounts[outcome] = addObject(amounts[outcome], size)
      observe?.({ key, outcome, bytes: size })
    },
    fail(key, bytes, error) {
      const fault = isFault(error) ? error : unexpected(key, error)
      amounts.failed = addObject(amounts.failed, bytes)
      if (failures.length < MOST_FAILURES) failures.push({ key, fault })
      observe?.({ key, outcome: 'failed', bytes, failure: fault })
    },
  }
}

interface Work {
  readonly tally: Tally
  readonly options: RotateOptions
}

async function rotateGroup(context: RotationContext, group: SealedGroup, { tally, options }: Work): Promise<void> {
  const { store, call } = context
  const { folder } = group
  const lanes = options.objectsAtOnce
  if (folder !== undefined && !(await isFinished(store, folder, call)))
    return await atOnce(group.objects, lanes, async (object) => tally.done(object, 'unfinished'))
  let manifest: ManifestKeeper | undefined
  try {
    if (folder !== undefined) manifest = await openManifestKeeper(store, manifestOf(folder), call)
  } catch (error) {
    throwIfAborted(call.signal)
    return tally.fail(manifestOf(folder ?? ''), 0, error)
  }
  await atOnce(group.objects, lanes, async (object) => {
    throwIfAborted(call.signal)
    try {
      tally.done(object, await rotateObject(context, object, manifest))
    } catch (error) {
      throwIfAborted(call.signal)
      if (await isGone(context, object.key, error)) return
      tally.fail(object.key, object.size, error)
    }
  })
  try {
    await manifest?.flush()
  } catch (error) {
    throwIfAborted(call.signal)
    tally.fail(manifestOf(folder ?? ''), 0, error)
  }
}

/** Deleted since it was listed: then there is nothing to tell. */
async function isGone({ store, call }: RotationContext, key: string, error: unknown): Promise<boolean> {
  if (!isFault(error, 'not-found')) return false
  try {
    await store.head(key, call)
    return false
  } catch (failure) {
    return isFault(failure, 'not-found')
  }
}

const manifestOf = (folder: string): string => `${folder}/waltz/manifest.json`

function unexpected(key: string, error: unknown): Fault {
  const message = error instanceof Error ? error.message : String(error)
  return new Fault('internal', 'ROTATION_FAILED', `${key}: ${message}`, { cause: error, context: { key } })
}

function oneWay({ cipher, label }: NamedKey): Fault {
  return new Fault('invalid', 'ROTATION_KEY_ONE_WAY', `the ${label} key (${cipher.scheme}) can encrypt and not decrypt`, {
    hint: 'every new form of an object is read back before it replaces the old one: configure the private key for this',
  })
}
