/**
 * Which backups to keep and why, what of the log the kept ones need, and what can be restored before and after. Policies vote to keep;
 * the planner protects what must not go. Pure: no I/O, no clock, no Node module; it runs wherever JavaScript does.
 */
export type { BackupState, RetainableBackup } from './backup.ts'
export type { LogArea, LogBranch, LogFork, LogNeed, LogRun, LogSpan, RetainableLog } from './log.ts'
export type { PolicyContext, RetentionChoice, RetentionPolicy } from './policy.ts'
export type {
  BranchPlan,
  LogRequirement,
  ReasonKind,
  RestorableWindow,
  RetentionDecision,
  RetentionFinding,
  RetentionPlan,
  RetentionReason,
} from './plan.ts'
export { planRetention, type RetentionOptions } from './plan-retention.ts'
export { newestFirst } from './order.ts'
export { archive, keepAll, keepFulls, keepLast, keepMinimum, keepSince, keepWhere, keepWindow, keepWithin } from './policies.ts'
export { keepCalendar, type CalendarPeriod } from './calendar.ts'
export { formatPolicies, parsePolicies } from './policy-text.ts'
export { faultCodes } from './fault-codes.ts'
