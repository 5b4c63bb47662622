import type { CommandDefinition } from '../command.ts'

/** `backup-mark`: its help and flags; the work is in backup-mark.run.ts. */
export const backupMark: CommandDefinition = {
  name: 'backup-mark',
  summary: 'Mark a backup as permanent, or as not permanent',
  positionals: 'NAME',
  minArguments: 1,
  whenTooFew: 'name the backup to mark',
  maxArguments: 1,
  description: [
    'A permanent backup is not removed by any retention. Marking an increment marks everything that it was made from, too. A backup that a',
    'permanent one was made from cannot be marked as not permanent. Only metadata.json is rewritten, and in it only the mark; the sentinel,',
    'and with it what LATEST means, stays. Marking again is no error. With several storages the backup is marked in each that has it.',
  ].join('\n'),
  examples: [
    { command: 'waltz backup-mark base_000000010000000000000004', explains: 'keep it for good' },
    { command: 'waltz backup-mark -i base_000000010000000000000004', explains: 'leave it to retention again' },
  ],
  flags: [
    { name: 'impermanent', short: 'i', type: 'boolean', summary: 'Mark it as not permanent' },
    { name: 'json', type: 'boolean', summary: 'What was marked, as JSON' },
    {
      name: 'target-storage',
      type: 'string',
      valueName: 'NAME',
      summary: 'Only in this storage; otherwise in each that has it',
      setting: 'WALG_TARGET_STORAGE',
    },
  ],
  settings: ['WALG_FILE_PREFIX', 'WALG_STORAGE_PREFIX', 'WALG_FAILOVER_STORAGES'],
  load: async () => (await import('./backup-mark.run.ts')).runBackupMark,
}
