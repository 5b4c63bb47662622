import type { FlagDefinition } from './command.ts'
import { usageFault } from './usage-fault.ts'

/** A flag as the parser needs it. */
export type FlagShape = Pick<FlagDefinition, 'name' | 'type'>

/** Which flags exist: by name without dashes, and by letter. */
export interface FlagLookUp {
  readonly byName: (name: string) => FlagShape | undefined
  readonly byLetter: (letter: string) => FlagShape | undefined
}

/** A command line taken apart. */
export interface ParsedFlags {
  /** By name; the last one wins. */
  readonly flags: ReadonlyMap<string, string | boolean>
  readonly args: readonly string[]
}

const TRUE = new Set(['1', 't', 'T', 'TRUE', 'true', 'True'])
const FALSE = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False'])

/** What to do about a flag that nobody knows; a parser that only looks for the command skips it. */
export type UnknownFlag = (name: string, written: string) => void

/**
 * Takes a command line apart as WAL-G's does (CMD 1.2): flags and arguments in any order, `--flag=x` and `--flag x`,
 * booleans as `--full` or `--full=false`, letters bundled (`-pf`), everything after `--` is an argument.
 * @throws Fault `invalid` `USAGE` for a missing value and for a boolean that is none; whatever `onUnknown` throws.
 */
export function parseFlags(argv: readonly string[], lookUp: FlagLookUp, onUnknown: UnknownFlag): ParsedFlags {
  const flags = new Map<string, string | boolean>()
  const args: string[] = []
  const queue = [...argv]
  const take: Take = (flag, written, inline) =>
    flags.set(
      flag.name,
      valueOf(flag, written, inline, () => queue.shift()),
    )
  for (let word = queue.shift(); word !== undefined; word = queue.shift()) {
    if (word === '--') {
      args.push(...queue)
      break
    }
    if (word.startsWith('--')) readLong(word, { lookUp, onUnknown, take })
    else if (word.startsWith('-') && word.length > 1) readLetters(word, { lookUp, onUnknown, take })
    else args.push(word)
  }
  return { flags, args }
}

type Take = (flag: FlagShape, written: string, inline: string | undefined) => void
interface Reading {
  readonly lookUp: FlagLookUp
  readonly onUnknown: UnknownFlag
  readonly take: Take
}

function readLong(word: string, { lookUp, onUnknown, take }: Reading): void {
  const equals = word.indexOf('=')
  const name = equals === -1 ? word.slice(2) : word.slice(2, equals)
  const flag = lookUp.byName(name)
  if (flag === undefined) onUnknown(name, `--${name}`)
  else take(flag, `--${name}`, equals === -1 ? undefined : word.slice(equals + 1))
}

/** `-pf` is two flags; the rest after a letter that takes a value is that value; `=` may stand between. */
function readLetters(word: string, { lookUp, onUnknown, take }: Reading): void {
  for (let index = 1; index < word.length; index++) {
    const letter = word.charAt(index)
    const flag = lookUp.byLetter(letter)
    if (flag === undefined) {
      onUnknown(letter, `-${letter}`)
      return
    }
    const rest = word.slice(index + 1)
    if (flag.type === 'boolean' && !rest.startsWith('=')) {
      take(flag, `-${letter}`, undefined)
      continue
    }
    take(flag, `-${letter}`, rest === '' ? undefined : rest.replace(/^=/, ''))
    return
  }
}

function valueOf(flag: FlagShape, written: string, inline: string | undefined, next: () => string | undefined): string | boolean {
  if (flag.type === 'string') {
    const value = inline ?? next()
    if (value === undefined) throw usageFault(`${written} needs a value`)
    return value
  }
  if (inline === undefined || TRUE.has(inline)) return true
  if (FALSE.has(inline)) return false
  throw usageFault(`${written} is true or false, and nothing else`)
}
