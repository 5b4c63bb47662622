import { formatLsn } from '@waltz/pg-structures'
import { describeTarget, type RecoveryRequest, type RecoveryTarget } from './recovery-target.ts'
import { formatRecoveryTime } from './target-time.ts'

/** The recovery of one restored copy, as text. */
export interface RecoveryPlan {
  readonly signalFile: 'recovery.signal' | 'standby.signal'
  /** In the order in which they are written. */
  readonly settings: readonly (readonly [name: string, value: string])[]
  /** The marked block that goes to the end of `postgresql.auto.conf`. */
  readonly block: string
  /** What recovery goes to, in words. */
  readonly target: string
  readonly requiredVariables: readonly string[]
}

/** What a recovery plan is made from. */
export interface RecoveryPlanInput {
  readonly request: RecoveryRequest
  /** The whole `restore_command` as the server's shell sees it, with `%f` and `%p`. */
  readonly restoreCommand: string
  /**
   * Reads no WAL before it is needed: PostgreSQL 15 and newer ask for the next segment when the target is still ahead, and stop when that one
   * is known to be missing. Only for servers that know `recovery_prefetch`.
   */
  readonly withoutReadAhead?: boolean
  /** Names of the variables that the server's environment must have for that command. */
  readonly requiredVariables?: readonly string[]
}

const targetNames = [
  'recovery_target',
  'recovery_target_name',
  'recovery_target_time',
  'recovery_target_xid',
  'recovery_target_lsn',
] as const
/** Targets that recovery can stop before or behind. */
const BEFORE_OR_BEHIND: ReadonlySet<RecoveryTarget['kind']> = new Set(['time', 'lsn', 'xid'])
const blockStart = '# >>> written by waltz backup-fetch'
const blockEnd = '# <<< written by waltz backup-fetch'

/**
 * The recovery settings for PostgreSQL 12 and newer. Every setting that could steer recovery is written, so that
 * nothing stale in the restored files takes part: an old target, a connection to the old primary, an apply delay, a
 * clean-up command that would delete from the archive. PostgreSQL refuses a second target even when it is cleared
 * afterwards (the check sits in each setting's assign hook, in file order), so the empty ones come first.
 */
export function planRecovery(input: RecoveryPlanInput): RecoveryPlan {
  const { request } = input
  const chosen = targetSetting(request.target)
  const settings: (readonly [string, string])[] = [['restore_command', input.restoreCommand]]
  for (const name of targetNames) if (name !== chosen?.[0]) settings.push([name, ''])
  if (chosen !== undefined) settings.push(chosen)
  if (BEFORE_OR_BEHIND.has(request.target.kind)) settings.push(['recovery_target_inclusive', request.inclusive ? 'on' : 'off'])
  settings.push(['recovery_target_timeline', String(request.timeline)], ['recovery_target_action', request.action])
  settings.push(['primary_conninfo', ''], ['primary_slot_name', ''])
  settings.push(['recovery_min_apply_delay', '0'], ['archive_cleanup_command', ''], ['recovery_end_command', ''])
  if (input.withoutReadAhead === true) settings.push(['recovery_prefetch', 'off'])
  if (!request.keepArchiving) settings.push(['archive_mode', 'off'])
  return {
    signalFile: request.standby ? 'standby.signal' : 'recovery.signal',
    settings,
    block: formatBlock(settings, input),
    target: describeTarget(request.target),
    requiredVariables: input.requiredVariables ?? [],
  }
}

/**
 * Applies a plan to the text of a restored `postgresql.auto.conf`: lines that set one of the plan's settings become
 * comments, an earlier block of ours goes, the new block comes last.
 */
export function applyRecoveryBlock(autoConf: string, plan: RecoveryPlan): string {
  const names = new Set(plan.settings.map(([name]) => name))
  const kept: string[] = []
  let inOldBlock = false
  for (const line of autoConf.split('\n')) {
    if (line.startsWith(blockStart)) inOldBlock = true
    else if (inOldBlock) inOldBlock = !line.startsWith(blockEnd)
    else kept.push(names.has(settingOf(line)) ? `# disabled by waltz backup-fetch: ${line}` : line)
  }
  while (kept.at(-1) === '') kept.pop()
  return `${kept.length === 0 ? '' : `${kept.join('\n')}\n`}${plan.block}`
}

/** A program that fetches WAL, as the server's shell shall run it. */
export interface RestoreCommandParts {
  /** Absolute path of the program, and its own first arguments where it is a script. */
  readonly program: readonly string[]
  /** Variables set for it. Never a secret: the text ends up in a configuration file. */
  readonly environment?: Readonly<Record<string, string>>
  /** What follows the two names: `--config` and its file. */
  readonly options?: readonly string[]
  /** The program may end with codes of its own, as Node does when it cannot start: the shell turns them into 200. */
  readonly guarded?: boolean
}

/** Codes that the program means; PostgreSQL would take any other up to 125 for the end of the WAL. */
const guard = '|| { code=$?; case $code in 74|75|200) exit $code;; esac; exit 200; }'

/**
 * The text of `restore_command`. Words are quoted for the shell where they need it, and `%` is doubled in them, because
 * PostgreSQL replaces `%f` and `%p` itself.
 */
export function formatRestoreCommand({ program, environment = {}, options = [], guarded = false }: RestoreCommandParts): string {
  const quote = (word: string): string => shellQuote(word).replaceAll('%', '%%')
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${quote(value)}`)
  return [...variables, ...program.map(quote), 'wal-fetch', '"%f"', '"%p"', ...options.map(quote), ...(guarded ? [guard] : [])].join(' ')
}

/** A value as postgresql.conf takes it: in quotes, with quotes doubled and backslashes escaped (guc-file.l). */
export function quoteSetting(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''").replaceAll('\n', '\\n')}'`
}

function targetSetting(target: RecoveryTarget): readonly [string, string] | undefined {
  switch (target.kind) {
    case 'time':
      return ['recovery_target_time', formatRecoveryTime(target.time)]
    case 'lsn':
      return ['recovery_target_lsn', formatLsn(target.lsn)]
    case 'xid':
      return ['recovery_target_xid', target.xid]
    case 'name':
      return ['recovery_target_name', target.name]
    case 'immediate':
      return ['recovery_target', 'immediate']
    case 'end':
    default:
      return undefined
  }
}

function formatBlock(settings: readonly (readonly [string, string])[], input: RecoveryPlanInput): string {
  const variables = input.requiredVariables ?? []
  const lines = [`${blockStart}: recovery to ${describeTarget(input.request.target)}`]
  if (variables.length > 0) lines.push(`# restore_command needs these in the server's environment: ${variables.join(', ')}`)
  for (const [name, value] of settings) lines.push(`${name} = ${quoteSetting(value)}`)
  lines.push(blockEnd)
  return `${lines.join('\n')}\n`
}

function settingOf(line: string): string {
  return (/^\s*([A-Za-z_][A-Za-z0-9_$]*)\s*(?:=|\s)/.exec(line)?.[1] ?? '').toLowerCase()
}

function shellQuote(word: string): string {
  return /^[A-Za-z0-9_./:@%+,=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}
