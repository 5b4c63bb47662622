/**
 * The command line as a function: `run(argv, io)` does everything the `waltz` executable does and touches nothing but
 * what it is given, so that it runs inside of a test or another program.
 */
export { run, type RunOptions } from './run.ts'
export type { CommandDefinition, CommandIo, FlagDefinition, HostFacts, Invocation } from './command.ts'
export type { Log, LogLevel } from './log.ts'
export type { Progress } from './progress.ts'
export { exitCodeFor, walFetchExitCode, type RecoveryFacts } from './exit-code.ts'
export { END_OF_WAL, EXIT_CODES, STOP_RECOVERY, TRY_AGAIN } from './exit-codes.ts'
export { commands, commandGroups } from './commands/index.ts'
export { globalFlags } from './command-line.ts'
export { laterCommandNames } from './later-commands.ts'
export { faultCodes } from './fault-codes.ts'
