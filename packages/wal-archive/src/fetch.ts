import { Fault } from '@waltz/errors'
import type { TimelineId } from '@waltz/pg-structures'
import { findHoleEvidence, holeFault } from './absence.ts'
import { checkArchivedName } from './archived-name.ts'
import { requireOwnContent } from './cluster-fence.ts'
import type { ArchiveContext } from './context.ts'
import { openAnyForm, openArchived } from './open-archived.ts'
import type { OpenedWal } from './open-stored.ts'

/** Options of a fetch. */
export interface FetchOptions {
  readonly signal?: AbortSignal
  /** The timeline that the recovering server comes from (pg_control); says which history files it cannot do without. */
  readonly ownTimeline?: TimelineId
}

/** Opens an archived file, or explains why there is none. See `WalArchive.fetch`. */
export async function fetchWal(context: ArchiveContext, name: string, options: FetchOptions): Promise<OpenedWal> {
  checkArchivedName(name, context.format)
  const { signal } = options
  const opened = await openArchived(context, name, signal)
  if (opened !== undefined) return opened
  await requireOwnContent(context, signal)
  const asker = { timeline: options.ownTimeline, signal }
  const suspicion = await findHoleEvidence(context, name, asker)
  if (suspicion !== undefined) return await lookAgain(context, name, { asker, because: suspicion.because })
  throw new Fault('not-found', 'WAL_NOT_FOUND', `${name} is not in ${context.store.location}`, {
    hint: 'for recovery this is the end of the archive',
    context: { name, location: context.store.location },
  })
}

/** Parallel uploaders make holes that close by themselves. */
async function lookAgain(
  context: ArchiveContext,
  name: string,
  suspicion: { readonly asker: Parameters<typeof findHoleEvidence>[2]; readonly because: string },
): Promise<OpenedWal> {
  const { signal } = suspicion.asker
  context.report({ type: 'hole-suspected', name, because: suspicion.because, waitMs: context.holeRecheckMs })
  await context.sleep(context.holeRecheckMs, signal)
  const late = await openAnyForm(context, name, signal)
  if (late !== undefined) return late
  const evidence = await findHoleEvidence(context, name, suspicion.asker)
  // Gone evidence means that somebody deletes: no reason to call this the end either.
  throw holeFault(context, name, evidence ?? { code: 'WAL_HOLE', because: suspicion.because })
}
