import { applyRestore } from './apply-restore.ts'
import { prepareRestore } from './prepare-restore.ts'
import type { ApplyRestoreOptions, RestorePlan, RestoreRequest, RestoreResult } from './restore-options.ts'

/**
 * Says everything that `restoreBackup` would do, without writing anything.
 * @throws Fault as `prepareRestore`; problems of the destination are in `refusals`.
 */
export async function planRestore(request: RestoreRequest): Promise<RestorePlan> {
  using prepared = await prepareRestore(request)
  return prepared.plan
}

/**
 * Restores a full backup into an empty folder. `onPlan` sees the plan before anything is written and may throw.
 * @throws Fault as `prepareRestore` and `applyRestore`.
 */
export async function restoreBackup(
  request: RestoreRequest,
  options: ApplyRestoreOptions & { readonly onPlan?: (plan: RestorePlan) => void },
): Promise<RestoreResult> {
  using prepared = await prepareRestore(request)
  options.onPlan?.(prepared.plan)
  return await applyRestore(prepared, options)
}
