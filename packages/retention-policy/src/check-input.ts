import { Fault } from '@waltz/errors'
import type { RetainableBackup } from './backup.ts'
import type { LogRun } from './log.ts'
import type { RetentionOptions } from './plan-retention.ts'

/**
 * Refuses what no plan can be made of.
 * @throws Fault `invalid` `RETENTION_INPUT_INVALID`.
 */
export function checkInput(backups: readonly RetainableBackup[], { now, log }: RetentionOptions): void {
  const seen = new Set<string>()
  const check = (what: string, isSound: boolean): void => {
    if (!isSound || seen.has(what)) throw new Fault('invalid', 'RETENTION_INPUT_INVALID', `${what} is doubled or senseless`)
    seen.add(what)
  }
  check('now', isMoment(now))
  for (const { id, log, startedAt, finishedAt, storedAt, bytes } of backups)
    check(`backup ${id}`, [startedAt, finishedAt, storedAt].every(isMoment) && isSize(bytes) && (!log || log.from <= (log.to ?? log.from)))
  for (const { id, runs } of log?.branches ?? []) check(`branch ${id}`, runs.every(isInOrder))
}

const isMoment = (moment: Date | undefined): boolean => !moment || moment.getTime() < Infinity
const isSize = (bytes = 0): boolean => bytes >= 0 && bytes < Infinity
const isInOrder = ({ from, to, bytes, lastAt }: LogRun, index: number, runs: readonly LogRun[]): boolean =>
  (runs[index - 1]?.to ?? 0n) <= from && from < to && isSize(bytes) && isMoment(lastAt)
