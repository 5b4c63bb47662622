import type { CommandDefinition } from '../command.ts'

/** `backup-list`: its help and flags; the work is in backup-list.run.ts. */
export const backupList: CommandDefinition = {
  name: 'backup-list',
  summary: 'List the backups that can be restored, oldest first',
  positionals: '',
  minArguments: 0,
  maxArguments: 0,
  description: [
    'Prints one line for each finished backup, oldest first: name, time, WAL segment it begins in, storage. Without --detail only names are',
    'listed and no object is read. An empty repository prints nothing and is no error.',
  ].join('\n'),
  examples: [
    { command: 'waltz backup-list', explains: 'columns that scripts can cut' },
    { command: 'waltz backup-list --detail --pretty', explains: 'a framed table with server version, positions and the permanent mark' },
    { command: 'waltz backup-list --detail --json', explains: 'everything, for programs' },
  ],
  flags: [
    { name: 'pretty', type: 'boolean', summary: 'A framed table; with --json, indented JSON' },
    { name: 'json', type: 'boolean', summary: 'A JSON array' },
    { name: 'detail', type: 'boolean', summary: 'More columns; reads one small object for each backup' },
    {
      name: 'target-storage',
      type: 'string',
      valueName: 'NAME',
      summary: 'Storage to read from: "default" or the name of a failover storage; otherwise all of them',
      setting: 'WALG_TARGET_STORAGE',
    },
  ],
  settings: ['WALG_FILE_PREFIX', 'WALG_STORAGE_PREFIX', 'WALG_FAILOVER_STORAGES'],
  load: async () => (await import('./backup-list.run.ts')).runBackupList,
}
