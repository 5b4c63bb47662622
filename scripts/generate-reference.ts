// Writes docs/reference from the code: commands, settings, error codes, exit codes, storages. With --check it writes nothing and
// fails when a page differs. Run with: node --conditions=source scripts/generate-reference.ts [--check]
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { commandGroups, commands, EXIT_CODES, globalFlags, laterCommandNames } from '../apps/cli/src/index.ts'
import { flagNameOf, renderSettingsReference, settingsTable } from '../packages/settings/src/index.ts'
import { storagesPage } from './reference/storages-page.ts'

const root = new URL('../', import.meta.url)
const folder = new URL('docs/reference/', root)
const NOTE = (source: string): string => `Made from ${source} by \`scripts/generate-reference.ts\`; do not edit this page.`

type Command = (typeof commands)[number]
type Flag = Command['flags'][number]

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ')

function flagTable(flags: readonly Flag[]): string[] {
  const rows = flags.map((flag) => {
    const name = `${flag.short === undefined ? '' : `-${flag.short}, `}--${flag.name}${flag.type === 'string' ? ` ${flag.valueName ?? 'VALUE'}` : ''}`
    const setting = flag.setting === undefined ? '' : `\`${flag.setting}\``
    return `| \`${cell(name)}\` | ${setting} | ${cell(flag.summary)}${flag.notYet === true ? ' (not available yet)' : ''} |`
  })
  return ['| Flag | Setting | Meaning |', '| --- | --- | --- |', ...rows, '']
}

