import type { CommandDefinition } from '../command.ts'
import { backupFetch } from './backup-fetch.ts'
import { backupList } from './backup-list.ts'
import { backupPush } from './backup-push.ts'
import { walFetch } from './wal-fetch.ts'
import { walPush } from './wal-push.ts'

/** Every command that does something, in the order of the help page. Only definitions: the work is loaded when a command runs. */
export const commands: readonly CommandDefinition[] = [backupPush, backupFetch, backupList, walPush, walFetch]

/** The titles under which help lists them. */
export const commandGroups: readonly { readonly title: string; readonly names: readonly string[] }[] = [
  { title: 'Backups', names: ['backup-push', 'backup-fetch', 'backup-list'] },
  { title: "WAL archive (called by the server's archive_command and restore_command)", names: ['wal-push', 'wal-fetch'] },
]

/** The command of this name or other name. */
export function findCommand(word: string, among: readonly CommandDefinition[]): CommandDefinition | undefined {
  return among.find((command) => command.name === word || command.aliases?.includes(word) === true)
}
