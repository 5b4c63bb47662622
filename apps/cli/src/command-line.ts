import { flagNameOf, namesOf, nearestName, settingsTable, type SettingRow } from '@waltz/settings'
import type { CommandDefinition, FlagDefinition } from './command.ts'
import { commandsBelow, findCommand, findGroup } from './commands/index.ts'
import { laterCommand, laterCommandNames } from './later-commands.ts'
import { parseFlags, type FlagLookUp, type FlagShape, type ParsedFlags } from './parse-flags.ts'
import { notAvailableFault, usageFault } from './usage-fault.ts'

/** Flags that every command has. */
export const globalFlags: readonly FlagDefinition[] = [
  { name: 'config', type: 'string', valueName: 'FILE', summary: 'Config file; also WALG_CONFIG_PATH' },
  { name: 'turbo', type: 'boolean', summary: 'Ignore the rate limits of the configuration' },
  { name: 'json', type: 'boolean', summary: 'Print the result as JSON, and nothing else, on standard output' },
  { name: 'help', short: 'h', type: 'boolean', summary: 'Help for waltz or for a command' },
  { name: 'version', short: 'v', type: 'boolean', summary: 'Version and commit' },
]

/** Words that are no commands with a definition of their own. */
const BUILT_IN = ['help', 'flags']

/** What a command line asks for. */
export type Request =
  /** Help for a command, for a group of commands such as `st`, or for everything. */
  | { readonly kind: 'help'; readonly command: CommandDefinition | undefined; readonly group?: string }
  | { readonly kind: 'version' }
  | { readonly kind: 'flags' }
  | {
      readonly kind: 'run'
      readonly command: CommandDefinition
      readonly args: readonly string[]
      readonly flags: Readonly<Record<string, string | boolean>>
      /** Settings given as flags, by their names in the environment. */
      readonly settingFlags: Readonly<Record<string, string>>
    }

let flagNames: ReadonlyMap<string, string> | undefined
/** Every flag that stands for a setting, by flag name (CMD 1.2). Made for the first flag: most command lines of a server have none. */
function settingFlagNames(): ReadonlyMap<string, string> {
  flagNames ??= new Map(
    Object.values<SettingRow>(settingsTable)
      .filter((row) => row.flag !== false)
      .flatMap(namesOf)
      .map((name) => [flagNameOf(name), name]),
  )
  return flagNames
}

/** The words of a command line that are no flags, flags of any command skipped with their values. */
export function wordsOf(argv: readonly string[], commands: readonly CommandDefinition[]): readonly string[] {
  const all = [...globalFlags, ...commands.flatMap((command) => command.flags)]
  try {
    return parseFlags(argv, lookUpIn(all), () => undefined).args
  } catch {
    // The mistake is reported when the command's own flags are read; here only the words before it matter.
    return argv.filter((word) => !word.startsWith('-'))
  }
}

/**
 * Reads a command line whole: which command, its flags, its arguments.
 * @throws Fault `invalid` `USAGE` for anything unknown, missing or too many, with the nearest known name; `invalid`
 * `NOT_AVAILABLE_YET` for commands and flags of WAL-G that are not there yet.
 */
export function parseCommandLine(argv: readonly string[], commands: readonly CommandDefinition[]): Request {
  const words = wordsOf(argv, commands)
  const [word] = words
  if (word === undefined || BUILT_IN.includes(word)) return parseWithoutCommand(argv, words, commands)
  const found = findCommand(words, commands)
  if (found === undefined) return helpForGroup(argv, words, commands)
  const { command } = found
  const parsed = parseFlags(argv, lookUpIn([...command.flags, ...globalFlags]), refuseUnknown(command))
  if (parsed.flags.get('help') === true) return { kind: 'help', command }
  if (parsed.flags.get('version') === true) return { kind: 'version' }
  return { kind: 'run', command, ...splitFlags(command, parsed), args: checkedArguments(command, parsed.args.slice(found.words)) }
}

/** `waltz st` and `waltz st --help`; anything further that is no command of the group is a mistake. */
function helpForGroup(argv: readonly string[], words: readonly string[], commands: readonly CommandDefinition[]): Request {
  const group = findGroup(words, commands)
  if (group === undefined || group.split(' ').length < words.length) throw unknownCommand(words, commands)
  parseFlags(argv, lookUpIn(globalFlags), refuseUnknown(undefined))
  return { kind: 'help', command: undefined, group }
}

