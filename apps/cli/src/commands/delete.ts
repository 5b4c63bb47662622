import type { CommandDefinition, FlagDefinition } from '../command.ts'

const common: readonly FlagDefinition[] = [
  { name: 'confirm', type: 'boolean', summary: 'Delete; without it only the plan is shown' },
  {
    name: 'plan',
    type: 'string',
    valueName: 'ID',
    summary: 'Delete exactly what the plan of this identifier showed, or nothing when the repository has changed since',
  },
  { name: 'use-sentinel-time', type: 'boolean', summary: 'Times mean starts of backups, not when they were stored' },
]

const settings: readonly string[] = [
  'WALG_FILE_PREFIX',
  'WALG_STORAGE_PREFIX',
  'WALG_FAILOVER_STORAGES',
  'WALTZ_FAILOVER_IGNORE',
  'WALTZ_UNFINISHED_BACKUP_AGE',
  'WALTZ_SPOOL_DIR',
]

const ORDER = [
  'Backups are ordered by when they began. Permanent backups stay, and what other backups depend on; what a running backup needs is left alone.',
  'Nothing is deleted without --confirm or --plan. All storages are looked at; one that does not answer stops the deletion.',
].join('\n')

const retain: CommandDefinition = {
  name: 'delete retain',
  summary: 'Keep the newest backups, delete the older ones and their WAL',
  positionals: '[FULL|FIND_FULL] COUNT',
  minArguments: 1,
  maxArguments: 2,
  description: `Keeps COUNT backups: with FULL so many full ones with all that depends on them, with FIND_FULL goes on to the full backup that the last of them begins with. Without either the last one must be a full one.\n${ORDER}`,
  examples: [
    { command: 'waltz delete retain FULL 7', explains: 'what would be deleted, and why' },
    { command: 'waltz delete retain FULL 7 --confirm', explains: 'delete it' },
    { command: 'waltz delete retain FIND_FULL 5 --after 2026-03-01T00:00:00Z', explains: 'and nothing that was stored since March' },
  ],
  flags: [
    ...common,
    { name: 'after', short: 'a', type: 'string', valueName: 'NAME|TIME', summary: 'Keep this backup and all after it, too' },
  ],
  settings,
  load: async () => (await import('./delete/delete.run.ts')).runDeleteRetain,
}

const before: CommandDefinition = {
  name: 'delete before',
  summary: 'Delete what is older than a backup or a time',
  positionals: '[FIND_FULL] NAME|TIME',
  minArguments: 1,
  maxArguments: 2,
  description: `Deletes the backups before the one of this name (the beginning is enough where it is clear), or before the first that was stored at or after this time. It must be a full one; with FIND_FULL the full backup before it is taken.\n${ORDER}`,
  examples: [
    { command: 'waltz delete before base_000000010000000000000016', explains: 'what would be deleted, and why' },
    { command: 'waltz delete before FIND_FULL 2026-03-01T00:00:00Z --confirm', explains: 'delete what was stored before March' },
  ],
  flags: common,
  settings,
  load: async () => (await import('./delete/delete.run.ts')).runDeleteBefore,
}

const everything: CommandDefinition = {
  name: 'delete everything',
  summary: 'Delete all backups and all WAL',
  positionals: '[FORCE]',
  minArguments: 0,
  maxArguments: 1,
  description:
    'Deletes all objects of the repository, in all storages; other objects that lie there stay. Refuses while there are permanent backups, unless FORCE is given.',
  examples: [
    { command: 'waltz delete everything', explains: 'what would be deleted' },
    { command: 'waltz delete everything FORCE --confirm', explains: 'delete it, permanent backups too' },
  ],
  flags: common,
  settings,
  load: async () => (await import('./delete/delete.run.ts')).runDeleteEverything,
}

const target: CommandDefinition = {
  name: 'delete target',
  summary: 'Delete one backup with all that depends on it',
  positionals: '[FIND_FULL] [NAME]',
  minArguments: 0,
  maxArguments: 2,
  description: `Deletes the backup of this name (LATEST for the newest), or with this user data, and every increment that was made from it, in all storages. With FIND_FULL the full backup that it begins with and everything made from that. Refuses when one of them is permanent. WAL is left alone.`,
  examples: [
    { command: 'waltz delete target base_000000010000000000000016', explains: 'what would be deleted' },
    { command: 'waltz delete target FIND_FULL LATEST --confirm', explains: 'delete the newest chain' },
    { command: `waltz delete target --target-user-data '{"job":7}' --confirm`, explains: 'the backup that carries this' },
  ],
  flags: [...common, { name: 'target-user-data', type: 'string', valueName: 'JSON', summary: 'The backup that carries exactly this' }],
  settings,
  load: async () => (await import('./delete/delete.run.ts')).runDeleteTarget,
}

const garbage: CommandDefinition = {
  name: 'delete garbage',
  summary: 'Delete WAL that no backup needs, and what failed attempts left',
  positionals: '[ARCHIVES|BACKUPS]',
  minArguments: 0,
  maxArguments: 1,
  description:
    'Deletes WAL before the oldest backup that is not permanent (what permanent ones need stays), old backups for standbys, and folders of backups that were never finished, 24 hours (WALTZ_UNFINISHED_BACKUP_AGE) after their newest object. ARCHIVES: only WAL. BACKUPS: only such folders.',
  examples: [
    { command: 'waltz delete garbage', explains: 'what would be deleted, with sizes and reasons' },
    { command: 'waltz delete garbage ARCHIVES --confirm', explains: 'delete WAL that no backup needs' },
  ],
  flags: [
    ...common,
    {
      name: 'without-backup-check',
      type: 'boolean',
      summary: 'Also when there is no backup but permanent ones: all WAL that they do not need',
    },
  ],
  settings,
  load: async () => (await import('./delete/delete.run.ts')).runDeleteGarbage,
}

/** `delete`: help and flags; the work is in delete/*.run.ts. */
export const deleteCommands: readonly CommandDefinition[] = [retain, before, everything, target, garbage]
