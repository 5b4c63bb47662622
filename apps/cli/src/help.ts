import { acceptsText, defaultText, flagNameOf, namesOf, settingsTable, type SettingRow } from '@waltz/settings'
import type { CommandDefinition, FlagDefinition } from './command.ts'
import { globalFlags } from './command-line.ts'
import { commandGroups, commands, commandsBelow } from './commands/index.ts'

const rows: readonly SettingRow[] = Object.values<SettingRow>(settingsTable)

/**
 * `waltz --help`: what it is, the commands by group, the way from nothing to a restored moment, where settings come from.
 * Lines have at most `columns` characters, as far as what is typed allows.
 */
export function renderRootHelp(columns: number = WIDEST): string {
  const width = Math.max(...commandGroups.flatMap((group) => group.names.map((name) => name.length)))
  const groups = commandGroups.flatMap((group) => [
    ...paragraph(`${group.title}:`, columns),
    ...group.names.flatMap((name) =>
      besides(`  ${name.padEnd(width)}`, commands.find((command) => command.name === name)?.summary ?? '', columns),
    ),
    '',
  ])
  return lines([
    ...paragraph(
      'Waltz backs up PostgreSQL, archives its WAL, and restores it to any moment. It reads and writes the repositories of WAL-G.',
      columns,
    ),
    '',
    'Usage: waltz COMMAND [ARGUMENTS] [FLAGS]',
    '',
    ...groups,
    'Help:',
    ...besides(`  ${'help COMMAND'.padEnd(width)}`, 'One command with its flags, settings and examples', columns),
    ...besides(`  ${'flags'.padEnd(width)}`, 'Every setting, each of which is a flag too', columns),
    '',
    'From nothing to a restored moment:',
    ...FIRST_STEPS.flatMap(([explains, typed]) => [`  # ${explains}`, `  ${typed}`]),
    '',
    ...paragraph(
      'Settings come from, strongest first: a flag (--walg-file-prefix /backups/main), the environment (WALG_FILE_PREFIX=/backups/main), ' +
        'the config file (--config FILE, else WALG_CONFIG_PATH, else ~/.walg.json, ~/.walg.yaml ...). Every command needs at least the place of the repository.',
      columns,
    ),
    '',
    'Flags of every command:',
    ...flagLines(globalFlags, columns),
  ])
}

const FIRST_STEPS: readonly (readonly [explains: string, typed: string])[] = [
  ['the folder that holds the repository, for you and for the server', 'export WALG_FILE_PREFIX=/backups/main'],
  ['in postgresql.conf, with archive_mode = on', "archive_command = 'waltz wal-push %p'"],
  ['back up the running server, and see what is there', 'waltz backup-push "$PGDATA" && waltz backup-list'],
  ['after a mistake at 15:00: the state of a second before', "waltz backup-fetch /srv/restored --target-time '2026-03-01 14:59:59'"],
]

/** `waltz st --help`: the commands of a group. */
export function renderGroupHelp(group: string, columns: number = WIDEST): string {
  const members = commandsBelow(group, commands)
  const width = Math.max(...members.map(({ name }) => name.length))
  return lines([
    `Usage: waltz ${group} COMMAND [ARGUMENTS] [FLAGS]`,
    '',
    ...members.flatMap(({ name, summary }) => besides(`  ${name.padEnd(width)}`, summary, columns)),
    '',
    ...paragraph(`waltz ${group} COMMAND --help tells more of each.`, columns),
  ])
}

