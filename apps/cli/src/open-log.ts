import { closeSync, openSync, writeSync } from 'node:fs'
import { resolve } from 'node:path'
import { Fault } from '@waltz/errors'
import type { CommandIo } from './command.ts'
import { createLog, type Log, type LogLevel } from './log.ts'
import type { Screen } from './screen.ts'

/** A log and the file that it may have opened. */
export interface OpenLog extends Disposable {
  readonly log: Log
  /** Whether lines go to a file rather than to standard error. */
  readonly toFile: boolean
}

/**
 * Opens the log that the settings ask for: standard error, or a file to append to, made with mode 0644 (SET 3.1).
 * @throws Fault `invalid` `LOG_DESTINATION_UNUSABLE` when that file cannot be opened.
 */
export function openLog(settings: { readonly level: LogLevel; readonly destination: string }, screen: Screen, io: CommandIo): OpenLog {
  const { level, destination } = settings
  if (destination === '' || destination === 'stderr') {
    return { log: createLog({ write: screen.line, now: io.now, level }), toFile: false, [Symbol.dispose]: () => undefined }
  }
  const path = resolve(io.cwd, destination)
  const file = openForAppending(path)
  const write = (line: string): void => {
    try {
      writeSync(file, `${line}\n`)
    } catch {
      // A full disk under the log must not end the work that the line tells about.
      screen.line(line)
    }
  }
  return { log: createLog({ write, now: io.now, level }), toFile: true, [Symbol.dispose]: () => closeSync(file) }
}

function openForAppending(path: string): number {
  try {
    return openSync(path, 'a', 0o644)
  } catch (cause) {
    throw new Fault('invalid', 'LOG_DESTINATION_UNUSABLE', `the log file ${path} cannot be opened`, {
      hint: 'correct WALG_LOG_DESTINATION, or the permissions of that folder',
      context: { path },
      cause,
    })
  }
}
