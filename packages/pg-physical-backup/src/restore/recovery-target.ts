import { Fault } from '@waltz/errors'
import { formatLsn, parseLsn, type Lsn } from '@waltz/pg-structures'
import { parseTargetTime, type LocalOffset, type TargetTime } from './target-time.ts'

/** How far recovery goes. `immediate` is the end of the backup itself, `end` that of the archived WAL. */
export type RecoveryTarget =
  | { readonly kind: 'time'; readonly time: TargetTime }
  | { readonly kind: 'lsn'; readonly lsn: Lsn }
  | { readonly kind: 'xid'; readonly xid: string }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'immediate' }
  | { readonly kind: 'end' }

/** What the server does at the target. */
export type TargetAction = 'pause' | 'promote' | 'shutdown'
/** The timeline to follow: the newest, that of the backup, or a number. */
export type TargetTimeline = 'latest' | 'current' | number

/** Everything that decides the recovery settings of a restored copy. */
export interface RecoveryRequest {
  readonly target: RecoveryTarget
  readonly timeline: TargetTimeline
  /** Stop just after the target (true, PostgreSQL's default) or just before it. Means nothing for `name`, `immediate` and `end`. */
  readonly inclusive: boolean
  readonly action: TargetAction
  /** Write `standby.signal` instead of `recovery.signal`. */
  readonly standby: boolean
  /** Leave `archive_mode` as the backup has it. */
  readonly keepArchiving: boolean
}

/** The texts of the `--target-*` flags, undefined where not given. */
export interface RecoveryFlags {
  readonly time?: string | undefined
  readonly lsn?: string | undefined
  readonly xid?: string | undefined
  readonly name?: string | undefined
  readonly immediate?: boolean | undefined
  readonly timeline?: string | undefined
  readonly action?: string | undefined
  readonly inclusive?: string | undefined
  readonly standby?: boolean | undefined
  readonly keepArchiving?: boolean | undefined
}

/**
 * Reads the recovery flags. undefined when no target, timeline, action or standby was asked for: then a restore
 * writes no recovery setting at all.
 * @throws Fault `invalid` `RECOVERY_TARGET_INVALID` for a text that PostgreSQL would refuse, and when more than one of
 * time, LSN, transaction, name and the backup's own end is given.
 */
export function parseRecoveryFlags(flags: RecoveryFlags, localOffset: LocalOffset): RecoveryRequest | undefined {
  const target = targetOf(flags, localOffset)
  const asked = target.kind !== 'end' || flags.standby === true || flags.timeline !== undefined
  if (!asked) {
    const loose = flags.action !== undefined ? '--target-action' : flags.inclusive !== undefined ? '--target-inclusive' : undefined
    if (loose !== undefined)
      throw invalid(`${loose} needs a target`, 'Give --target-time, --target-lsn, --target-xid, --target-name or --target-immediate too.')
    return undefined
  }
  return {
    target,
    // Other timelines may leave this one before the backup ended.
    timeline: target.kind === 'immediate' && flags.timeline === undefined ? 'current' : parseTimeline(flags.timeline),
    inclusive: parseInclusive(flags.inclusive),
    action: parseAction(flags.action),
    standby: flags.standby === true,
    keepArchiving: flags.keepArchiving === true,
  }
}

/** One line for people: what the target is. */
export function describeTarget(target: RecoveryTarget): string {
  switch (target.kind) {
    case 'time':
      return `time ${target.time.text}`
    case 'lsn':
      return `LSN ${formatLsn(target.lsn)}`
    case 'xid':
      return `transaction ${target.xid}`
    case 'name':
      return `restore point '${target.name}'`
    case 'immediate':
      return 'the end of the backup itself'
    case 'end':
    default:
      return 'the end of the archived WAL'
  }
}

function targetOf(flags: RecoveryFlags, localOffset: LocalOffset): RecoveryTarget {
  const given = (['time', 'lsn', 'xid', 'name', 'immediate'] as const).filter((key) => flags[key] !== undefined && flags[key] !== false)
  if (given.length > 1) {
    const names = given.map((key) => `--target-${key}`).join(' and ')
    throw invalid(`${names} exclude each other`, 'PostgreSQL stops at one target: give one of them.')
  }
  if (flags.time !== undefined) return { kind: 'time', time: parseTargetTime(flags.time, localOffset) }
  if (flags.lsn !== undefined) return { kind: 'lsn', lsn: parseTargetLsn(flags.lsn) }
  if (flags.xid !== undefined) return { kind: 'xid', xid: parseXid(flags.xid) }
  if (flags.name !== undefined) return { kind: 'name', name: parseName(flags.name) }
  return { kind: flags.immediate === true ? 'immediate' : 'end' }
}

function parseTargetLsn(text: string): Lsn {
  try {
    return parseLsn(text)
  } catch (cause) {
    throw invalid(`'${text}' is not an LSN`, "An LSN looks like '0/3000028'.", cause)
  }
}

function parseXid(text: string): string {
  if (/^[0-9]{1,20}$/.test(text) && BigInt(text) < 1n << 64n) return BigInt(text).toString()
  throw invalid(`'${text}' is not a transaction number`, 'Give the number as pg_current_xact_id() prints it.')
}

/** PostgreSQL keeps 63 bytes of a restore point's name (xlog.h MAXFNAMELEN). */
function parseName(text: string): string {
  const bytes = new TextEncoder().encode(text).length
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  if (bytes > 0 && bytes <= 63 && !/[\u0000-\u001f\u007f]/.test(text)) return text
  throw invalid(
    'the name of the restore point is empty, longer than 63 bytes or holds control characters',
    'Give it as in pg_create_restore_point.',
  )
}

function parseTimeline(text: string | undefined): TargetTimeline {
  if (text === undefined) return 'latest'
  if (text === 'latest' || text === 'current') return text
  const number = /^(?:0x[0-9a-f]{1,8}|[0-9]{1,10})$/i.test(text) ? Number(text) : 0
  if (number >= 1 && number <= 0xffffffff) return number
  throw invalid(`'${text}' is not a timeline`, "Give a number, 'latest' or 'current'.")
}

function parseAction(text: string | undefined): TargetAction {
  if (text === undefined) return 'pause'
  if (text === 'pause' || text === 'promote' || text === 'shutdown') return text
  throw invalid(`'${text}' is not an action`, "Give 'pause', 'promote' or 'shutdown'.")
}

function parseInclusive(text: string | undefined): boolean {
  if (text === undefined || /^(?:true|on|yes|1|t|y)$/i.test(text)) return true
  if (/^(?:false|off|no|0|f|n)$/i.test(text)) return false
  throw invalid(`'${text}' is neither true nor false`, 'Use --target-inclusive=true or --target-inclusive=false.')
}

function invalid(message: string, hint: string, cause?: unknown): Fault {
  return new Fault('invalid', 'RECOVERY_TARGET_INVALID', message, { hint, cause })
}
