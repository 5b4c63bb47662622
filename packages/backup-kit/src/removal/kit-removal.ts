import type { Settings } from '@waltz/settings'
import { createHistoryReader } from '../catalogue/read-history.ts'
import { failoverSettings } from '../failover/failover-settings.ts'
import type { KitStorages } from '../kit-storage.ts'
import { sleep } from '../push.ts'
import type { KitSurroundings } from '../surroundings.ts'
import { applyRemovalWithParts, type ApplyRemovalOptions, type RemovalResult } from './apply-removal.ts'
import { planRemovalWithParts, type RemovalParts } from './plan-removal.ts'
import type { RemovalPlan } from './removal-plan.ts'
import type { PlanRemovalOptions } from './removal-request.ts'

/** What a kit is made of. */
export interface KitParts {
  readonly settings: Settings
  readonly surroundings: KitSurroundings
  readonly storages: KitStorages
}

/** See `BackupKit.planRemoval`. */
export async function planKitRemoval(kit: KitParts, options: PlanRemovalOptions): Promise<RemovalPlan> {
  return await planRemovalWithParts(await openParts(kit), options)
}

/** See `BackupKit.applyRemoval`. */
export async function applyKitRemoval(kit: KitParts, options: ApplyRemovalOptions): Promise<RemovalResult> {
  return await applyRemovalWithParts(await openParts(kit), options)
}

/**
 * What a deletion needs of a kit: all storages but those of WALTZ_FAILOVER_IGNORE, whether they answer or not, since one that does not must
 * stop it; WALG_TARGET_STORAGE does not count, as for WAL-G (CMD 2.4).
 */
async function openParts({ settings, surroundings, storages }: KitParts): Promise<RemovalParts> {
  const { ignored } = failoverSettings(settings, undefined)
  const all = await storages.list()
  return {
    surroundings,
    storages: all.filter(({ name }) => !ignored.includes(name)),
    leftOut: all.map(({ name }) => name).filter((name) => ignored.includes(name)),
    sleep,
    writtenWithinMs: settings.unfinishedBackupAge,
    spoolFolder: settings.spoolDir ?? surroundings.temporaryFolder,
    readHistory: createHistoryReader(storages),
  }
}
