import type { CommandDefinition } from '../command.ts'

/** `garbage`: its help and flags; the work is in garbage.run.ts. */
export const garbage: CommandDefinition = {
  name: 'garbage',
  summary: 'List what is of no use in the repository, with sizes and reasons',
  positionals: '',
  minArguments: 0,
  maxArguments: 0,
  description: [
    'Lists folders of backups that were never finished, sentinels without a backup, increments whose parent is gone, WAL from before the',
    'first backup, WAL of timelines that nothing leads to, and what does not belong here. Nothing is changed. What somebody may still be',
    'writing, and what may be of use after all, is listed and marked as not removable.',
    'Unfinished uploads are no objects: `waltz storage orphans` lists them.',
  ].join('\n'),
  examples: [
    { command: 'waltz garbage', explains: 'what could go?' },
    { command: 'waltz garbage --without-wal', explains: 'the same without listing the archive' },
    { command: 'waltz garbage --json', explains: 'for monitoring' },
  ],
  flags: [
    { name: 'json', type: 'boolean', summary: 'JSON' },
    { name: 'pretty', type: 'boolean', summary: 'A framed table; with --json, indented JSON' },
    { name: 'versions', type: 'boolean', summary: 'Also old versions that no listing shows, in storages that keep them' },
    { name: 'without-wal', type: 'boolean', summary: 'Look at backups only' },
    {
      name: 'target-storage',
      type: 'string',
      valueName: 'NAME',
      summary: 'Storage to look at; otherwise all of them',
      setting: 'WALG_TARGET_STORAGE',
    },
  ],
  settings: ['WALG_FILE_PREFIX', 'WALG_STORAGE_PREFIX', 'WALG_FAILOVER_STORAGES', 'WALG_PG_WAL_SIZE', 'WALTZ_UNFINISHED_BACKUP_AGE'],
  load: async () => (await import('./garbage.run.ts')).runGarbage,
}
