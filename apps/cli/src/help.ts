import { acceptsText, defaultText, flagNameOf, namesOf, settingsTable, type SettingRow } from '@waltz/settings'
import type { CommandDefinition, FlagDefinition } from './command.ts'
import { globalFlags } from './command-line.ts'
import { commandGroups, commands, findCommand } from './commands/index.ts'

const rows: readonly SettingRow[] = Object.values<SettingRow>(settingsTable)

/** `waltz --help`: what it is, the commands by group, three examples, where settings come from. */
export function renderRootHelp(): string {
  const width = Math.max(...commandGroups.flatMap((group) => group.names.map((name) => name.length)))
  const groups = commandGroups.flatMap((group) => [
    `${group.title}:`,
    ...group.names.map((name) => `  ${name.padEnd(width)}  ${findCommand(name, commands)?.summary ?? ''}`),
    '',
  ])
  return lines([
    'Waltz backs up PostgreSQL, archives its WAL, and restores it to any moment. It reads and writes',
    'the repositories of WAL-G.',
    '',
    'Usage: waltz COMMAND [ARGUMENTS] [FLAGS]',
    '',
    ...groups,
    'Help:',
    `  ${'help COMMAND'.padEnd(width)}  One command with its flags, settings and examples`,
    `  ${'flags'.padEnd(width)}  Every setting, each of which is a flag too`,
    '',
    'Examples:',
    '  export WALG_FILE_PREFIX=/backups/main',
    '  waltz backup-push "$PGDATA"                       # back up a running server',
    '  waltz backup-list                                 # what is there',
    "  waltz backup-fetch /srv/restored --target-time '2026-03-01 14:59:59'",
    '',
    'Settings come from, strongest first: a flag (--walg-file-prefix /backups/main), the environment',
    '(WALG_FILE_PREFIX=/backups/main), the config file (--config FILE, WALG_CONFIG_PATH, ~/.walg.json or',
    '~/.walg.yaml). Every command needs at least the place of the repository.',
    '',
    'Flags of every command:',
    ...flagLines(globalFlags),
  ])
}

/** `waltz COMMAND --help`: usage, description, flags, the settings that matter with their defaults, examples. */
export function renderCommandHelp(command: CommandDefinition): string {
  const aliases = command.aliases === undefined ? [] : [`Also called: ${command.aliases.join(', ')}`, '']
  const available = command.flags.filter((flag) => flag.notYet !== true)
  const later = command.flags.filter((flag) => flag.notYet === true)
  return lines([
    `${command.summary}.`,
    '',
    `Usage: waltz ${[command.name, command.positionals, '[FLAGS]'].filter((part) => part !== '').join(' ')}`,
    '',
    ...aliases,
    ...besides('', command.description.replaceAll('\n', ' ')).map((line) => line.trim()),
    '',
    'Examples:',
    ...command.examples.flatMap(({ command: typed, explains }) => [`  # ${explains}`, `  ${typed}`]),
    '',
    ...(available.length === 0 ? [] : ['Flags:', ...flagLines(available), '']),
    ...(later.length === 0 ? [] : [`Not available yet: ${later.map((flag) => `--${flag.name}`).join(', ')}`, '']),
    'Settings (each is an environment variable, a key of the config file, and a flag):',
    ...settingLines(command.settings),
    '',
    'Flags of every command:',
    ...flagLines(
      globalFlags.filter((flag) => !command.flags.some((own) => own.name === flag.name)),
      command.flags,
    ),
  ])
}

/** `waltz flags`: every setting as a flag, what it accepts and its default; known ones without effect last. */
export function renderFlags(): string {
  const flags = rows.filter((row) => row.flag !== false)
  const now = flags.filter((row) => row.availability === 'now')
  const later = flags.filter((row) => row.availability !== 'now').flatMap(namesOf)
  return lines([
    'Every setting is a flag of every command. It takes a value, a boolean too: --walg-verify-page-checksums true',
    '',
    ...now.flatMap((row) => [
      `  ${namesOf(row).map(longFlag).join(', ')} (${acceptsText(row)})`,
      ...besides('    ', `${row.summary}${defaultSuffix(row)}`),
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

function flagLines(flags: readonly FlagDefinition[], shadowing: readonly FlagDefinition[] = []): readonly string[] {
  const written = flags.map((flag) => {
    const short = flag.short === undefined || shadowing.some((other) => other.short === flag.short) ? '   ' : `-${flag.short},`
    return { flag, text: `  ${short} --${flag.name}${flag.type === 'string' ? ` ${flag.valueName ?? 'VALUE'}` : ''}` }
  })
  const width = Math.max(0, ...written.map(({ text }) => text.length))
  return written.flatMap(({ flag, text }) => besides(text.padEnd(width), flag.summary))
}

function settingLines(names: readonly string[]): readonly string[] {
  const width = Math.max(0, ...names.map((name) => name.length))
  return names.flatMap((name) => {
    const row = rows.find((candidate) => candidate.name === name)
    return row === undefined ? [`  ${name}`] : besides(`  ${name.padEnd(width)}`, `${row.summary}${defaultSuffix(row)}`)
  })
}

const LINE_WIDTH = 110

/** Text to the right of its title, broken at spaces, further lines below the first. */
function besides(title: string, text: string): readonly string[] {
  const broken = ['']
  for (const word of text.split(' ')) {
    const line = broken.at(-1) ?? ''
    if (line === '') broken[broken.length - 1] = word
    else if (title.length + 2 + line.length + 1 + word.length <= LINE_WIDTH) broken[broken.length - 1] = `${line} ${word}`
    else broken.push(word)
  }
  return broken.map((line, index) => `${index === 0 ? title : ' '.repeat(title.length)}  ${line}`)
}

function lines(all: readonly string[]): string {
  return `${all.join('\n')}\n`
}
