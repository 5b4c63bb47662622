import type { ByteSource } from '@waltz/bytes'
import { isFault } from '@waltz/errors'
import { walFolder } from '@waltz/repository'
import type { ObjectBody } from '@waltz/storage'
import { callOptions, type StoreAndFormat } from './context.ts'

/** An archived file, already open: iterate `source` once, or dispose of it. */
export interface OpenedWal extends AsyncDisposable {
  /** The plain bytes. Fails with `corrupt` where the codec notices damage. */
  readonly source: ByteSource
  /** The object's name below `wal_005/`. */
  readonly storedName: string
  readonly storedBytes: number
  /** Whether the stored form notices damage by itself: a codec with a checksum, or a cipher. */
  readonly damageDetected: boolean
}

/**
 * Opens an object of `wal_005/`.
 * @throws Fault `not-found` and others of the store; `unsupported` when the format cannot read it.
 */
export async function openStored(
  parts: StoreAndFormat,
  file: { readonly name: string; readonly storedName: string },
  signal?: AbortSignal,
): Promise<OpenedWal> {
  const body = await parts.store.get(walFolder + file.storedName, callOptions(signal))
  try {
    // A bare name may end in something that looks like an extension (`x.txt`); the trailing dot says "no codec".
    const formatName = file.storedName === file.name ? `${file.name}.` : file.storedName
    const damageDetected = await parts.format.detectsDamage(formatName)
    const source = await parts.format.open(formatName, body)
    return {
      source,
      storedName: file.storedName,
      storedBytes: body.info.size,
      damageDetected,
      [Symbol.asyncDispose]: async () => close(body),
    }
  } catch (error) {
    await close(body)
    throw error
  }
}

/** Like {@link openStored}, undefined when the store has no such object. */
export async function openIfStored(
  parts: StoreAndFormat,
  file: { readonly name: string; readonly storedName: string },
  signal?: AbortSignal,
): Promise<OpenedWal | undefined> {
  try {
    return await openStored(parts, file, signal)
  } catch (error) {
    if (isFault(error, 'not-found')) return undefined
    throw error
  }
}

async function close(body: ObjectBody): Promise<void> {
  await body[Symbol.asyncDispose]()
}