function parseWithoutCommand(argv: readonly string[], words: readonly string[], commands: readonly CommandDefinition[]): Request {
  const [word, ...rest] = words
  const parsed = parseFlags(argv, lookUpIn(globalFlags), refuseUnknown(undefined))
  if (parsed.flags.get('version') === true) return { kind: 'version' }
  if (word === 'flags' && parsed.flags.get('help') !== true) return { kind: 'flags' }
  const [next] = rest
  if (word !== 'help' || next === undefined || BUILT_IN.includes(next)) return { kind: 'help', command: undefined }
  const found = findCommand(rest, commands)
  if (found !== undefined) return { kind: 'help', command: found.command }
  const group = findGroup(rest, commands)
  if (group === undefined || group.split(' ').length < rest.length) throw unknownCommand(rest, commands)
  return { kind: 'help', command: undefined, group }
}

function lookUpIn(flags: readonly FlagDefinition[]): FlagLookUp {
  return {
    byName: (name) => flags.find((flag) => flag.name === name) ?? settingFlag(name),
    byLetter: (letter) => flags.find((flag) => flag.short === letter),
  }
}

function settingFlag(name: string): FlagShape | undefined {
  return settingFlagNames().has(name) ? { name, type: 'string' } : undefined
}

function refuseUnknown(command: CommandDefinition | undefined): (name: string, written: string) => never {
  return (name, written) => {
    const near = nearestName(name, [...[...(command?.flags ?? []), ...globalFlags].map((flag) => flag.name), ...settingFlagNames().keys()])
    const hint = written.startsWith('--') && near !== undefined ? `did you mean --${near}?` : undefined
    throw usageFault(`unknown flag ${written}`, { command: command?.name, hint })
  }
}

function unknownCommand(words: readonly string[], commands: readonly CommandDefinition[]): Error {
  const [word = '', next] = words
  const later = laterCommand(word, next)
  if (later !== undefined) return notAvailableFault(`the command ${later}`)
  const group = findGroup(words, commands)
  const wrong = group === undefined ? word : words.slice(0, group.split(' ').length + 1).join(' ')
  const near = nearestName(wrong, [
    ...commands.flatMap((command) => [command.name, ...(command.aliases ?? [])]),
    ...commands.map((command) => command.name.split(' ')[0] ?? ''),
    ...BUILT_IN,
    ...laterCommandNames,
  ])
  const all = group === undefined ? [] : commandsBelow(group, commands).map((command) => command.name)
  const hint = near === undefined ? (all.length === 0 ? undefined : `there are: ${all.join(', ')}`) : `did you mean ${near}?`
  return usageFault(`unknown command ${JSON.stringify(wrong)}`, { hint })
}

function splitFlags(
  command: CommandDefinition,
  parsed: ParsedFlags,
): { readonly flags: Readonly<Record<string, string | boolean>>; readonly settingFlags: Readonly<Record<string, string>> } {
  const flags: Record<string, string | boolean> = {}
  const settingFlags: Record<string, string> = {}
  // A command's own flag is the more particular wish: it is entered after the general ones.
  const ofCommand: [name: string, value: string][] = []
  for (const [name, value] of parsed.flags) {
    const own = command.flags.find((flag) => flag.name === name)
    const setting = settingFlagNames().get(name)
    if (own === undefined && setting !== undefined) {
      settingFlags[setting] = String(value)
      continue
    }
    if (own?.notYet === true && value !== false) throw notAvailableFault(`--${name}`, { command: command.name })
    flags[name] = value
    if (own?.setting !== undefined) ofCommand.push([own.setting, String(value)])
  }
  return { flags, settingFlags: { ...settingFlags, ...Object.fromEntries(ofCommand) } }
}

function checkedArguments(command: CommandDefinition, args: readonly string[]): readonly string[] {
  const takes = command.positionals === '' ? 'no arguments' : command.positionals
  if (args.length < command.minArguments) {
    throw usageFault(command.whenTooFew ?? `${command.name} takes ${takes}, got ${countOf(args.length)}`, { command: command.name })
  }
  if (args.length > command.maxArguments) {
    throw usageFault(`${command.name} takes ${takes}, got ${countOf(args.length)}`, {
      command: command.name,
      hint: 'put quotes around anything that contains spaces',
    })
  }
  return args
}

function countOf(count: number): string {
  return count === 1 ? '1 argument' : `${count} arguments`
}
