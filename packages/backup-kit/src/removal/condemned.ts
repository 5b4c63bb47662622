import type { CatalogueEntry } from '../catalogue/catalogue-entry.ts'
import type { WalScope } from './removal-scope.ts'
import { idOf } from './retainable-backups.ts'
import type { RepositorySurvey } from './survey-repository.ts'

/** Ids of backups whose sentinel a deletion removed that did not end, and until when what is in their folders belonged to them. */
export type Condemned = ReadonlyMap<string, number>

/** Read from the notes of deletions. */
export function condemnedNames({ storages }: RepositorySurvey): Condemned {
  const names = new Map<string, number>()
  for (const { storage, intents } of storages) {
    for (const { intent } of intents)
      for (const name of intent.backups) {
        const id = idOf({ storage: storage.name, name })
        names.set(id, Math.max(Date.parse(intent.seenUntil), names.get(id) ?? 0))
      }
  }
  return names
}

/** Whether a folder is what such a deletion left: the same name may have been taken by another backup since. */
export function isCondemned(entry: CatalogueEntry, condemned: Condemned): boolean {
  const until = condemned.get(idOf(entry))
  if (until === undefined || entry.sentinel !== undefined) return false
  // A lease that nobody renews lay there with the finished backup.
  if (entry.leaseObject !== undefined && entry.status === 'being-written') return false
  return (entry.folder?.newestAt?.getTime() ?? 0) <= until
}

/** How far such deletions wanted WAL to go. Backups that are there now, and need it, keep it all the same. */
export function scopesOfIntents({ storages }: RepositorySurvey): readonly WalScope[] {
  return storages.flatMap(({ intents }) =>
    intents.flatMap(({ intent: { walBefore, seenUntil } }) =>
      walBefore === undefined ? [] : [{ before: walBefore, untilMs: Date.parse(seenUntil) }],
    ),
  )
}
