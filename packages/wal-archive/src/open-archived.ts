import { Fault } from '@waltz/errors'
import { type ArchiveContext } from './context.ts'
import { findStored } from './find-stored.ts'
import { openIfStored, type OpenedWal } from './open-stored.ts'

/**
 * Opens a file in whatever form it is stored; undefined when the store has none.
 * @throws Fault of the store; `unsupported` `WAL_UNKNOWN_EXTENSION` when no stored form can be read here.
 */
export async function openArchived(context: ArchiveContext, name: string, signal: AbortSignal | undefined): Promise<OpenedWal | undefined> {
  // Nearly every file was written with the codec of the settings: one request, no listing.
  const usual = await openIfStored(context, { name, storedName: context.format.nameFor(name) }, signal)
  return usual ?? (await openAnyForm(context, name, signal))
}

/** Like {@link openArchived}, with a listing at once: for a file that was just found absent. */
export async function openAnyForm(context: ArchiveContext, name: string, signal: AbortSignal | undefined): Promise<OpenedWal | undefined> {
  const { readable, unreadable } = await findStored(context, name, signal)
  for (const { storedName } of readable) {
    const opened = await openIfStored(context, { name, storedName }, signal)
    if (opened !== undefined) return opened
  }
  if (unreadable.length === 0) return undefined
  throw new Fault('unsupported', 'WAL_UNKNOWN_EXTENSION', `${name} is stored as ${unreadable.join(', ')}, which cannot be read here`, {
    hint: `formats that can be read: ${context.format.extensions.join(', ')}`,
    context: { name, location: context.store.location },
  })
}
