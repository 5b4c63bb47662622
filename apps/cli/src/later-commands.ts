/** Commands of WAL-G that Waltz does not have yet, groups with their subcommands (CMD 1.1). */
const LATER: Readonly<Record<string, readonly string[]>> = {
  'catchup-fetch': [],
  'catchup-list': [],
  'catchup-push': [],
  'catchup-receive': [],
  'catchup-send': [],
  completion: [],
  daemon: [],
  pgbackrest: ['backup-fetch', 'backup-list', 'wal-fetch', 'wal-show'],
  'wal-prefetch': [],
  'wal-receive': [],
  'wal-restore': [],
  'wal-show': [],
  'wal-verify': [],
}

/** Names of the commands that are known and not available. */
export const laterCommandNames: readonly string[] = Object.keys(LATER)

/** The full name of a later command as it was typed: `delete`, or `delete before` when the next word says so. */
export function laterCommand(word: string, next: string | undefined): string | undefined {
  const subcommands = Object.hasOwn(LATER, word) ? LATER[word] : undefined
  if (subcommands === undefined) return undefined
  return next !== undefined && subcommands.includes(next) ? `${word} ${next}` : word
}
