import type { CommandDefinition } from '../command.ts'

/** `backup-show`: its help and flags; the work is in backup-show.run.ts. */
export const backupShow: CommandDefinition = {
  name: 'backup-show',
  summary: 'Show all that is known of one backup, or its files',
  positionals: 'NAME',
  minArguments: 1,
  whenTooFew: 'name a backup, or LATEST',
  maxArguments: 1,
  description: [
    'Prints what the documents of a backup say, what it was made from and what was made from it, what lies in its folder, what Waltz noted',
    'when it was made, and whether the WAL is archived that a restore cannot do without. With --wal the whole archive is listed, to tell how',
    'far the backup can be rolled forward. With --files its list of files is printed instead, one line for each: the time of the file, how it',
    'is stored (whole, increment, or in the parent), corrupt blocks, and its name. The list is read as a stream and may have any length.',
    'A folder without sentinel, of a backup that was never finished, is shown as well.',
  ].join('\n'),
  examples: [
    { command: 'waltz backup-show LATEST', explains: 'is the newest backup complete, and its WAL there?' },
    { command: 'waltz backup-show base_000000010000000000000004 --json', explains: 'the same for programs' },
    { command: "waltz backup-show LATEST --files '/base/16384/**'", explains: 'the files of one database' },
    { command: "waltz backup-show LATEST --files '2619*'", explains: 'files of that name in any folder' },
  ],
  flags: [
    { name: 'json', type: 'boolean', summary: 'JSON' },
    { name: 'pretty', type: 'boolean', summary: 'With --json: indented' },
    { name: 'wal', type: 'boolean', summary: 'Look through the whole WAL archive for how far the backup can be rolled forward' },
    {
      name: 'files',
      type: 'string',
      valueName: 'PATTERN',
      summary: 'List files: * and ? stay within a folder, ** does not; a pattern without a slash is for the last part of the name',
    },
    {
      name: 'target-storage',
      type: 'string',
      valueName: 'NAME',
      summary: 'Storage that the backup lies in; otherwise the first that has it',
      setting: 'WALG_TARGET_STORAGE',
    },
  ],
  settings: ['WALG_FILE_PREFIX', 'WALG_STORAGE_PREFIX', 'WALG_FAILOVER_STORAGES', 'WALG_PG_WAL_SIZE', 'WALTZ_UNFINISHED_BACKUP_AGE'],
  load: async () => (await import('./backup-show.run.ts')).runBackupShow,
}
