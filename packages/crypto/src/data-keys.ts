import { createSecretKey, type KeyObject } from 'node:crypto'
import { Fault } from '@waltz/errors'

/** A data key, usable and as it is stored. */
export interface DataKey {
  readonly key: KeyObject
  readonly wrapped: Uint8Array
}

/** The data keys of one cipher: one to write with, and those that were asked for when reading. */
export interface DataKeys {
  /** The key for new objects: made at the first call, shared by all others, also concurrent ones. */
  current(): Promise<DataKey>
  /** The key in a stored object; the service is asked once for each wrapped key that is remembered, also by concurrent callers. */
  unwrap(wrapped: Uint8Array): Promise<KeyObject>
  /** Forgets everything. The runtime overwrites the memory of a key when the last use of it is gone. */
  clear(): void
}

/** Where data keys come from. The plain bytes are overwritten as soon as they were taken over. */
export interface DataKeySource {
  create(): Promise<{ readonly plaintext: Uint8Array; readonly wrapped: Uint8Array }>
  unwrap(wrapped: Uint8Array): Promise<Uint8Array>
}

/** How many unwrapped keys are remembered: backups and WAL segments in work at the same time are far fewer. */
const MAX_REMEMBERED = 256
const KEY_BYTES = 32

/** Keeps the data keys of one cipher. Failures are not remembered. */
export function createDataKeys(source: DataKeySource): DataKeys {
  let writing: Promise<DataKey> | undefined
  const remembered = new Map<string, Promise<KeyObject>>()

  const remember = (name: string, key: Promise<KeyObject>): void => {
    remembered.delete(name)
    remembered.set(name, key)
    const [oldest] = remembered.keys()
    if (remembered.size > MAX_REMEMBERED && oldest !== undefined) remembered.delete(oldest)
  }
  const create = async (): Promise<DataKey> => {
    const made = await source.create()
    const key = takeOver(made.plaintext)
    const wrapped = new Uint8Array(made.wrapped)
    remember(nameOf(wrapped), Promise.resolve(key))
    return { key, wrapped }
  }
  return {
    current() {
      if (writing !== undefined) return writing
      const making: Promise<DataKey> = create().catch((error: unknown) => {
        if (writing === making) writing = undefined
        throw error
      })
      return (writing = making)
    },
    unwrap(wrapped) {
      const name = nameOf(wrapped)
      const known = remembered.get(name)
      const key =
        known ??
        source
          .unwrap(wrapped)
          .then(takeOver)
          .catch((error: unknown) => {
            remembered.delete(name)
            throw error
          })
      remember(name, key)
      return key
    },
    clear() {
      writing = undefined
      remembered.clear()
    },
  }
}

const nameOf = (wrapped: Uint8Array): string => Buffer.from(wrapped).toString('base64')

/** Moves the key into memory of the cryptographic library and overwrites the bytes given. */
function takeOver(plaintext: Uint8Array): KeyObject {
  try {
    if (plaintext.length !== KEY_BYTES) {
      throw new Fault(
        'corrupt',
        'CRYPTO_SERVICE_ANSWER',
        `the key service gave a data key of ${plaintext.length} bytes instead of ${KEY_BYTES}`,
        {
          hint: 'check that the object was written by WAL-G or Waltz, and the endpoint of the key service',
        },
      )
    }
    return createSecretKey(plaintext)
  } finally {
    plaintext.fill(0)
  }
}
