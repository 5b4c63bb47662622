import { readAll, sourceOf } from '@waltz/bytes'
import { isFault, throwIfAborted } from '@waltz/errors'
import { createBackupCatalog, sentinelKey } from '@waltz/repository'
import type { CopyContext } from './copy-context.ts'
import type { CopiedBackup } from './copy-options.ts'

const ATTEMPTS = 3
/** Storages keep times in seconds. */
const NEXT_SECOND_MS = 1_100
/** Sentinels of release 1.1 hold the file list; those are left alone. */
const MAX_SENTINEL_BYTES = 1 << 20

/**
 * Makes the target call the same backup LATEST as the source. The time of a sentinel decides (RF 9.1), so where an older backup was
 * announced behind one that was there before, the sentinel of the latter is stored once more, with the same bytes. Backups that are not part
 * of the copy are not touched.
 */
export async function keepLatest(context: CopyContext, backups: readonly CopiedBackup[]): Promise<void> {
  const last = backups.at(-1)
  if (context.dryRun || last === undefined || last.outcome === 'failed') return
  const copied = new Set(backups.map(({ name }) => name))
  try {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const { name } = await createBackupCatalog(context.to).find({ latest: true }, context.call)
      if (name === last.name || !copied.has(name)) return
      if (attempt > 0) await context.options.sleep(NEXT_SECOND_MS, context.call.signal)
      await storeAgain(context, sentinelKey(last.name))
    }
  } catch (error) {
    throwIfAborted(context.call.signal)
    if (!isFault(error)) throw error
    context.warn(`the target may call another backup than ${last.name} its latest one: ${error.message}`)
  }
}

async function storeAgain({ to, call }: CopyContext, key: string): Promise<void> {
  await using body = await to.get(key, call)
  const bytes = await readAll(body, MAX_SENTINEL_BYTES)
  const { etag } = body.info
  const ifMatch = to.capabilities.ifMatch && etag !== undefined ? { ifMatch: etag } : {}
  await to.put(key, sourceOf(bytes), { ...call, ...ifMatch, size: bytes.length })
}
