import { isFault } from '@waltz/errors'
import { giveBack, type ByteSource } from '@waltz/bytes'
import type { OpenSteps } from '@waltz/repository'
import { expandGlob } from '@waltz/storage/tools'
import type { Invocation } from '../../command.ts'
import { usageFault } from '../../usage-fault.ts'
import { keyOf, onEachTarget, type TargetStorage } from './targets.ts'

/** Writes objects to standard output (CMD 8). Resolves to 0. @throws Fault of the storage, the codec or the cipher; `invalid` `USAGE` for `--decrypt` without a key. */
export async function runStCat(invocation: Invocation): Promise<number> {
  const { args, flags, io } = invocation
  const path = args[0] ?? ''
  return await onEachTarget(invocation, async (storage) => {
    if (flags['glob'] !== true) return await printObject(invocation, storage, keyOf(path))
    for await (const match of expandGlob(storage.store, path, { signal: io.signal })) {
      if (match.kind === 'object') await printObject(invocation, storage, match.path)
    }
  })
}

async function printObject(invocation: Invocation, { store }: TargetStorage, key: string): Promise<void> {
  const write = invocation.io.stdoutBytes
  if (write === undefined) throw usageFault('there is no standard output for bytes here')
  await using body = await store.get(key, { signal: invocation.io.signal })
  const steps = { decrypt: invocation.flags['decrypt'] === true, decompress: invocation.flags['decompress'] === true }
  const plain = steps.decrypt || steps.decompress ? await opened(invocation, { key, body, steps }) : body
  for await (const chunk of plain) {
    if (!write(chunk)) break
    giveBack(chunk)
  }
}

interface StoredObject {
  readonly key: string
  readonly body: ByteSource
  readonly steps: OpenSteps
}

/** Opened by the given steps; not decompressed, with a warning, where the extension of its name says nothing. */
async function opened(invocation: Invocation, { key, body, steps }: StoredObject): Promise<ByteSource> {
  const format = await (await invocation.openKit()).openFormat()
  if (steps.decrypt === true && format.encryption === undefined) {
    throw usageFault('--decrypt needs a key, and none is configured', {
      command: 'st cat',
      hint: 'configure the key that the object was written with',
    })
  }
  try {
    return await format.open(key, body, steps)
  } catch (error) {
    if (!isFault(error) || error.code !== 'OBJECT_EXTENSION_UNKNOWN') throw error
    invocation.log.warn(`${key} is printed without decompressing it: its extension names no codec`)
    return await format.open(key, body, { ...steps, decompress: false })
  }
}
