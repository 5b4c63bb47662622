import type { BackupKit, KitSurroundings } from '@waltz/backup-kit'
import type { Settings, SettingWarning } from '@waltz/settings'
import type { Log } from './log.ts'
import type { Progress } from './progress.ts'

/** Everything a command may touch, so that the whole command line runs inside a test or another program. */
export interface CommandIo {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /** The home directory of the current user, where one is known. */
  readonly home: string | undefined
  readonly hostname: string
  /** Writes text as it is; no newline is added. */
  readonly stdout: (text: string) => void
  readonly stderr: (text: string) => void
  /** Writes bytes to standard output as they are; false when nobody takes them any more. Absent where an embedding program has no use for it. */
  readonly stdoutBytes?: (bytes: Uint8Array) => boolean
  /** Opens standard input. Absent where there is none. */
  readonly stdin?: () => AsyncIterable<Uint8Array>
  /** Whether standard error is a terminal, and how wide it is now. */
  readonly terminal: { readonly interactive: boolean; readonly columns: number }
  readonly signal: AbortSignal
  readonly now: () => Date
  /** Facts about the process that some commands record or size themselves by. */
  readonly host?: HostFacts
}

/** The process and the machine under it. */
export interface HostFacts {
  /** Name of the system user. */
  readonly user?: string
  readonly processId?: number
  /** Processor cores that may be used; 1 when it is not known. */
  readonly cores?: number
  /** Milliseconds that only run forward, from any start; the time of day where there is none. */
  readonly clock?: () => number
  /** TMPDIR or /tmp when it is not known. */
  readonly temporaryFolder?: string
}

/** One flag of a command. Flags that stand for settings need no definition: every setting is a flag already. */
export interface FlagDefinition {
  /** Without dashes: `target-time`. */
  readonly name: string
  /** One letter. */
  readonly short?: string
  readonly type: 'boolean' | 'string'
  /** Shown in help for strings: `TIME`. */
  readonly valueName?: string
  readonly summary: string
  /** Belongs to a later capability: using it is the error "not available yet", exit 2. */
  readonly notYet?: boolean
  /** The setting (by its name in the environment) that this flag gives a value to, as the strongest source. */
  readonly setting?: string
}

/** One word of the command line, with all that its help needs. */
export interface CommandDefinition {
  readonly name: string
  readonly aliases?: readonly string[]
  /** One line for the list of commands. */
  readonly summary: string
  /** Positional arguments as help shows them: `DIRECTORY [NAME]`. */
  readonly positionals: string
  readonly minArguments: number
  /** Said instead of the usual sentence when there are fewer arguments than that. */
  readonly whenTooFew?: string
  readonly maxArguments: number
  /** A paragraph or two for the command's own help. */
  readonly description: string
  readonly examples: readonly { readonly command: string; readonly explains: string }[]
  readonly flags: readonly FlagDefinition[]
  /** Names (as in the environment) of the settings that this command's help lists. */
  readonly settings: readonly string[]
  /** Loaded only when the command runs, so that help and start-up pay for nothing else. Resolves to the exit code. */
  load(): Promise<(invocation: Invocation) => Promise<number>>
}

/** A parsed command line with its surroundings. */
export interface Invocation {
  readonly args: readonly string[]
  /** Command flags by name; booleans are true, strings their text; absent flags are undefined. */
  readonly flags: Readonly<Record<string, string | boolean | undefined>>
  readonly settings: Settings
  /** What was already said about the settings; results repeat it, so that nothing disabled goes unnoticed. */
  readonly settingWarnings: readonly SettingWarning[]
  /** Absolute path of the config file in use, when there is one. */
  readonly configFile: string | undefined
  readonly io: CommandIo
  readonly log: Log
  readonly progress: Progress
  /** Results go to standard output as JSON and nothing else does. */
  readonly json: boolean
  /** Opens the kit for these settings, once; the command line disposes of it after the run. `observe` gets its events. */
  openKit(observe?: KitSurroundings['observe']): Promise<BackupKit>
}
