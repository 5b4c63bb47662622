import type { ByteSource } from '@waltz/bytes'
import { isFault } from '@waltz/errors'
import { callOptions, type ArchiveContext } from './context.ts'

/** Where `.partial` files lie whose name was taken. Nothing of WAL-G looks here. */
const asideFolder = 'waltz/partial/'

/** A file, and how to read it from its beginning. */
export interface FileToKeep {
  readonly name: string
  readonly body: () => ByteSource
  readonly signal: AbortSignal | undefined
}

/**
 * Stores a `.partial` file beside another of its name, under the hash of its content. Two servers that were promoted
 * within one segment make two of them. No server ever asks for either, so a refusal would protect nothing and stop the
 * archiver for good, because it comes back to this file before any later one.
 * @throws Fault of the store.
 */
export async function keepAside(context: ArchiveContext, { name, body, signal }: FileToKeep): Promise<void> {
  // Loaded for this rare case only: every push would wait for it.
  const { createHash } = await import('node:crypto')
  const hash = createHash('sha256')
  for await (const chunk of body()) hash.update(chunk)
  const key = asideFolder + context.format.nameFor(`${name}.${hash.digest('hex').slice(0, 32)}`)
  try {
    await context.store.put(key, context.format.seal(body()), {
      onlyIfAbsent: context.store.capabilities.conditionalPut,
      ...callOptions(signal),
    })
  } catch (error) {
    if (!isFault(error, 'already-exists')) throw error
  }
  context.report({ type: 'kept-aside', name, key })
}
