import { isFault, throwIfAborted } from '@waltz/errors'
import { backupsFolder, walFolder, waltzFolder } from '@waltz/repository'
import { catchupFolder } from '@waltz/repository/removal'
import type { CallOptions, ObjectVersion, StoreMaintenance } from '@waltz/storage'
import type { GarbageFinding } from './find-garbage.ts'

/** A storage whose versions are looked through. */
export interface VersionedStorage {
  readonly name: string
  readonly maintenance: Pick<StoreMaintenance, 'versions'>
}

interface HiddenSum {
  objects: number
  bytes: number
  oldestAt: Date | undefined
  newestAt: Date | undefined
  where: string
}

/**
 * Versions that no listing shows, and that cost as much as others: what lies behind a delete marker, as programs leave it that delete
 * without naming versions, and what a newer version replaced. One listing of all versions; memory for sums only. Storages that keep no
 * versions, or do not let them be seen, are told in `warnings`.
 */
export async function findHiddenVersions(
  storages: readonly VersionedStorage[],
  options: CallOptions = {},
): Promise<{ readonly findings: readonly GarbageFinding[]; readonly warnings: readonly string[] }> {
  const findings: GarbageFinding[] = []
  const warnings: string[] = []
  for (const storage of storages) {
    try {
      findings.push(...(await ofStorage(storage, options)))
    } catch (error) {
      throwIfAborted(options.signal)
      if (!isFault(error)) throw error
      const what = isFault(error, 'unsupported') ? 'keeps no versions' : 'did not let its versions be looked at'
      warnings.push(`the storage ${storage.name} ${what}: ${error.message}`)
    }
  }
  return { findings, warnings }
}

const FOLDERS: readonly string[] = [backupsFolder, catchupFolder, walFolder, waltzFolder]

async function ofStorage({ name, maintenance }: VersionedStorage, options: CallOptions): Promise<readonly GarbageFinding[]> {
  const findings: GarbageFinding[] = []
  for (const folder of FOLDERS) {
    const [deleted, replaced] = [emptySum(), emptySum()]
    let newest: ObjectVersion | undefined
    for await (const version of maintenance.versions(folder, options)) {
      const isNewest = newest?.key !== version.key
      if (isNewest) newest = version
      if (newest?.deleteMarker === true) add(deleted, version)
      else if (!isNewest) add(replaced, version)
    }
    findings.push(...finding('deleted-versions', name, deleted), ...finding('replaced-versions', name, replaced))
  }
  return findings
}

function emptySum(): HiddenSum {
  return { objects: 0, bytes: 0, oldestAt: undefined, newestAt: undefined, where: '' }
}

function add(sum: HiddenSum, { key, size, modifiedAt }: ObjectVersion): void {
  if (sum.objects === 0) sum.where = key
  sum.objects += 1
  sum.bytes += size
  if (sum.oldestAt === undefined || modifiedAt < sum.oldestAt) sum.oldestAt = modifiedAt
  if (sum.newestAt === undefined || modifiedAt > sum.newestAt) sum.newestAt = modifiedAt
}

const REASONS = {
  'deleted-versions':
    'somebody deleted these objects and left their versions, which cost as before: `waltz st rm --all-versions` removes them',
  'replaced-versions': 'older versions of objects that were replaced, which cost as before; they go when the object is deleted',
} as const

function finding(kind: keyof typeof REASONS, storage: string, sum: HiddenSum): readonly GarbageFinding[] {
  if (sum.objects === 0) return []
  const where = sum.objects === 1 ? sum.where : `${sum.where} and others`
  return [{ ...sum, where, kind, storage, removable: false, backup: undefined, timeline: undefined, reason: REASONS[kind] }]
}