/** `waltz COMMAND --help`: usage, description, flags, the settings that matter with their defaults, examples. */
export function renderCommandHelp(command: CommandDefinition, columns: number = WIDEST): string {
  const aliases = command.aliases === undefined ? [] : [`Also called: ${command.aliases.join(', ')}`, '']
  const available = command.flags.filter((flag) => flag.notYet !== true)
  const later = command.flags.filter((flag) => flag.notYet === true)
  return lines([
    ...paragraph(`${command.summary}.`, columns),
    '',
    `Usage: waltz ${[command.name, command.positionals, '[FLAGS]'].filter((part) => part !== '').join(' ')}`,
    '',
    ...aliases,
    ...paragraph(command.description, columns),
    '',
    'Examples:',
    ...command.examples.flatMap(({ command: typed, explains }) => [`  # ${explains}`, `  ${typed}`]),
    '',
    ...(available.length === 0 ? [] : ['Flags:', ...flagLines(available, columns), '']),
    ...(later.length === 0 ? [] : [...paragraph(`Not available yet: ${later.map((flag) => `--${flag.name}`).join(', ')}`, columns), '']),
    ...paragraph('Settings (each is an environment variable, a key of the config file, and a flag):', columns),
    ...settingLines(command.settings, columns),
    '',
    'Flags of every command:',
    ...flagLines(
      globalFlags.filter((flag) => !command.flags.some((own) => own.name === flag.name)),
      columns,
      command.flags,
    ),
  ])
}

/** `waltz flags`: every setting as a flag, what it accepts and its default; known ones without effect last. */
export function renderFlags(columns: number = WIDEST): string {
  const flags = rows.filter((row) => row.flag !== false)
  const now = flags.filter((row) => row.availability === 'now')
  const later = flags.filter((row) => row.availability !== 'now').flatMap(namesOf)
  return lines([
    ...paragraph('Every setting is a flag of every command. It takes a value, a boolean too: --walg-verify-page-checksums true', columns),
    '',
    ...now.flatMap((row) => [
      `  ${namesOf(row).map(longFlag).join(', ')} (${acceptsText(row)})`,
      ...besides('    ', `${row.summary}${defaultSuffix(row)}`, columns),
    ]),
    '',
    'Known and not available yet:',
    '',
    ...later.map((name) => `  ${longFlag(name)}`),
  ])
}

function longFlag(name: string): string {
  return `--${flagNameOf(name)}`
}

function defaultSuffix(row: SettingRow): string {
  const text = defaultText(row)
  return text === undefined ? '' : ` Default: ${text}.`
}

function flagLines(flags: readonly FlagDefinition[], columns: number, shadowing: readonly FlagDefinition[] = []): readonly string[] {
  const written = flags.map((flag) => {
    const short = flag.short === undefined || shadowing.some((other) => other.short === flag.short) ? '   ' : `-${flag.short},`
    return { flag, text: `  ${short} --${flag.name}${flag.type === 'string' ? ` ${flag.valueName ?? 'VALUE'}` : ''}` }
  })
  const width = Math.max(0, ...written.map(({ text }) => text.length))
  return written.flatMap(({ flag, text }) => besides(text.padEnd(width), flag.summary, columns))
}

function settingLines(names: readonly string[], columns: number): readonly string[] {
  const width = Math.max(0, ...names.map((name) => name.length))
  return names.flatMap((name) => {
    const row = rows.find((candidate) => candidate.name === name)
    return row === undefined ? [`  ${name}`] : besides(`  ${name.padEnd(width)}`, `${row.summary}${defaultSuffix(row)}`, columns)
  })
}

/** Longer lines are hard to read, however wide the terminal is. */
const WIDEST = 110
/** With less room than this beside its title, a text goes below it. */
const NARROWEST = 30

/** Text to the right of its title, broken at spaces, further lines below the first; below the title where that is too long. */
function besides(title: string, text: string, columns: number): readonly string[] {
  if (title.trim() !== '' && columns - title.length - 2 < NARROWEST) return [title.trimEnd(), ...besides('      ', text, columns)]
  const broken = paragraph(text, Math.max(1, columns - title.length - 2))
  return broken.map((line, index) => `${index === 0 ? title : ' '.repeat(title.length)}  ${line}`)
}

/** Text broken at spaces. */
function paragraph(text: string, columns: number): readonly string[] {
  const broken = ['']
  for (const word of text.split(/\s+/)) {
    const line = broken.at(-1) ?? ''
    if (line === '') broken[broken.length - 1] = word
    else if (line.length + 1 + word.length <= Math.min(columns, WIDEST)) broken[broken.length - 1] = `${line} ${word}`
    else broken.push(word)
  }
  return broken
}

function lines(all: readonly string[]): string {
  return `${all.join('\n')}\n`
}
