import type { CommandDefinition } from '../command.ts'

/** `wal-fetch`: its help and flags; the work is in wal-fetch.run.ts. */
export const walFetch: CommandDefinition = {
  name: 'wal-fetch',
  summary: 'Fetch one WAL file from the archive (for restore_command)',
  positionals: 'NAME DESTINATION',
  minArguments: 2,
  whenTooFew: "name the WAL file and where to put it; in postgresql.conf: restore_command = 'waltz wal-fetch %f %p'",
  maxArguments: 2,
  description: [
    'Fetches one WAL file and puts it at DESTINATION, whole and checked, or not at all. Exit codes are made for recovery: 0 the file is there; 74 the',
    'archive answered that it has no such file, the end of the WAL; 200 anything else, which stops recovery rather than ending it early; 75 on a',
    'standby when the archive does not answer or is not complete yet, so that the server asks again. The file and its folder are synced, unless',
    'DESTINATION is named RECOVERYXLOG or RECOVERYHISTORY, as the server names it: the server syncs these itself before it counts on them.',
  ].join('\n'),
  examples: [
    { command: "restore_command = 'waltz wal-fetch %f %p'", explains: 'in postgresql.conf; backup-fetch --target-time writes it for you' },
    { command: 'waltz wal-fetch 000000010000000000000007 /tmp/segment', explains: 'by hand' },
  ],
  flags: [
    {
      name: 'target-storage',
      type: 'string',
      valueName: 'NAME',
      summary: 'Storage to read from: "default" or the name of a failover storage; otherwise all of them',
      setting: 'WALG_TARGET_STORAGE',
    },
  ],
  settings: ['WALG_FILE_PREFIX', 'WALG_STORAGE_PREFIX', 'WALTZ_WAL_FETCH_DEADLINE', 'WALTZ_WAL_FETCH_EXIT_CODES', 'PGDATA'],
  load: async () => (await import('./wal-fetch.run.ts')).runWalFetch,
}
