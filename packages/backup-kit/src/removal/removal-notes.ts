import { sourceOf } from '@waltz/bytes'
import { parseBackupName } from '@waltz/repository'
import { encodeRemovalIntent, removalIntentKey, type RemovalIntent } from '@waltz/repository/removal'
import { lockOf, type ObjectStore } from '@waltz/storage'
import { randomHex } from '../random.ts'
import type { RemovalPlan } from './removal-plan.ts'
import type { RemovalStorage } from './removal-storage.ts'
import type { StoredIntent } from './survey-storage.ts'

/** A note that was written for a deletion. */
export interface WrittenIntent extends StoredIntent {
  readonly storage: string
}

/** The note in every storage that loses something. */
export async function writeIntents(
  plan: RemovalPlan,
  storages: readonly RemovalStorage[],
  { now, signal }: { readonly now: Date; readonly signal: AbortSignal },
): Promise<readonly WrittenIntent[]> {
  const written: WrittenIntent[] = []
  for (const { name, store } of storages) {
    const key = removalIntentKey(`${plan.id}-${randomHex(8)}`)
    const gone = plan.decisions.filter(({ keep, entry }) => !keep && entry.storage === name && parseBackupName(entry.name) !== undefined)
    const intent: RemovalIntent = {
      plan: plan.id,
      command: plan.command,
      startedAt: now.toISOString(),
      seenUntil: plan.seenUntil.get(name)?.toISOString() ?? plan.now.toISOString(),
      backups: gone.map(({ entry }) => entry.name),
      catchups: plan.catchups.filter((row) => row.storage === name && !row.keep).map((row) => row.name),
      walBefore: plan.walBefore,
    }
    await putIntent(store, { key, intent }, signal)
    written.push({ storage: name, key, intent })
  }
  return written
}

/** Takes a note away. Where the store locks every object for a time, it is replaced by one that asks for nothing. */
export async function removeNote(
  store: Pick<ObjectStore, 'put' | 'delete'>,
  { key, intent }: StoredIntent,
  signal: AbortSignal,
): Promise<void> {
  try {
    await store.delete([key], { signal })
  } catch (error) {
    if (lockOf(error) === undefined) throw error
    if (!isEnded(intent)) await putIntent(store, { key, intent: { ...intent, backups: [], catchups: [], walBefore: undefined } }, signal)
  }
}

/** Whether nothing is to be gone on with. */
export function isEnded({ backups, catchups, walBefore }: RemovalIntent): boolean {
  return backups.length === 0 && catchups.length === 0 && walBefore === undefined
}

async function putIntent(store: Pick<ObjectStore, 'put'>, { key, intent }: StoredIntent, signal: AbortSignal): Promise<void> {
  const bytes = encodeRemovalIntent(intent)
  await store.put(key, sourceOf(bytes), { size: bytes.length, contentType: 'application/json', shortLived: true, signal })
}
