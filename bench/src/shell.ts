/** Pipelines of peers that are more than one program. */
import type { Command } from './model.ts'

/** A word of a shell's command line. */
export function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}

/** A command line run by bash, which fails when any part of a pipeline does. */
export function pipeline(line: string): Command {
  return { argv: ['/bin/bash', '-c', `set -e -o pipefail; ${line}`] }
}
