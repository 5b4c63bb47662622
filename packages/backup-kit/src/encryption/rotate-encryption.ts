import { Fault } from '@waltz/errors'
import { createLease } from '@waltz/repository'
import { rotateObjects, surveyKeys, type KeySurvey, type RotationEvent, type RotationResult } from '@waltz/repository/rotation'
import type { Settings } from '@waltz/settings'
import type { ObjectStore } from '@waltz/storage'
import { laneCount } from '../lane-count.ts'
import { sleep } from '../push.ts'
import { randomHex } from '../random.ts'
import type { KitSurroundings } from '../surroundings.ts'
import { openKeys, type OpenedKeys } from './open-cipher.ts'

/** How keys are changed. */
export interface RotateEncryptionOptions {
  /** The first one unless given. */
  readonly storage?: string
  /** Does it; otherwise what lies under which key is only counted. */
  readonly confirm: boolean
  /** Objects that are not encrypted are encrypted as well; otherwise they stay as they are. */
  readonly encryptPlaintext?: boolean
  readonly observe?: (event: RotationEvent) => void
  /** Told while it only counts how many bytes of objects were looked at. */
  readonly onLooked?: (bytes: number) => void
  readonly signal?: AbortSignal
}

/** What was done, or would be. */
export interface RotatedEncryption {
  /** Which keys there are: their labels with scheme and name. */
  readonly keys: readonly { readonly label: string; readonly scheme: string; readonly name: string }[]
  /** Without `confirm`. */
  readonly survey?: KeySurvey
  /** With `confirm`. */
  readonly result?: RotationResult
}

/** What the commands on encryption work with. */
export interface EncryptionParts {
  readonly settings: Settings
  readonly surroundings: KitSurroundings
  readonly store: ObjectStore
}

/** Two runs at once would undo each other's records. */
const LEASE_KEY = 'waltz/rotate.json'
const LEASE_TTL_MS = 60_000

/** See `BackupKit.rotateEncryption`. */
export async function rotateEncryption(parts: EncryptionParts, options: RotateEncryptionOptions): Promise<RotatedEncryption> {
  const { settings, surroundings, store } = parts
  using keys = await openKeys(settings, surroundings)
  const { current, previous } = keys
  if (current === undefined)
    throw new Fault('invalid', 'ENCRYPTION_KEY_ABSENT', 'there is no current key that objects could be encrypted with', {
      hint: 'set one, such as WALG_LIBSODIUM_KEY_PATH; keys of old objects belong into WALTZ_CRYPTO_PREVIOUS_KEYS',
    })
  const objectsAtOnce = laneCount(settings.downloadConcurrency, surroundings.cores)
  const { signal, observe } = options
  if (!options.confirm) {
    const survey = await surveyKeys({ store, keys: [current, ...previous], objectsAtOnce, signal, observe: options.onLooked })
    return { keys: describeKeys(keys), survey }
  }
  const plaintext = options.encryptPlaintext === true ? 'encrypt' : 'leave'
  const result = await underLease(parts, signal, async (both) =>
    rotateObjects({ store, current, previous, plaintext, objectsAtOnce, signal: both, observe }),
  )
  return { keys: describeKeys(keys), result }
}

/** For people: nothing of it is secret. */
export function describeKeys({ current, previous }: OpenedKeys): RotatedEncryption['keys'] {
  return [...(current === undefined ? [] : [current]), ...previous].map(({ label, cipher }) => ({
    label,
    scheme: cipher.scheme,
    name: cipher.keyName,
  }))
}

async function underLease<Result>(
  { store, surroundings }: EncryptionParts,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const call = signal === undefined ? {} : { signal }
  const lease = createLease({
    store,
    key: LEASE_KEY,
    id: randomHex(32),
    holder: { host: surroundings.hostname, pid: surroundings.processId },
    now: surroundings.now,
    sleep,
    ttlMs: LEASE_TTL_MS,
  })
  await lease.acquire(call)
  const keeping = lease.keep()
  try {
    return await work(signal === undefined ? keeping.lost : AbortSignal.any([signal, keeping.lost]))
  } finally {
    await keeping.stop()
    // One that cannot be removed now runs out by itself.
    await lease.release().catch(() => undefined)
  }
}
