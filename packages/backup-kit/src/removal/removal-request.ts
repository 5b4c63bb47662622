import type { RetentionPolicy } from '@waltz/retention-policy'

/** Which backups are to go, in WAL-G's words (CMD 5), or by policies. */
export type RemovalWish =
  /** The newest `count` backups stay: with `FULL` so many full ones, with `FIND_FULL` from the full one on that the last of them needs. */
  | { readonly mode: 'retain'; readonly count: number; readonly fulls?: FullsWord | undefined; readonly after?: string | undefined }
  /** What is older than a backup, named by the beginning of its name, or than the first backup stored at or after a time, goes. */
  | { readonly mode: 'before'; readonly what: string; readonly findFull?: boolean }
  /** Everything; permanent backups only with `force`. */
  | { readonly mode: 'everything'; readonly force?: boolean }
  /** One backup with all that depends on it; with `findFull` its whole family. By name, `LATEST`, or user data. No WAL. */
  | { readonly mode: 'target'; readonly name?: string | undefined; readonly userData?: unknown; readonly findFull?: boolean }
  /** What belongs to no backup: WAL that none needs, remains of failed attempts. */
  | { readonly mode: 'garbage'; readonly area?: 'ARCHIVES' | 'BACKUPS' | undefined; readonly withoutBackupCheck?: boolean }
  /** What no policy wants. */
  | { readonly mode: 'policies'; readonly policies: readonly RetentionPolicy[]; readonly series?: string | undefined }

/** `FULL` counts full backups only; `FIND_FULL` counts all and goes on to the full one. */
export type FullsWord = 'FULL' | 'FIND_FULL'

/** What a plan is made from. */
export interface PlanRemovalOptions {
  readonly wish: RemovalWish
  /** How the command was written: for the note of the deletion and for people. */
  readonly command?: string
  /** Times in the wish mean starts of backups instead of when their sentinels were stored. */
  readonly byStartTime?: boolean
  /** A plan that was looked at before: only what had been stored by then is considered. See `RemovalPlan.id`. */
  readonly planId?: string
  readonly observe?: (event: RemovalEvent) => void
  readonly signal?: AbortSignal
}

/** What is told while a plan is made or carried out. */
export type RemovalEvent =
  | { readonly type: 'removal-listed'; readonly storage: string; readonly objects: number }
  | { readonly type: 'removal-progress'; readonly storage: string; readonly objects: number; readonly bytes: number }
  | { readonly type: 'removal-warning'; readonly message: string }

/** `20260301T021044123Z-0123456789abcdef`: when a plan was made, and the beginning of its hash. */
const PLAN_ID = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})(\d{3})Z-[0-9a-f]{16}$/

/** The identifier of a plan from its moment and its hash. */
export function formatPlanId(now: Date, hash: string): string {
  return `${now.toISOString().replaceAll(/[-:.]/g, '')}-${hash.slice(0, 16)}`
}

/** The moment in the identifier of a plan; undefined for other texts. */
export function momentOfPlanId(id: string): Date | undefined {
  const [, year, month, day, hour, minute, second, ms] = PLAN_ID.exec(id) ?? []
  if (year === undefined) return undefined
  const moment = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}.${ms}Z`)
  return Number.isNaN(moment.getTime()) ? undefined : moment
}
