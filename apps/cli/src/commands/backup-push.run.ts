import { Fault } from '@waltz/errors'
import type { Invocation } from '../command.ts'

/** Stands here until the command is written. */
export function runBackupPush(_invocation: Invocation): Promise<number> {
  return Promise.reject(new Fault('unsupported', 'NOT_AVAILABLE_YET', 'backup-push is not available yet'))
}
