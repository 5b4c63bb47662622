import { formatPosition } from '@waltz/repository/removal'
import type { Decided } from './decide.ts'
import type { WalSum } from './removal-plan.ts'
import { branchOf } from './retainable-backups.ts'

/** Why the WAL of a timeline stays as far as it does. */
export function explainWal({ timeline, kept }: WalSum, { plan, byId, keepsWal }: Decided): string {
  if (kept.objects === 0) return 'no backup that stays needs it'
  if (keepsWal) return 'a storage that is left out may need it'
  if (plan.findings.some(({ kind }) => kind === 'log-held')) return 'see the notes'
  const { requirements = [] } = plan.log.find(({ branch }) => branch === branchOf(timeline)) ?? {}
  const nameOf = (id: string | undefined): string => byId.get(id ?? '')?.name ?? 'a backup'
  const onward = requirements.find(({ to }) => to === undefined)
  const themselves = [...new Set(requirements.flatMap(({ to, backup }) => (to === undefined ? [] : [nameOf(backup)])))]
  const others = themselves.filter((name) => onward === undefined || name !== nameOf(onward.backup))
  const texts = [
    onward && `${onward.from > 0n ? `from ${formatPosition(timeline, onward.from)} on ` : ''}needed to go on from ${nameOf(onward.backup)}`,
    others.length > 0 && `needed to restore ${others.length === 1 ? others[0] : `each of ${others.length} backups`}`,
  ].filter((text) => typeof text === 'string')
  return texts.length > 0 ? texts.join('; ') : 'not what this command deletes'
}
