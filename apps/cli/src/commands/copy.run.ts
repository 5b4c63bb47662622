import { parseBackupSelector } from '@waltz/repository'
import { Fault } from '@waltz/errors'
import type { CopyEvent, CopyResult } from '@waltz/backup-kit/copy'
import type { Invocation } from '../command.ts'
import { formatBytes } from '../format-amount.ts'
import { surroundingsOf } from '../open-kit.ts'
import { renderPlainTable } from '../render-table.ts'
import { usageFault } from '../usage-fault.ts'
import { openConfigSide } from './config-side.ts'
import { textFlag } from './st/targets.ts'
import { logWalEvent } from './wal-events.ts'

/**
 * Copies backups between the repositories of two config files (CMD 3.5). Resolves to 0.
 * @throws Fault of `copyBetweenKits`; `COPY_INCOMPLETE`, of the kind of the first failure, after everything was printed when something that
 * should have been copied was not. `invalid` `USAGE` without --from or --to.
 */
export async function runCopy(invocation: Invocation): Promise<number> {
  const { io, log, flags, progress, json } = invocation
  const { copyBetweenKits } = await import('@waltz/backup-kit/copy')
  await using from = await openConfigSide(invocation, requiredFlag(invocation, 'from'))
  await using to = await openConfigSide(invocation, requiredFlag(invocation, 'to'))
  const name = textFlag(invocation, 'backup-name') ?? ''
  const isSet = (flag: string): boolean => flags[flag] === true
  const result = await copyBetweenKits({
    from,
    to,
    surroundings: surroundingsOf(io, undefined),
    fromStorage: textFlag(invocation, 'from-storage'),
    toStorage: textFlag(invocation, 'to-storage'),
    backup: name === '' ? undefined : parseBackupSelector(name),
    withHistory: isSet('with-history'),
    reencrypt: isSet('reencrypt'),
    recompress: isSet('recompress'),
    dryRun: isSet('dry-run'),
    recheck: isSet('recheck'),
    compare: isSet('by-size') ? 'size' : 'content',
    missingWal: isSet('allow-missing-wal') ? 'report' : 'refuse',
    otherCluster: isSet('allow-other-cluster') ? 'allow' : 'refuse',
    signal: io.signal,
    observe: createObserver(invocation),
  }).finally(() => progress.finish())
  io.stdout(json ? `${JSON.stringify(jsonOf(result))}\n` : tableOf(result))
  log.info(summaryOf(result, `${from.store.location} to ${to.store.location}`))
  const incomplete = incompleteFault(result)
  if (incomplete !== undefined) throw incomplete
  return 0
}

function requiredFlag(invocation: Invocation, name: 'from' | 'to'): string {
  const path = textFlag(invocation, name)
  if (path !== undefined && path !== '') return path
  throw usageFault(`--${name} names the config file of the repository to copy ${name}`, { command: 'copy' })
}

/** Lines of the log, and the progress. */
function createObserver({ log, progress }: Invocation): (event: CopyEvent) => void {
  let bytes = 0
  return (event) => {
    switch (event.type) {
      case 'planned':
        log.info(`${event.backups.length} backups to copy, the oldest first`)
        return progress.phase('copying')
      case 'object':
        log.debug(`${event.key}: ${event.outcome}`)
        return progress.update((bytes += event.bytes))
      case 'backup':
        return log.info(`${event.name}: ${event.outcome === 'copied' ? 'copied' : 'is there already'}`)
      case 'left':
        return log.warn(`${event.name} is not copied: ${REASONS[event.reason]}${event.why === undefined ? '' : ` (${event.why})`}`)
      case 'failed':
        return log.error(
          `${event.name}: ${event.fault.code}: ${event.fault.message}${event.fault.hint === undefined ? '' : `. ${event.fault.hint}`}`,
        )
      case 'warning':
        return log.warn(event.message)
      case 'archive':
        return logWalEvent(log, event.event)
    }
  }
}

const REASONS: Readonly<Record<CopyResult['left'][number]['reason'], string>> = {
  'being-written': 'it is being made',
  unfinished: 'it was never finished',
  'sentinel-unreadable': 'its sentinel cannot be read',
  'lost-parent': 'a backup that it is an increment of is missing',
  'parent-failed': 'a backup that it is an increment of could not be copied',
}

function tableOf({ backups, left, wal }: CopyResult): string {
  const rows = backups.map(({ name, outcome, sent, present }) => [
    name,
    outcome,
    `${sent.objects} (${formatBytes(sent.bytes)})`,
    String(present.objects),
  ])
  const others = left.map(({ name, reason }) => [name, reason, '-', '-'])
  const archive = ['WAL', '-', `${wal.sent.objects} (${formatBytes(wal.sent.bytes)})`, String(wal.present.objects)]
  return renderPlainTable(['name', 'outcome', 'objects sent', 'there already'], [...rows, ...others, archive])
}

function jsonOf({ failures, missingWal, dryRun, ...rest }: CopyResult): Record<string, unknown> {
  return {
    ...rest,
    dry_run: dryRun,
    missing_wal: missingWal,
    failures: failures.map(({ name, key, fault: { code, message } }) => ({ name, key, code, message })),
  }
}

function summaryOf({ dryRun, backups, wal }: CopyResult, way: string): string {
  const all = [...backups, wal]
  const sum = (pick: (one: (typeof all)[number]) => number): number => all.reduce((total, one) => total + pick(one), 0)
  const sent = `${sum(({ sent }) => sent.objects)} objects, ${formatBytes(sum(({ sent }) => sent.bytes))}`
  const present = `${sum(({ present }) => present.objects)} were there already`
  return dryRun ? `would copy ${sent}, from ${way}; ${present}; nothing was stored` : `copied ${sent}, from ${way}; ${present}`
}

/** A backup that is being made is nobody's fault; one that should be whole and is not is. */
function incompleteFault({ failures, left }: CopyResult): Fault | undefined {
  const lost = left.filter(({ reason }) => reason !== 'being-written' && reason !== 'unfinished')
  if (failures.length === 0 && lost.length === 0) return undefined
  const names = [...new Set([...failures, ...lost].map(({ name }) => name))]
  return new Fault(failures[0]?.fault.kind ?? 'corrupt', 'COPY_INCOMPLETE', `not everything was copied: ${names.slice(0, 10).join(', ')}`, {
    hint: 'the log says why; what was copied is whole, and running the command again goes on from there',
    context: { failed: failures.length, left: lost.length },
    retryable: false,
  })
}