function commandSection(command: Command): string[] {
  return [
    `## ${command.name}`,
    '',
    `${command.summary}.${command.aliases === undefined ? '' : ` Also called ${command.aliases.map((alias) => `\`${alias}\``).join(', ')}.`}`,
    '',
    '```text',
    ['waltz', command.name, command.positionals, '[FLAGS]'].filter((part) => part !== '').join(' '),
    '```',
    '',
    command.description,
    '',
    ...flagTable(command.flags),
    '```sh',
    ...command.examples.flatMap(({ command: typed, explains }) => [`# ${explains}`, typed]),
    '```',
    '',
    `Settings: ${command.settings.map((name) => `[\`${name}\`](settings.md)`).join(', ')}.`,
    '',
  ]
}

function cliPage(): string {
  return [
    '# Commands',
    '',
    NOTE('the definitions in `apps/cli/src/commands`'),
    '',
    'Flags stand before or after the command and its arguments, as `--flag value` or `--flag=value`; booleans as `--full` or `--full=false`;',
    `\`--\` ends them. Every setting is a flag of every command: \`WALG_FILE_PREFIX\` is \`--${flagNameOf('WALG_FILE_PREFIX')}\` (\`waltz flags\` lists them).`,
    'Results go to standard output, everything else to standard error.',
    '',
    ...commandGroups.flatMap((group) => [`- ${group.title}: ${group.names.map((name) => `[${name}](#${name})`).join(', ')}`]),
    `- Known from WAL-G, not available yet: ${laterCommandNames.join(', ')}`,
    '',
    '## Flags of every command',
    '',
    ...flagTable(globalFlags),
    ...commands.flatMap(commandSection),
  ].join('\n')
}

/** The tables of a package: a large one has several, each in its own folder. */
async function faultCodesBelow(source: URL): Promise<Readonly<Record<string, string>>> {
  if (!existsSync(source)) return {}
  const tables = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((path) => /(^|\/)fault-codes\.ts$/.test(path))
  const modules = await Promise.all(tables.map((path) => import(new URL(path, source).href) as Promise<{ readonly faultCodes?: object }>))
  return Object.assign({}, ...modules.map(({ faultCodes }) => faultCodes ?? {})) as Record<string, string>
}

async function errorsPage(): Promise<string> {
  const sections: string[] = []
  const owners = ['packages', 'apps'].flatMap((group) =>
    readdirSync(new URL(group, root))
      .toSorted()
      .map((name) => `${group}/${name}`),
  )
  for (const owner of owners) {
    const faultCodes = await faultCodesBelow(new URL(`${owner}/src/`, root))
    if (Object.keys(faultCodes).length === 0) continue
    const { name } = JSON.parse(readFileSync(new URL(`${owner}/package.json`, root), 'utf8')) as { readonly name: string }
    const codes = Object.entries(faultCodes).toSorted(([a], [b]) => (a < b ? -1 : 1))
    sections.push(`## ${name}`, '', ...codes.flatMap(([code, meaning]) => [`### ${code}`, '', meaning, '']))
  }
  return [
    '# Error codes',
    '',
    NOTE("every package's `faultCodes`"),
    '',
    'Every error has a stable code, printed as `code:` under its message. Its kind decides the [exit code](exit-codes.md).',
    '',
    ...sections,
  ].join('\n')
}

const KINDS: Readonly<Record<keyof typeof EXIT_CODES, string>> = {
  invalid: 'Wrong arguments or settings',
  'already-exists': 'Something is there that must not be replaced',
  conflict: 'Different bytes under a stored name, an ambiguous choice, a held lock',
  denied: 'Missing or insufficient permissions',
  unavailable: 'No answer; the same command may succeed later',
  corrupt: 'Bytes do not match their checksum or format, or end early',
  unsupported: 'This storage, codec or server version cannot do it',
  aborted: 'Interrupted by a signal',
  internal: 'A bug in Waltz',
  'not-found': 'The storage answered that it is not there',
}

function exitCodesPage(): string {
  const rows = Object.entries(EXIT_CODES).map(([kind, code]) => `| ${code} | ${kind} | ${KINDS[kind as keyof typeof EXIT_CODES]} |`)
  return [
    '# Exit codes',
    '',
    NOTE('`apps/cli/src/exit-codes.ts` and `exit-code.ts`'),
    '',
    '| Code | Kind | Meaning |',
    '| ---: | --- | --- |',
    '| 0 | | Done |',
    ...rows,
    '',
    '## wal-fetch',
    '',
    'PostgreSQL takes any failure of `restore_command` from 1 to 125 as "no such file: the WAL ends here" and starts up. Therefore `wal-fetch` ends',
    'with these codes and no others, however it ends:',
    '',
    '| Code | Meaning | What PostgreSQL does |',
    '| ---: | --- | --- |',
    '| 0 | The file is at its destination, whole and checked | goes on |',
    '| 74 | The archive, which holds WAL of this cluster, answered that it has no such file | takes it as the end of the WAL |',
    '| 75 | Only where `standby.signal` is: the archive does not answer, or is not complete yet | asks again later, or streams |',
    '| 200 | Anything else: wrong settings or arguments, a hole, damage, no answer | stops recovery; start it again when the cause is gone |',
    '',
    'An operator who promotes a standby by hand while the archive is out of reach decides to go without the rest of the WAL.',
    "`WALTZ_WAL_FETCH_EXIT_CODES=wal-g` gives WAL-G's own codes: 74 when the file is not there, 1 for everything else.",
    '',
    '## wal-push',
    '',
    '`wal-push` never ends above 125, because PostgreSQL would then restart its archiver without counting the failure.',
    '',
  ].join('\n')
}

const pages: Readonly<Record<string, string>> = {
  'cli.md': cliPage(),
  'settings.md': renderSettingsReference(settingsTable),
  'errors.md': await errorsPage(),
  'exit-codes.md': exitCodesPage(),
  'storages.md': storagesPage(NOTE("the conformance cases of `@waltz/storage` and the facts that each store's tests prove")),
}

const check = process.argv.includes('--check')
const different: string[] = []
for (const [name, text] of Object.entries(pages)) {
  const path = new URL(name, folder)
  const page = `${text.trimEnd()}\n`
  if (existsSync(path) && readFileSync(path, 'utf8') === page) continue
  different.push(name)
  if (!check) {
    mkdirSync(folder, { recursive: true })
    writeFileSync(path, page)
  }
}
if (check && different.length > 0) {
  console.error(`docs/reference is not up to date: ${different.join(', ')}. Run: node --conditions=source scripts/generate-reference.ts`)
  process.exitCode = 1
} else {
  console.log(
    different.length === 0 ? 'docs/reference is up to date' : `wrote ${different.map((name) => `docs/reference/${name}`).join(', ')}`,
  )
}
