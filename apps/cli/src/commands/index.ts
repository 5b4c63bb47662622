import type { CommandDefinition } from '../command.ts'
import { backupFetch } from './backup-fetch.ts'
import { backupList } from './backup-list.ts'
import { backupMark } from './backup-mark.ts'
import { backupPush } from './backup-push.ts'
import { backupShow } from './backup-show.ts'
import { copy } from './copy.ts'
import { cryptCommands } from './crypt.ts'
import { deleteCommands } from './delete.ts'
import { garbage } from './garbage.ts'
import { retentionCommands } from './retention.ts'
import { storageCommands } from './storage.ts'
import { storageToolCommands } from './st.ts'
import { walFetch } from './wal-fetch.ts'
import { walPush } from './wal-push.ts'

/** Every command that does something, in the order of the help page. Only definitions: the work is loaded when a command runs. */
export const commands: readonly CommandDefinition[] = [
  backupPush,
  backupFetch,
  backupList,
  backupShow,
  backupMark,
  copy,
  walPush,
  walFetch,
  ...deleteCommands,
  ...retentionCommands,
  garbage,
  ...storageToolCommands,
  ...storageCommands,
  ...cryptCommands,
]

/** The titles under which help lists them. */
export const commandGroups: readonly { readonly title: string; readonly names: readonly string[] }[] = [
  { title: 'Backups', names: ['backup-push', 'backup-fetch', 'backup-list', 'backup-show', 'backup-mark', 'copy', 'garbage'] },
  { title: "WAL archive (called by the server's archive_command and restore_command)", names: ['wal-push', 'wal-fetch'] },
  { title: 'Deleting', names: [...deleteCommands, ...retentionCommands].map(({ name }) => name) },
  { title: 'Storage', names: [...storageToolCommands, ...storageCommands].map(({ name }) => name) },
  { title: 'Encryption', names: cryptCommands.map(({ name }) => name) },
]

/** A command found in the words of a command line. */
export interface FoundCommand {
  readonly command: CommandDefinition
  /** How many of the words are its name: 1 for `wal-push`, 2 for `st ls`. */
  readonly words: number
}

/** The command that the words begin with, by its name or another name of it; the longest one. */
export function findCommand(words: readonly string[], among: readonly CommandDefinition[]): FoundCommand | undefined {
  for (let count = Math.min(words.length, LONGEST_NAME); count > 0; count -= 1) {
    const name = words.slice(0, count).join(' ')
    const command = among.find((one) => one.name === name || one.aliases?.includes(name) === true)
    if (command !== undefined) return { command, words: count }
  }
  return undefined
}

/** Commands have at most so many words. */
const LONGEST_NAME = 3

/** The commands below a word such as `st` or `st check`; none for a word that begins no name. */
export function commandsBelow(group: string, among: readonly CommandDefinition[]): readonly CommandDefinition[] {
  return among.filter((command) => command.name.startsWith(`${group} `))
}

/** The longest beginning of the words that is a group, such as `st check`; undefined when there is none. */
export function findGroup(words: readonly string[], among: readonly CommandDefinition[]): string | undefined {
  for (let count = Math.min(words.length, LONGEST_NAME - 1); count > 0; count -= 1) {
    const name = words.slice(0, count).join(' ')
    if (commandsBelow(name, among).length > 0) return name
  }
  return undefined
}
